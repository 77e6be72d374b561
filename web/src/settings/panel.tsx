import { Channel, isOnline, type Unlinks } from '@koko/contract'
import type { RefObject } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Stage } from './app.tsx'
import { ChannelCard } from './channel-card.tsx'
import { ExactBytes } from './exact-bytes.tsx'
import { Profile } from './profile.tsx'
import type { Session, Snapshot } from './session.ts'
import { fill, strings } from './strings.ts'
import { Unregister } from './unregister.tsx'
import { clockTime, day } from './words.ts'

/** The end of a session is announced this long before it comes. */
const noticeMs = 5 * 60_000
/** How long until the page looks again at what is stored. */
const lookEveryMs = 3_000

interface PanelProps {
  session: Session
  heading: RefObject<HTMLHeadingElement | null>
  onStage: (stage: Stage) => void
}

/** What the cloud knows of the agent, live, and the ways to take it back. */
export function Panel({ session, heading, onStage }: PanelProps) {
  const now = useNow()
  const isOffline = useOffline()
  const [snapshot, setSnapshot] = useState<Snapshot | null>(null)
  const [isLate, setIsLate] = useState(false)
  const [attempt, setAttempt] = useState(0)
  const known = snapshot === null ? '' : JSON.stringify(snapshot)

  async function leave(why: 'ended' | 'signedOut') {
    await session.end()
    onStage({ name: 'over', why })
  }

  // Looks every few seconds while the page is seen, and at once when asked to.
  useEffect(() => {
    const watching = { isOn: true, timer: 0 }
    const look = async () => {
      if (!document.hidden) {
        await session.look().then(
          (next) => {
            if (!watching.isOn) return
            setSnapshot(next)
            setIsLate(false)
          },
          () => {
            if (watching.isOn) setIsLate(true)
          },
        )
      }
      if (watching.isOn) watching.timer = window.setTimeout(() => void look(), lookEveryMs)
    }
    void look()
    return () => {
      watching.isOn = false
      clearTimeout(watching.timer)
    }
  }, [session, attempt])
  const lookAgain = () => setAttempt((count) => count + 1)

  const isEnded = now >= session.untilMs
  useEffect(() => {
    if (isEnded) void leave('ended')
  }, [isEnded])

  const isEnding = session.untilMs - now <= noticeMs
  const until = clockTime(session.untilMs)
  return (
    <>
      <div class="row apart">
        <p class="note">
          {strings.session.agent} <code>{session.agentId}</code>
        </p>
        <button class="button" type="button" onClick={() => void leave('signedOut')}>
          {strings.session.signOut}
        </button>
      </div>
      <h1 ref={heading} tabIndex={-1}>
        {strings.title}
      </h1>
      <div role="status">
        {isEnding && <p class="banner">{fill(strings.session.ending, { time: until })}</p>}
        {isOffline && <p class="banner">{strings.session.offline}</p>}
        {!isOffline && snapshot !== null && isLate && <p class="banner">{strings.session.stale}</p>}
      </div>
      {!isEnding && <p class="note">{fill(strings.session.until, { time: until })}</p>}
      {snapshot === null ? (
        isLate ? (
          <div role="alert">
            <p class="banner bad">{strings.session.failed}</p>
            <button class="button" type="button" onClick={lookAgain}>
              {strings.session.again}
            </button>
          </div>
        ) : (
          <p role="status">{strings.session.loading}</p>
        )
      ) : (
        <Known
          session={session}
          snapshot={snapshot}
          now={now}
          onChanged={lookAgain}
          onOver={() => void leave('ended')}
        />
      )}
      <ExactBytes session={session} known={known} />
      <Unregister session={session} onStage={onStage} />
    </>
  )
}

interface KnownProps {
  session: Session
  snapshot: Snapshot
  now: number
  onChanged: () => void
  onOver: () => void
}

function Known({ session, snapshot, now, onChanged, onOver }: KnownProps) {
  const { listing, unlinks } = snapshot
  const listed = listing.state === 'readable' ? listing.value : null
  const taken: Unlinks = unlinks.state === 'readable' ? unlinks.value : {}
  const online = listed !== null && isOnline(listed, now)
  const shownChannels =
    listed === null ? [] : Channel.options.filter((channel) => listed.channels[channel] !== undefined)
  return (
    <>
      <p class="lead">
        {listing.state === 'unreadable'
          ? strings.status.unreadable
          : listed === null
            ? strings.status.unlisted
            : online
              ? strings.status.online
              : strings.status.offline}
      </p>
      {listed !== null && (
        <p class="note">
          {fill(strings.status.since, { day: day(listed.presence.registeredAtMs) })},{' '}
          {fill(strings.status.published, { day: day(listed.presence.publishedAtMs) })},{' '}
          {fill(strings.status.seen, { day: day(listed.presence.lastSeenAtMs) })}.
        </p>
      )}
      <section aria-labelledby="channels">
        <h2 id="channels">{strings.channels.heading}</h2>
        <p>{strings.channels.intro}</p>
        <div role="status">
          {listing.state === 'absent' && Object.keys(taken).length > 0 && (
            <p class="banner">{strings.channels.notListed}</p>
          )}
        </div>
        {Channel.options.map((channel) => (
          <ChannelCard
            key={channel}
            session={session}
            channel={channel}
            handle={listed?.channels[channel]}
            unlink={taken[channel]}
            isOnline={online}
            isLast={shownChannels.length === 1 && shownChannels[0] === channel}
            isListingUnreadable={listing.state === 'unreadable'}
            now={now}
            onChanged={onChanged}
            onOver={onOver}
          />
        ))}
      </section>
      <section aria-labelledby="whatsapp">
        <h2 id="whatsapp">{strings.whatsapp.heading}</h2>
        <p>{strings.whatsapp.number}</p>
        <p>{strings.whatsapp.readers}</p>
        <p>{strings.whatsapp.without}</p>
        <ol>
          {strings.whatsapp.ways.map((way) => (
            <li key={way}>{way}</li>
          ))}
        </ol>
        <p>{strings.whatsapp.after}</p>
        <p>{strings.whatsapp.cannot}</p>
      </section>
      <Profile profile={listed?.profile ?? null} />
    </>
  )
}

function useNow(): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000)
    return () => clearInterval(timer)
  }, [])
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
