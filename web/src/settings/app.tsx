import { codePattern } from '@koko/contract'
import type { ComponentChildren, RefObject } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Button } from './button.tsx'
import { takeCode } from './code.ts'
import { openingFailure, type LastStage } from './failure.ts'
import { HelpLink } from './help-link.tsx'
import { forgetSession, keptSession } from './kept-session.ts'
import type { Panel as LoadedPanel } from './panel.tsx'
import type { Opener, Session } from './session.ts'
import { fill, strings } from './strings.ts'
import { unavailable, withTimeout } from './timeout.ts'
import { moment } from './times.ts'

type Stage =
  | { name: 'no link' }
  | { name: 'incomplete' }
  | { name: 'spent' }
  | { name: 'ready'; code: string; isOpening: boolean; failure: { text: string; retry: boolean } | null }
  | { name: 'resuming'; kept: string; hasFailed: boolean }
  | { name: 'open'; session: Session; Panel: typeof LoadedPanel }
  | LastStage

function firstStage(code: string | null): Stage {
  if (code !== null) {
    return codePattern.test(code) ? { name: 'ready', code, isOpening: false, failure: null } : { name: 'incomplete' }
  }
  const kept = keptSession()
  return kept === null ? { name: 'no link' } : { name: 'resuming', kept, hasFailed: false }
}

/** The settings page, from a link to the end of its session. */
export function App({ code }: { code: string | null }) {
  const [stage, setStage] = useState<Stage>(() => {
    // A link replaces what was open.
    if (code !== null) forgetSession()
    return firstStage(code)
  })
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
      current.current?.session?.end()
      current.current = null
      forgetSession()
      setStage(firstStage(next))
    }
    window.addEventListener('hashchange', onHash)
    return () => window.removeEventListener('hashchange', onHash)
  }, [])

  useEffect(() => {
    if (stage.name === 'resuming') void resume(stage.kept)
  }, [])

  async function open(code: string) {
    if (current.current !== null) return
    const mine: { session: Session | null } = { session: null }
    current.current = mine
    setStage({ name: 'ready', code, isOpening: true, failure: null })
    try {
      const { createOpener, Panel } = await loadModules()
      if (opener.current?.code !== code) opener.current = createOpener(code)
      mine.session = await opener.current.open()
      if (current.current === mine) setStage({ name: 'open', session: mine.session, Panel })
      else mine.session.end()
    } catch (error) {
      if (current.current !== mine) return
      current.current = null
      const failure = openingFailure(error, opener.current?.linkState() ?? 'unused')
      setStage(failure === null ? { name: 'spent' } : { name: 'ready', code, isOpening: false, failure })
    }
  }

  async function resume(kept: string) {
    if (current.current !== null) return
    const mine: { session: Session | null } = { session: null }
    current.current = mine
    setStage({ name: 'resuming', kept, hasFailed: false })
    try {
      const { resumeSession, Panel } = await loadModules()
      if (current.current !== mine) return
      const session = resumeSession(kept)
      mine.session = session
      if (session === null) {
        leave({ name: 'no link' })
      } else if (session.nowMs() >= session.untilMs) {
        session.end()
        leave({ name: 'over', why: 'ended' })
      } else {
        setStage({ name: 'open', session, Panel })
      }
    } catch {
      if (current.current !== mine) return
      current.current = null
      setStage({ name: 'resuming', kept, hasFailed: true })
    }
  }

  function leave(next: Stage) {
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
          <p>
            <HelpLink text={strings.whatsappHelp.full} />
          </p>
        </Notice>
      )
    case 'incomplete':
      return (
        <Notice heading={heading} title={strings.incomplete.heading} lead={strings.incomplete.body}>
          <NewLink />
        </Notice>
      )
    case 'spent':
      return (
        <Notice heading={heading} title={strings.spent.heading} lead={strings.spent.body}>
          <NewLink />
          <p>{strings.spent.opened}</p>
          <p>
            {strings.spent.stranger} <code>koko rotate</code>
          </p>
        </Notice>
      )
    case 'ready': {
      const { code, failure, isOpening } = stage
      return (
        <Notice heading={heading} title={strings.ready.heading} lead={strings.ready.body}>
          <div role="alert">{failure !== null && <p class="banner bad">{failure.text}</p>}</div>
          {failure?.retry !== false && (
            <Button primary isWorking={isOpening} working={strings.ready.opening} onClick={() => void open(code)}>
              {failure === null ? strings.ready.open : strings.tryAgain}
            </Button>
          )}
        </Notice>
      )
    }
    case 'resuming':
      return (
        <Notice heading={heading} title={strings.title} lead="">
          <div role="alert">{stage.hasFailed && <p class="banner bad">{strings.failed.resume}</p>}</div>
          {stage.hasFailed ? (
            <Button primary onClick={() => void resume(stage.kept)}>
              {strings.tryAgain}
            </Button>
          ) : (
            <p role="status">{strings.session.loading}</p>
          )}
        </Notice>
      )
    case 'open': {
      const { session, Panel } = stage
      return <Panel key={session} session={session} heading={heading} onLeave={leave} />
    }
    case 'over': {
      const { title, body } = strings.over[stage.why]
      return (
        <Notice heading={heading} title={title} lead={body}>
          {stage.why !== 'removed' && <NewLink />}
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
          <p>{fill(words.peers, { time: moment(outOfAnswersAtMs) })}</p>
          <p>{words.signIn}</p>
          <p class="note">{words.cannot}</p>
        </Notice>
      )
    }
  }
}

/** What only an opened page needs. */
async function loadModules() {
  const [session, panel] = await withTimeout(Promise.all([import('./session.ts'), import('./panel.tsx')])).catch(
    (cause: unknown) => Promise.reject(unavailable(cause)),
  )
  return { ...session, ...panel }
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
      {lead !== '' && <p class="lead">{lead}</p>}
      {children}
    </div>
  )
}

function NewLink() {
  return (
    <p>
      {strings.newLink} <code>koko settings</code>
    </p>
  )
}
