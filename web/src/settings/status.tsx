import { Channel, isOnline, retentionMs, rooms } from '@koko/contract'
import type { Known } from './known.ts'
import type { Snapshot } from './session.ts'
import { fill, strings } from './strings.ts'
import { day, moment } from './times.ts'

const words = strings.status
const presenceFields = ['registeredAtMs', 'publishedAtMs', 'lastSeenAtMs'] as const

export type AgentStatus = 'online' | 'offline' | 'unlisted' | 'unreadable' | 'unknown'

export function statusOf({ listing, isReadable }: Known, now: number): AgentStatus {
  if (listing.state === 'unknown') return 'unknown'
  if (!isReadable) return 'unreadable'
  if (listing.state !== 'readable') return 'unlisted'
  return isOnline(listing.value, now) ? 'online' : 'offline'
}

/** Whether peers can discover the agent, since when not, and what to do about it. */
export function Status({ known, snapshot, status }: { known: Known; snapshot: Snapshot | null; status: AgentStatus }) {
  const { listing, unlinks } = known
  const listed = listing.state === 'readable' ? listing.value : null
  const seenAtMs = listed?.presence.lastSeenAtMs ?? 0
  const since = listed === null ? '' : moment(seenAtMs + rooms[listed.category].onlineWindowMs)
  const isAllUnlinked = Channel.options.every((channel) => unlinks[channel] !== undefined)
  const unlistedSinceMs = snapshot?.unlistedSinceMs ?? null
  return (
    <section class="status" aria-labelledby="status">
      <h2 id="status">{words.heading}</h2>
      <div role="status">
        <p class={`light ${status}`}>{words[status].title}</p>
        <p>{fill(words[status].body, { since, seen: day(seenAtMs) })}</p>
      </div>
      {status === 'offline' && (
        <div class="next">
          <p>
            {words.next.run} <code>koko run</code>
          </p>
          <p>{fill(words.next.removedOffline, { day: day(seenAtMs + retentionMs) })}</p>
        </div>
      )}
      {status === 'unlisted' && (
        <div class="next">
          <p>
            {isAllUnlinked ? words.next.allow : words.next.publish} <code>koko publish</code>
          </p>
          <p>
            {words.next.link} <code>koko link telegram</code>
          </p>
          {unlistedSinceMs !== null && (
            <p>{fill(words.next.removedUnlisted, { day: day(unlistedSinceMs + retentionMs) })}</p>
          )}
        </div>
      )}
      {listed !== null && (
        <>
          <dl class="facts">
            {presenceFields.map((field) => (
              <div key={field}>
                <dt>{words.labels[field]}</dt>
                <dd>{day(listed.presence[field])}</dd>
              </div>
            ))}
          </dl>
          <p class="note">{words.days}</p>
        </>
      )}
      {snapshot !== null && <p class="note">{fill(words.readAt, { time: moment(snapshot.readAtMs) })}</p>}
    </section>
  )
}
