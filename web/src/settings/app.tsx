import { codePattern } from '@koko/contract'
import type { ComponentChildren, RefObject } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { takeCode } from './code.ts'
import { openingFailure, type LastStage } from './failure.ts'
import type { Panel as LoadedPanel } from './panel.tsx'
import type { Opener, Session } from './session.ts'
import { fill, strings } from './strings.ts'
import { unavailable, withTimeout } from './timeout.ts'
import { clockTime } from './times.ts'

type Stage =
  | { name: 'no link' }
  | { name: 'incomplete' }
  | { name: 'ready'; code: string; isOpening: boolean; failure: { text: string; retry: boolean } | null }
  | { name: 'open'; session: Session; Panel: typeof LoadedPanel }
  | LastStage

function firstStage(code: string | null): Stage {
  if (code === null) return { name: 'no link' }
  return codePattern.test(code) ? { name: 'ready', code, isOpening: false, failure: null } : { name: 'incomplete' }
}

/** The settings page, from a link to the end of its session. */
export function App({ code }: { code: string | null }) {
  const [stage, setStage] = useState<Stage>(() => firstStage(code))
  const heading = useRef<HTMLHeadingElement>(null)
  const isFirst = useRef(true)
  const opener = useRef<Opener | null>(null)
  // What is being opened, or is open. A ref, since a second click or a pasted link can come before the next render.
  const current = useRef<{ session: Session | null } | null>(null)

  useLayoutEffect(() => {
    document.title = `${heading.current?.textContent ?? strings.title} · Koko Directory`
    if (!isFirst.current) heading.current?.focus()
    isFirst.current = false
  }, [stage.name])

  // A link pasted into this tab changes only the fragment. It replaces what is open.
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
    const mine: { session: Session | null } = { session: null }
    current.current = mine
    setStage({ name: 'ready', code, isOpening: true, failure: null })
    try {
      const [{ createOpener }, { Panel }] = await withTimeout(
        Promise.all([import('./session.ts'), import('./panel.tsx')]),
      ).catch((cause: unknown) => Promise.reject(unavailable(cause)))
      if (opener.current?.code !== code) opener.current = createOpener(code)
      mine.session = await opener.current.open()
      if (current.current === mine) setStage({ name: 'open', session: mine.session, Panel })
      else await mine.session.end()
    } catch (error) {
      if (current.current !== mine) return
      current.current = null
      const failure = openingFailure(error, opener.current?.linkState() ?? 'unused')
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
            {strings.noLink.how} <code>koko settings</code>
          </p>
          <p class="note">{strings.noLink.followed}</p>
        </Notice>
      )
    case 'incomplete':
      return <Notice heading={heading} title={strings.incomplete.heading} lead={strings.incomplete.body} />
    case 'ready': {
      const { code, failure, isOpening } = stage
      return (
        <Notice heading={heading} title={strings.ready.heading} lead={strings.ready.body}>
          <div role="alert">{failure !== null && <p class="banner bad">{failure.text}</p>}</div>
          {failure?.retry !== false && (
            <button class="button primary" type="button" aria-disabled={isOpening} onClick={() => void open(code)}>
              {isOpening ? strings.ready.opening : failure === null ? strings.ready.open : strings.tryAgain}
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
      const { checked, outOfAnswersAtMs } = stage
      const words = strings.gone
      const isProven = checked.every(({ found }) => found === false)
      return (
        <Notice heading={heading} title={words.heading} lead={isProven ? words.proven : words.unproven}>
          <dl class="facts wide">
            {checked.map(({ path, found }) => (
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
