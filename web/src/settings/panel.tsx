import { Channel, isOnline, type Listing, type Unlinks } from '@koko/contract'
import type { RefObject } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { ChannelCard } from './channel-card.tsx'
import { ExactBytes } from './exact-bytes.tsx'
import { endingOf, type Ending } from './failure.ts'
import type { LastStage } from './last-stage.ts'
import { Profile } from './profile.tsx'
import type { Session, Snapshot } from './session.ts'
import { fill, strings } from './strings.ts'
import { Unregister } from './unregister.tsx'
import { watch, type Watch } from './watch.ts'
import { day, minuteTime } from './words.ts'

/** The end of a session is announced this long before it comes. */
const noticeMs = 5 * 60_000

interface PanelProps {
  session: Session
  heading: RefObject<HTMLHeadingElement | null>
  onLeave: (stage: LastStage) => void
}

/** What the directory stores about the agent, live, and the controls that remove it. */
export function Panel({ session, heading, onLeave }: PanelProps) {
  const now = useNow(session)
  const isOffline = useOffline()
  const [snapshot, setSnapshot] = useState<Snapshot | null>(null)
  const [isLate, setIsLate] = useState(false)
  const watching = useRef<Watch | null>(null)
  const hasLeft = useRef(false)
  // While the agent is being unregistered, refusals are expected: `Unregister` itself shows the outcome.
  const isUnregistering = useRef(false)
  const known = snapshot === null ? '' : JSON.stringify(snapshot)

  function leave(next: LastStage) {
    if (hasLeft.current) return
    hasLeft.current = true
    void session.end()
    onLeave(next)
  }

  /** True where a failure says that the session is over, which the page then shows. */
  function endsWith(error: unknown): boolean {
    if (isUnregistering.current) return true
    const ending: Ending | null = endingOf(error, session.nowMs() >= session.untilMs)
    if (ending !== null) leave({ name: 'over', why: ending })
    return ending !== null
  }

  useEffect(() => {
    const started = watch(
      session,
      (next) => {
        setSnapshot(next)
        setIsLate(false)
      },
      (error) => {
        if (!endsWith(error)) setIsLate(true)
      },
    )
    watching.current = started
    return () => started.stop()
  }, [session])
  const lookNow = () => watching.current?.lookNow() ?? Promise.resolve()

  const isEnded = now >= session.untilMs
  useEffect(() => {
    if (isEnded) leave({ name: 'over', why: 'ended' })
  }, [isEnded])

  const isEnding = session.untilMs - now <= noticeMs
  const until = { time: minuteTime(session.untilMs) }
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
          <button class="button" type="button" onClick={() => leave({ name: 'over', why: 'signedOut' })}>
            {strings.session.signOut}
          </button>
        </div>
        <div role="status">
          {isEnding && <p class="banner">{fill(strings.session.ending, until)}</p>}
          {isOffline && <p class="banner">{strings.session.offline}</p>}
          {!isOffline && snapshot !== null && isLate && <p class="banner">{strings.session.stale}</p>}
        </div>
      </header>
      {snapshot !== null ? (
        <Known session={session} snapshot={snapshot} now={now} onChanged={lookNow} endsWith={endsWith} />
      ) : isLate ? (
        <div role="alert">
          <p class="banner bad">{strings.session.failed}</p>
          <button class="button" type="button" onClick={() => void lookNow()}>
            {strings.session.again}
          </button>
        </div>
      ) : (
        <p role="status">{strings.session.loading}</p>
      )}
      <ExactBytes session={session} known={known} endsWith={endsWith} />
      <Unregister session={session} isUnregistering={isUnregistering} endsWith={endsWith} onGone={leave} />
    </>
  )
}

interface KnownProps {
  session: Session
  snapshot: Snapshot
  now: number
  onChanged: () => Promise<void>
  endsWith: (error: unknown) => boolean
}

function Known({ session, snapshot, now, onChanged, endsWith }: KnownProps) {
  const { listing, unlinks } = snapshot
  const listed = listing.state === 'readable' ? listing.value : null
  const taken: Unlinks = unlinks.state === 'readable' ? unlinks.value : {}
  const isUnreadable = listing.state === 'unreadable' || unlinks.state === 'unreadable'
  const status = isUnreadable
    ? 'unreadable'
    : listed === null
      ? 'unlisted'
      : isOnline(listed, now)
        ? 'online'
        : 'offline'
  const shown = listed === null ? [] : Channel.options.filter((channel) => listed.channels[channel] !== undefined)
  // The picture of the area is drawn from the coasts of the whole world: not again each second.
  const profile = useMemo(() => <Profile listing={listed} />, [listed])
  return (
    <>
      <section class="status" aria-labelledby="status">
        <h2 id="status">{strings.status.heading}</h2>
        <div role="status">
          <p class={`light ${status}`}>{strings.status[status].title}</p>
          <p>{strings.status[status].body}</p>
        </div>
        {listed !== null && <Presence presence={listed.presence} />}
      </section>
      <section aria-labelledby="channels">
        <h2 id="channels">{strings.channels.heading}</h2>
        <p>{strings.channels.intro}</p>
        <ul class="channels">
          {Channel.options.map((channel) => (
            <ChannelCard
              key={channel}
              session={session}
              channel={channel}
              handle={listed?.channels[channel]}
              unlink={taken[channel]}
              status={status}
              isLast={shown.length === 1 && shown[0] === channel}
              now={now}
              onChanged={onChanged}
              endsWith={endsWith}
            />
          ))}
        </ul>
      </section>
      <section aria-labelledby="whatsapp">
        <h2 id="whatsapp">{strings.whatsapp.heading}</h2>
        <p>{strings.whatsapp.number}</p>
        <p>{strings.whatsapp.readers}</p>
        <p>{strings.whatsapp.without}</p>
        <ol class="steps">
          {strings.whatsapp.ways.map(({ what, how }) => (
            <li key={what}>
              <strong>{what}</strong> {how}
            </li>
          ))}
        </ol>
        <p>{strings.whatsapp.after}</p>
        <p>{strings.whatsapp.cannot}</p>
      </section>
      {profile}
    </>
  )
}

function Presence({ presence }: { presence: Listing['presence'] }) {
  const { labels } = strings.status
  return (
    <>
      <dl class="facts">
        <div>
          <dt>{labels.registeredAtMs}</dt>
          <dd>{day(presence.registeredAtMs)}</dd>
        </div>
        <div>
          <dt>{labels.publishedAtMs}</dt>
          <dd>{day(presence.publishedAtMs)}</dd>
        </div>
        <div>
          <dt>{labels.lastSeenAtMs}</dt>
          <dd>{day(presence.lastSeenAtMs)}</dd>
        </div>
      </dl>
      <p class="note">{strings.status.days}</p>
    </>
  )
}

/** The directory's clock, each second. */
function useNow(session: Session): number {
  const [now, setNow] = useState(() => session.nowMs())
  useEffect(() => {
    const timer = setInterval(() => setNow(session.nowMs()), 1_000)
    return () => clearInterval(timer)
  }, [session])
  return now
}

function useOffline(): boolean {
  const [isOffline, setIsOffline] = useState(() => !navigator.onLine)
  useEffect(() => {
    const update = () => setIsOffline(!navigator.onLine)
    window.addEventListener('online', update)
    window.addEventListener('offline', update)
    return () => {
      window.removeEventListener('online', update)
      window.removeEventListener('offline', update)
    }
  }, [])
  return isOffline
}
