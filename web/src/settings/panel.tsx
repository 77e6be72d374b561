import { goneWithinMs, minuteMs } from '@koko/contract'
import type { RefObject } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { Button } from './button.tsx'
import { Channels } from './channels.tsx'
import { ExactBytes } from './exact-bytes.tsx'
import { endingOf, isUnanswered, type LastStage } from './failure.ts'
import { isUnderWay, knownOf, type Acknowledged } from './known.ts'
import type { Page } from './page.ts'
import { Profile } from './profile.tsx'
import type { Session, Snapshot } from './session.ts'
import { Status, statusOf } from './status.tsx'
import { fill, strings } from './strings.ts'
import { minuteTime, moment } from './times.ts'
import { Unregister } from './unregister.tsx'
import { watch, type Watch } from './watch.ts'
import { WhatsApp } from './whatsapp.tsx'

/** How long before the end of a session the page announces it. */
const noticeMs = 5 * minuteMs

interface PanelProps {
  session: Session
  heading: RefObject<HTMLHeadingElement | null>
  onLeave: (stage: LastStage) => void
}

/** What the directory stores about the agent, live, and the controls that remove it. */
export function Panel({ session, heading, onLeave }: PanelProps) {
  const [now, setNow] = useState(() => session.nowMs())
  const [{ snapshot, acknowledged }, setRead] = useState<{ snapshot: Snapshot | null; acknowledged: Acknowledged }>({
    snapshot: null,
    acknowledged: {},
  })
  /** The last read failed. */
  const [trouble, setTrouble] = useState<{ isOffline: boolean } | null>(null)
  const known = useMemo(() => knownOf(snapshot, acknowledged), [snapshot, acknowledged])
  const latest = useRef(known)
  latest.current = known
  const watching = useRef<Watch | null>(null)
  const awaited = useRef(0)
  const hasLeft = useRef(false)
  // While the agent is being unregistered, refusals are expected: `Unregister` itself shows the outcome.
  const unregistering = useRef({ isUnderWay: false, wasAsked: false })

  function leave(next: LastStage) {
    if (hasLeft.current) return
    hasLeft.current = true
    session.end()
    onLeave(next)
  }

  async function showGone() {
    const outOfAnswersAtMs = session.nowMs() + goneWithinMs
    leave({ name: 'gone', checked: await session.check(), outOfAnswersAtMs })
  }

  function endsWith(error: unknown): boolean {
    const ending = endingOf(error, session.nowMs() >= session.untilMs)
    if (ending === 'removed' && unregistering.current.wasAsked) void showGone()
    else if (unregistering.current.isUnderWay) return true
    else if (ending !== null) leave({ name: 'over', why: ending })
    return ending !== null
  }

  useEffect(() => {
    const started = watch(session, {
      isUrgent: () =>
        awaited.current > 0 ||
        Object.values(latest.current.unlinks).some((unlink) => unlink && isUnderWay(unlink, session.nowMs())),
      onSnapshot: (next) => {
        setRead({ snapshot: next, acknowledged: {} })
        latest.current = knownOf(next, {})
        setTrouble(null)
      },
      onFailure: (error) => {
        if (!endsWith(error)) setTrouble({ isOffline: isUnanswered(error) && !navigator.onLine })
      },
    })
    watching.current = started
    return () => started.stop()
  }, [session])

  useEffect(() => {
    const timer = setInterval(() => setNow(session.nowMs()), 1_000)
    return () => clearInterval(timer)
  }, [session])

  const isEnded = now >= session.untilMs
  useEffect(() => {
    if (isEnded) leave({ name: 'over', why: 'ended' })
  }, [isEnded])

  const readNow = () => watching.current?.readNow() ?? Promise.resolve()
  const page: Page = {
    session,
    readAtMs: snapshot?.readAtMs ?? null,
    readNow,
    endsWith,
    acknowledge(channel, change) {
      setRead(({ snapshot, acknowledged }) => ({ snapshot, acknowledged: { ...acknowledged, [channel]: change } }))
      void readNow()
    },
    awaitOutcome() {
      awaited.current += 1
      watching.current?.plan()
      return () => {
        awaited.current -= 1
      }
    },
  }

  const status = statusOf(known, now)
  const readAt = snapshot === null ? '' : moment(snapshot.readAtMs)
  const until = { time: minuteTime(session.untilMs) }
  // The map has the coasts of the whole world: it is not drawn again each second.
  const profile = useMemo(() => <Profile stored={known.listing} />, [known.listing])
  const bytes = useMemo(() => snapshot && <ExactBytes page={page} snapshot={snapshot} />, [snapshot])
  return (
    <>
      <header class="opening">
        <h1 ref={heading} tabIndex={-1}>
          {strings.title}
        </h1>
        <div class="session">
          <p class="note">
            {strings.session.agent} <code class="id">{session.agentId}</code>
          </p>
          <p class="note">{fill(strings.session.until, until)}</p>
          <Button onClick={() => leave({ name: 'over', why: 'signedOut' })}>{strings.session.signOut}</Button>
        </div>
        <div role="status">
          {session.untilMs - now <= noticeMs && <p class="banner">{fill(strings.session.ending, until)}</p>}
          {trouble !== null && snapshot !== null && (
            <p class="banner">
              {fill(trouble.isOffline ? strings.session.offline : strings.session.stale, { time: readAt })}
            </p>
          )}
        </div>
        {snapshot === null && trouble === null && <p role="status">{strings.session.loading}</p>}
        {snapshot === null && trouble !== null && (
          <div role="alert">
            <p class="banner bad">{trouble.isOffline ? strings.session.failedOffline : strings.session.failed}</p>
            <Button onClick={() => void readNow()}>{strings.tryAgain}</Button>
          </div>
        )}
      </header>
      {(snapshot !== null || trouble !== null) && (
        <>
          <Status known={known} snapshot={snapshot} status={status} />
          <Channels page={page} known={known} status={status} now={now} />
          <WhatsApp />
          {profile}
          {bytes}
        </>
      )}
      <Unregister page={page} unregistering={unregistering} onDone={() => void showGone()} />
    </>
  )
}
