import { Channel, formatDuration, isOnline, minuteMs, rooms, type Unlinks } from '@koko/contract'
import type { RefObject } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { ChannelCard } from './channel-card.tsx'
import { ExactBytes } from './exact-bytes.tsx'
import { endingOf, type LastStage } from './failure.ts'
import { Profile } from './profile.tsx'
import type { Session, Snapshot } from './session.ts'
import { fill, strings } from './strings.ts'
import { Unregister } from './unregister.tsx'
import { watch } from './watch.ts'
import { day, minuteTime } from './times.ts'

/** How long before the end of a session the page announces it. */
const noticeMs = 5 * minuteMs

const presenceFields = ['registeredAtMs', 'publishedAtMs', 'lastSeenAtMs'] as const

interface PanelProps {
  session: Session
  heading: RefObject<HTMLHeadingElement | null>
  onLeave: (stage: LastStage) => void
}

/** What the directory stores about the agent, live, and the controls that remove it. */
export function Panel({ session, heading, onLeave }: PanelProps) {
  const [now, setNow] = useState(() => session.nowMs())
  // Read again each second, with the time.
  const isOffline = !navigator.onLine
  const [snapshot, setSnapshot] = useState<Snapshot | null>(null)
  const [isLate, setIsLate] = useState(false)
  const watching = useRef<ReturnType<typeof watch> | null>(null)
  const hasLeft = useRef(false)
  // While the agent is being unregistered, refusals are expected: `Unregister` itself shows the outcome.
  const isUnregistering = useRef(false)

  function leave(next: LastStage) {
    if (hasLeft.current) return
    hasLeft.current = true
    void session.end()
    onLeave(next)
  }

  /** True if the failure shows that the session is over; the page then says so. */
  function endsWith(error: unknown): boolean {
    if (isUnregistering.current) return true
    const ending = endingOf(error, session.nowMs() >= session.untilMs)
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
  const readNow = () => watching.current?.readNow() ?? Promise.resolve()

  useEffect(() => {
    const timer = setInterval(() => setNow(session.nowMs()), 1_000)
    return () => clearInterval(timer)
  }, [session])

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
        <Stored session={session} snapshot={snapshot} now={now} onChanged={readNow} endsWith={endsWith} />
      ) : isLate ? (
        <div role="alert">
          <p class="banner bad">{strings.session.failed}</p>
          <button class="button" type="button" onClick={() => void readNow()}>
            {strings.tryAgain}
          </button>
        </div>
      ) : (
        <p role="status">{strings.session.loading}</p>
      )}
      <ExactBytes session={session} version={JSON.stringify(snapshot)} endsWith={endsWith} />
      <Unregister session={session} isUnregistering={isUnregistering} endsWith={endsWith} onGone={leave} />
    </>
  )
}

interface StoredProps {
  session: Session
  snapshot: Snapshot
  now: number
  onChanged: () => Promise<void>
  endsWith: (error: unknown) => boolean
}

function Stored({ session, snapshot, now, onChanged, endsWith }: StoredProps) {
  const { listing, unlinks } = snapshot
  const listed = listing.state === 'readable' ? listing.value : null
  const unlinked: Unlinks = unlinks.state === 'readable' ? unlinks.value : {}
  const isUnreadable = listing.state === 'unreadable' || unlinks.state === 'unreadable'
  const status = isUnreadable
    ? 'unreadable'
    : listed === null
      ? 'unlisted'
      : isOnline(listed, now)
        ? 'online'
        : 'offline'
  const window = listed === null ? '' : formatDuration(rooms[listed.category].onlineWindowMs)
  const body = fill(strings.status[status].body, { window })
  const shown = listed === null ? [] : Channel.options.filter((channel) => listed.channels[channel] !== undefined)
  // The map has the coasts of the whole world: it is not drawn again each second.
  const profile = useMemo(() => <Profile stored={listing} />, [listing])
  return (
    <>
      <section class="status" aria-labelledby="status">
        <h2 id="status">{strings.status.heading}</h2>
        <div role="status">
          <p class={`light ${status}`}>{strings.status[status].title}</p>
          <p>{body}</p>
        </div>
        {listed !== null && (
          <>
            <dl class="facts">
              {presenceFields.map((field) => (
                <div key={field}>
                  <dt>{strings.status.labels[field]}</dt>
                  <dd>{day(listed.presence[field])}</dd>
                </div>
              ))}
            </dl>
            <p class="note">{strings.status.days}</p>
          </>
        )}
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
              unlink={unlinked[channel]}
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
