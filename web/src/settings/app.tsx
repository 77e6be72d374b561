import { useEffect, useRef, useState } from 'preact/hooks'
import { openingInWords } from './failure.ts'
import type { Panel as LoadedPanel } from './panel.tsx'
import type { Session } from './session.ts'
import { fill, strings } from './strings.ts'
import { clockTime } from './words.ts'

type Stage =
  | { name: 'no link' }
  | { name: 'mangled' }
  | { name: 'ready'; code: string; failure?: { text: string; retry: boolean }; isOpening: boolean }
  | { name: 'open'; session: Session; Panel: typeof LoadedPanel }
  | { name: 'over'; why: 'ended' | 'signedOut' }
  | { name: 'gone'; left: { path: string; found: boolean | null }[]; outOfAnswersAtMs: number }

export type { Stage }

function firstStage(code: string | null): Stage {
  if (code === null) return { name: 'no link' }
  return /^[A-Za-z0-9_-]{43}$/.test(code) ? { name: 'ready', code, isOpening: false } : { name: 'mangled' }
}

/** The page from a link to the end of its session. */
export function App({ code }: { code: string | null }) {
  const [stage, setStage] = useState<Stage>(() => firstStage(code))
  const heading = useRef<HTMLHeadingElement>(null)
  const isFirst = useRef(true)

  useEffect(() => {
    document.title = `${strings.title} · Koko Directory`
    if (!isFirst.current) heading.current?.focus()
    isFirst.current = false
  }, [stage.name])

  // A second link pasted into the same tab changes the fragment alone.
  useEffect(() => {
    const onHash = () => {
      const { hash, pathname } = window.location
      if (!hash.startsWith('#code=')) return
      window.history.replaceState(null, '', pathname)
      setStage((current) => (current.name === 'open' ? current : firstStage(hash.slice('#code='.length))))
    }
    window.addEventListener('hashchange', onHash)
    return () => window.removeEventListener('hashchange', onHash)
  }, [])

  async function open(withCode: string) {
    setStage({ name: 'ready', code: withCode, isOpening: true })
    try {
      const [{ openSession }, { Panel }] = await Promise.all([import('./session.ts'), import('./panel.tsx')])
      const session = await openSession(withCode)
      setStage({ name: 'open', session, Panel })
    } catch (error) {
      // A chunk that does not load is an unreachable directory too.
      const isLoading = error instanceof TypeError
      const failure = openingInWords(isLoading ? { code: 'unavailable' } : error)
      setStage({ name: 'ready', code: withCode, failure, isOpening: false })
    }
  }

  switch (stage.name) {
    case 'no link':
      return (
        <>
          <h1 ref={heading} tabIndex={-1}>
            {strings.noLink.heading}
          </h1>
          <p class="lead">{strings.noLink.body}</p>
          <p>
            {strings.noLink.how} <code>{strings.noLink.command}</code>
          </p>
        </>
      )
    case 'mangled':
      return (
        <>
          <h1 ref={heading} tabIndex={-1}>
            {strings.mangled.heading}
          </h1>
          <p class="lead">{strings.mangled.body}</p>
        </>
      )
    case 'ready': {
      const { failure, isOpening } = stage
      return (
        <>
          <h1 ref={heading} tabIndex={-1}>
            {strings.ready.heading}
          </h1>
          <p class="lead">{strings.ready.body}</p>
          <div role="alert">{failure && <p class="banner bad">{failure.text}</p>}</div>
          {failure?.retry !== false && (
            <button
              class="button primary"
              type="button"
              aria-disabled={isOpening}
              onClick={() => !isOpening && void open(stage.code)}
            >
              {isOpening ? strings.ready.opening : failure ? strings.failed.again : strings.ready.open}
            </button>
          )}
        </>
      )
    }
    case 'open': {
      const { session, Panel } = stage
      return <Panel session={session} heading={heading} onStage={setStage} />
    }
    case 'over':
      return (
        <>
          <h1 ref={heading} tabIndex={-1}>
            {strings.over[stage.why]}
          </h1>
          <p class="lead">{stage.why === 'ended' ? strings.over.endedBody : strings.over.signedOutBody}</p>
          <p>{strings.over.again}</p>
        </>
      )
    case 'gone':
      return (
        <>
          <h1 ref={heading} tabIndex={-1}>
            {strings.gone.heading}
          </h1>
          <p class="lead">{strings.gone.body}</p>
          <dl class="facts">
            {stage.left.map(({ path, found }) => (
              <>
                <dt>
                  <code>{path}</code>
                </dt>
                <dd>{found === null ? strings.gone.unknown : found ? strings.gone.something : strings.gone.nothing}</dd>
              </>
            ))}
          </dl>
          <p>{fill(strings.gone.peers, { time: clockTime(stage.outOfAnswersAtMs) })}</p>
          <p>{strings.gone.signIn}</p>
          <p class="note">{strings.gone.cannot}</p>
        </>
      )
  }
}
