import { DirectoryError, rooms, type Listing } from '@koko/contract'
import { paths } from './documents.ts'
import { readListingState, utcDay, writeListing } from './listing-change.ts'
import type { Ports } from './ports.ts'
import { requireOwner, type Session } from './sessions.ts'

/** Keeps the agent's listing online; writes on the first call of a UTC day only. */
export async function heartbeat({ store }: Ports, session: Session, now: Date) {
  return store.transaction(async (transaction) => {
    const { badge, account } = await requireOwner(transaction, session)
    const state = await readListingState(transaction, badge.category, badge.agentId)
    if (state.listing === null || state.listing === 'unreadable') {
      throw new DirectoryError('failed-precondition', 'There is no listing to keep online: publish a profile first.')
    }
    // A clock that went back must not take an agent offline.
    const lastSeenAtMs = Math.max(utcDay(now), state.listing.presence.lastSeenAtMs)
    if (lastSeenAtMs > state.listing.presence.lastSeenAtMs) {
      const seen: Listing = { ...state.listing, presence: { ...state.listing.presence, lastSeenAtMs } }
      transaction.set(paths.account(badge.agentId), writeListing(transaction, state, seen, account, now))
    }
    return { lastSeenAtMs, onlineUntilMs: lastSeenAtMs + rooms[badge.category].onlineWindowMs }
  })
}
