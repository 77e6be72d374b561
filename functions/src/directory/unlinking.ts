import { goneWithinMs, type Channel } from '@koko/contract'
import { paths, unlinksOf } from '../documents.ts'
import { readListingState, withoutChannels, writeListing, type ListingState } from './listing-change.ts'
import type { Fields, Ports } from '../ports.ts'
import { requireOwner, type Session } from '../sessions.ts'

/**
 * Removes a channel from the listing and keeps it out. Idempotent: the times of the first unlink stay. An unlink is never
 * refused: there is no rate limit, a repeated one writes nothing, it waits for the locks of others, and it does not need
 * this machine's clock.
 */
export async function unlinkChannel({ store }: Ports, session: Session, { channel }: { channel: Channel }) {
  return store.transaction(
    async (transaction) => {
      const { badge, account } = await requireOwner(transaction, session)
      // Each attempt has its own time, because the promise counts from the one that is committed.
      const now = transaction.readTime()
      const state = await readListingState(transaction, badge.category, badge.agentId)
      const [fields, change] = await transaction.get([paths.unlinks(badge.agentId), paths.change(badge.agentId)])
      const unlinks = unlinksOf(fields, now)
      const unlinkedAtMs = unlinks[channel]?.unlinkedAtMs ?? now.getTime()
      if (unlinks[channel] === undefined) {
        const goneAtMs = isHeldNowhere(state, change, channel) ? unlinkedAtMs : null
        transaction.set(paths.unlinks(badge.agentId), { ...unlinks, [channel]: { unlinkedAtMs, goneAtMs } })
        const after = withoutChannels(state.listing, [channel])
        transaction.set(paths.account(badge.agentId), writeListing(transaction, state, after, account, now, channel))
      }
      return { channel, unlinkedAtMs, goneByMs: unlinkedAtMs + goneWithinMs }
    },
    { isPatient: true, usesDatabaseTime: true },
  )
}

/** True if neither the listing nor a shard has the channel. Without a pending change, the shards show the listing. */
function isHeldNowhere({ listing, change }: ListingState, storedChange: Fields | null | undefined, channel: Channel) {
  if (listing === 'unreadable' || listing?.channels[channel] !== undefined) return false
  const isPending = (storedChange ?? null) !== null
  return !isPending || change?.from === null
}

/** Lifts an unlink. The agent's next publish shows the handle again. */
export async function relinkChannel({ store }: Ports, session: Session, { channel }: { channel: Channel }, now: Date) {
  await store.transaction(async (transaction) => {
    await requireOwner(transaction, session)
    const [fields] = await transaction.get([paths.unlinks(session.agentId)])
    const unlinks = unlinksOf(fields, now)
    if (unlinks[channel] === undefined) return
    const { [channel]: _lifted, ...left } = unlinks
    if (Object.keys(left).length === 0) transaction.delete(paths.unlinks(session.agentId))
    else transaction.set(paths.unlinks(session.agentId), left)
  })
  return { channel }
}
