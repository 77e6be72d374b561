import { Area, Channel, Listing, utcDay, type AgentId, type RoomName } from '@koko/contract'
import * as z from 'zod'
import { Change, paths, Removal, unassignedNumber, type Account } from '../documents.ts'
import type { Fields, Transaction } from '../ports.ts'

/** What a transaction must have read before it may change an agent's listing. */
export interface ListingState {
  agentId: AgentId
  room: RoomName
  /** Null if there is none; `'unreadable'` if it does not parse. */
  listing: Listing | 'unreadable' | null
  /** The area of the listing, even of one that is otherwise unreadable. */
  area: Area | null
  change: Change | null
  removal: Removal | null
}

export async function readListingState(
  transaction: Transaction,
  room: RoomName,
  agentId: AgentId,
): Promise<ListingState> {
  const [listing, change, removal] = await transaction.get([
    paths.listing(room, agentId),
    paths.change(agentId),
    paths.removal(agentId),
  ])
  const parsed = Listing.safeParse(listing)
  return {
    agentId,
    room,
    listing: (listing ?? null) === null ? null : parsed.success ? parsed.data : 'unreadable',
    area: areaOf(listing),
    // Neither may prevent an unlink. `writeListing` writes both again.
    change: Change.safeParse(change).data ?? null,
    removal: Removal.safeParse(removal).data ?? null,
  }
}

/** The area in a stored listing's fields, whatever the other fields are. */
export function areaOf(listing: Fields | null | undefined): Area | null {
  return z.object({ profile: z.object({ area: Area }) }).safeParse(listing).data?.profile.area ?? null
}

/** The listing without these channels; null if no channel is left or the listing is unreadable. */
export function withoutChannels(listing: ListingState['listing'], removed: readonly Channel[]): Listing | null {
  if (listing === null || listing === 'unreadable') return null
  const { channels } = listing
  const left = Channel.options.filter((channel) => channels[channel] !== undefined && !removed.includes(channel))
  if (left.length === 0) return null
  return { ...listing, channels: Object.fromEntries(left.map((channel) => [channel, channels[channel]])) }
}

/** The channels whose handle is in `before` but not in `after`. */
function removedChannels(before: ListingState['listing'], after: Listing | null): Channel[] {
  if (before === null) return []
  if (before === 'unreadable') return [...Channel.options]
  return Channel.options.filter(
    (channel) => before.channels[channel] !== undefined && before.channels[channel] !== after?.channels[channel],
  )
}

/**
 * Writes a listing (null deletes it), the change that the republish will find, and, if a handle was removed, a removal
 * that every instance obeys until then. Returns the account to store, with a revision above every earlier one. The
 * account, not the listing, says under which area the shards hold the agent's entry.
 */
export function writeListing(
  transaction: Transaction,
  { agentId, room, listing: before, area, change, removal }: ListingState,
  after: Listing | null,
  account: Account,
  now: Date,
  unlinked?: Channel,
): Account {
  const revision = account.revision + 1
  if (after !== null) transaction.set(paths.listing(room, agentId), after)
  else if (before !== null) transaction.delete(paths.listing(room, agentId))

  const from = change === null ? (account.area ?? area) : change.from
  const to = after?.profile.area ?? null
  // If nothing says where the shards hold an entry, a change would only end the removal that hides it.
  if (change !== null || from !== null || to !== null || unlinked !== undefined) {
    const waiting = unlinked !== undefined || (change?.unlinked ?? false)
    transaction.set(paths.change(agentId), { room, revision, from, to, unlinked: waiting } satisfies Change)
  }

  // An unlinked channel is hidden by name, even if somebody edited the stored listing by hand.
  const isGone = after === null && (before !== null || from !== null)
  const removed = isGone ? Channel.options : [...removedChannels(before, after), ...(unlinked ? [unlinked] : [])]
  if (removed.length > 0) {
    const channels = Channel.options.filter(
      (channel) => removed.includes(channel) || removal?.channels.includes(channel),
    )
    transaction.set(paths.removal(agentId), { room, revision, channels, number: unassignedNumber } satisfies Removal)
  }
  const unlistedSinceMs = after !== null ? null : (account.unlistedSinceMs ?? utcDay(now.getTime()))
  return { ...account, revision, area: to, unlistedSinceMs }
}

/**
 * Writes a listing of which only `lastSeenAtMs` changed, and its change. The revision stays, so the account needs no
 * write, which saves one for each agent and day. The account must have the listing's area.
 */
export function writePresence(transaction: Transaction, seen: Listing, change: Change | null, account: Account): void {
  const { agentId, category: room, profile } = seen
  const from = change === null ? account.area : change.from
  transaction.set(paths.listing(room, agentId), seen)
  transaction.set(paths.change(agentId), {
    room,
    revision: account.revision,
    from,
    to: profile.area,
    unlinked: change?.unlinked ?? false,
  } satisfies Change)
}
