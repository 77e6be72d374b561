import type { ComponentChildren, RefObject } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { isWhole, takeCode } from './code.ts'
import { openingInWords } from './failure.ts'
import type { LastStage } from './last-stage.ts'
import type { Panel as LoadedPanel } from './panel.tsx'
import type { Opener, Session } from './session.ts'
import { fill, strings } from './strings.ts'
import { unavailable, within } from './within.ts'
import { clockTime } from './words.ts'

type Stage =
  | { name: 'no link' }
  | { name: 'mangled' }
  | { name: 'ready'; code: string; isOpening: boolean; failure: { text: string; retry: boolean } | null }
  | { name: 'open'; session: Session; Panel: typeof LoadedPanel }
  | LastStage

function firstStage(code: string | null): Stage {
  if (code === null) return { name: 'no link' }
  return isWhole(code) ? { name: 'ready', code, isOpening: false, failure: null } : { name: 'mangled' }
}

/** The page from a link to the end of its session. */
export function App({ code }: { code: string | null }) {
  const [stage, setStage] = useState<Stage>(() => firstStage(code))
  const heading = useRef<HTMLHeadingElement>(null)
  const isFirst = useRef(true)
  const opener = useRef<Opener | null>(null)
  // What is under way, or open: a second click or a link pasted later must know before anything is rendered again.
  const current = useRef<{ code: string; session: Session | null } | null>(null)

  useLayoutEffect(() => {
    document.title = `${heading.current?.textContent ?? strings.title} · Koko Directory`
    if (!isFirst.current) heading.current?.focus()
    isFirst.current = false
  }, [stage.name])

  // A link pasted into this tab changes the fragment alone. It replaces what is open.
  useEffect(() => {
    const onHash = () => {
      const next = takeCode()
      if (next === null) return
      void current.current?.session?.end()
      current.current = null
      setStage(firstStage(next))
    }
    window.addEventListener('hashchange', onHash)
    return () => window.removeEventListener('hashchange', onHash)
  }, [])

  async function open(code: string) {
    if (current.current !== null) return
    const mine: { code: string; session: Session | null } = { code, session: null }
    current.current = mine
    setStage({ name: 'ready', code, isOpening: true, failure: null })
    try {
      const [{ createOpener }, { Panel }] = await within(
        Promise.all([import('./session.ts'), import('./panel.tsx')]),
      ).catch((cause: unknown) => Promise.reject(unavailable(cause)))
      if (opener.current?.code !== code) opener.current = createOpener(code)
      mine.session = await opener.current.open()
      if (current.current === mine) setStage({ name: 'open', session: mine.session, Panel })
      else await mine.session.end()
    } catch (error) {
      if (current.current !== mine) return
      current.current = null
      const failure = openingInWords(error, opener.current?.linkState() ?? 'whole')
      setStage({ name: 'ready', code, isOpening: false, failure })
    }
  }

  function leave(next: LastStage) {
    current.current = null
    setStage(next)
  }

  switch (stage.name) {
    case 'no link':
      return (
        <Notice heading={heading} title={strings.noLink.heading} lead={strings.noLink.body}>
          <p>
            {strings.noLink.how} <code>{strings.noLink.command}</code>
          </p>
          <p class="note">{strings.noLink.followed}</p>
        </Notice>
      )
    case 'mangled':
      return <Notice heading={heading} title={strings.mangled.heading} lead={strings.mangled.body} />
    case 'ready': {
      const { code, failure, isOpening } = stage
      return (
        <Notice heading={heading} title={strings.ready.heading} lead={strings.ready.body}>
          <div role="alert">{failure !== null && <p class="banner bad">{failure.text}</p>}</div>
          {failure?.retry !== false && (
            <button class="button primary" type="button" aria-disabled={isOpening} onClick={() => void open(code)}>
              {isOpening ? strings.ready.opening : failure === null ? strings.ready.open : strings.failed.again}
            </button>
          )}
          <p class="unseen" role="status">
            {isOpening && strings.ready.opening}
          </p>
        </Notice>
      )
    }
    case 'open': {
      const { session, Panel } = stage
      return <Panel key={session} session={session} heading={heading} onLeave={leave} />
    }
    case 'over': {
      const { title, body } = strings.over[stage.why]
      return (
        <Notice heading={heading} title={title} lead={body}>
          {stage.why !== 'removed' && <p>{strings.over.again}</p>}
        </Notice>
      )
    }
    case 'gone': {
      const { left, outOfAnswersAtMs } = stage
      const words = strings.gone
      const isProven = left.every(({ found }) => found === false)
      return (
        <Notice
          heading={heading}
          title={isProven ? words.heading : words.headingUnproven}
          lead={isProven ? words.body : words.bodyUnproven}
        >
          <dl class="facts wide">
            {left.map(({ path, found }) => (
              <div key={path}>
                <dt>
                  <code>{path}</code>
                </dt>
                <dd>{found === null ? words.unknown : found ? words.something : words.nothing}</dd>
              </div>
            ))}
          </dl>
          <p>{fill(words.peers, { time: clockTime(outOfAnswersAtMs) })}</p>
          <p>{words.signIn}</p>
          <p class="note">{words.cannot}</p>
        </Notice>
      )
    }
  }
}

interface NoticeProps {
  heading: RefObject<HTMLHeadingElement | null>
  title: string
  lead: string
  children?: ComponentChildren
}

function Notice({ heading, title, lead, children }: NoticeProps) {
  return (
    <div class="notice">
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      <p class="lead">{lead}</p>
      {children}
    </div>
  )
}
