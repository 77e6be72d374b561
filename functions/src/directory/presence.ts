import { DirectoryError, Listing, rooms, utcDay } from '@koko/contract'
import { Change, paths } from '../documents.ts'
import { readListingState, writeListing, writePresence } from './listing-change.ts'
import type { Ports } from '../ports.ts'
import { requireOwner, type Session } from '../sessions.ts'

/** Keeps the agent's listing online. Only the first call of a UTC day writes. */
export async function heartbeat({ store }: Ports, session: Session, now: Date) {
  return store.transaction(async (transaction) => {
    const { badge, account } = await requireOwner(transaction, session)
    const { agentId, category } = badge
    const [fields, changeFields] = await transaction.get([paths.listing(category, agentId), paths.change(agentId)])
    const { data: listing } = Listing.safeParse(fields)
    if (listing === undefined) {
      throw new DirectoryError('failed-precondition', 'There is no listing to keep online: publish a profile first.')
    }
    // If the clock went back, the agent must stay online.
    const lastSeenAtMs = Math.max(utcDay(now.getTime()), listing.presence.lastSeenAtMs)
    if (lastSeenAtMs > listing.presence.lastSeenAtMs) {
      const seen: Listing = { ...listing, presence: { ...listing.presence, lastSeenAtMs } }
      if (account.area === listing.profile.area && account.unlistedSinceMs === null) {
        writePresence(transaction, seen, Change.safeParse(changeFields).data ?? null, account)
      } else {
        const state = await readListingState(transaction, category, agentId)
        transaction.set(paths.account(agentId), writeListing(transaction, state, seen, account, now))
      }
    }
    return { lastSeenAtMs, onlineUntilMs: lastSeenAtMs + rooms[badge.category].onlineWindowMs }
  })
}
