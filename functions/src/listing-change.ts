import { Channel, type AgentId, type RoomName } from '@koko/contract'
import type { Account } from './documents.ts'
import { Change, Listing, parseStored, paths, Removal } from './documents.ts'
import { day } from './limits.ts'
import type { Transaction } from './ports.ts'

/** What a transaction must have read before it may change an agent's listing. */
export interface ListingState {
  agentId: AgentId
  room: RoomName
  /** Null where there is none. A stored listing that does not parse is `'unreadable'`, and can only be replaced. */
  listing: Listing | 'unreadable' | null
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
    change: parseStored(Change, change ?? null),
    removal: parseStored(Removal, removal ?? null),
  }
}

/** The channels whose handle is in `before` and no longer in `after`. */
export function removedChannels(before: ListingState['listing'], after: Listing | null): Channel[] {
  if (before === null) return []
  if (before === 'unreadable') return [...Channel.options]
  return Channel.options.filter(
    (channel) => before.channels[channel] !== undefined && before.channels[channel] !== after?.channels[channel],
  )
}

/**
 * Writes a listing (null deletes it), the change that the republish will find, and, where a handle went, the removal
 * that every instance honours until then. `revision` is above every earlier one of the agent.
 */
export function writeListing(
  transaction: Transaction,
  { agentId, room, listing: before, change, removal }: ListingState,
  after: Listing | null,
  revision: number,
  { unlinked = false }: { unlinked?: boolean } = {},
): void {
  if (after !== null) transaction.set(paths.listing(room, agentId), after)
  else if (before !== null) transaction.delete(paths.listing(room, agentId))

  const areas = new Set(change?.areas)
  if (before !== null && before !== 'unreadable') areas.add(before.profile.area)
  if (after !== null) areas.add(after.profile.area)
  if (after !== null || before !== null || change !== null || unlinked) {
    transaction.set(paths.change(agentId), {
      room,
      revision,
      areas: [...areas].sort(),
      unlinked: unlinked || (change?.unlinked ?? false),
    } satisfies Change)
  }

  const removed = removedChannels(before, after)
  if (removed.length > 0) {
    const channels = Channel.options.filter(
      (channel) => removed.includes(channel) || removal?.channels.includes(channel),
    )
    transaction.set(paths.removal(agentId), { room, revision, channels } satisfies Removal)
  }
}

/** The account after a change of the listing to `after`. */
export function nextAccount(account: Account, after: Listing | null, now: Date): Account {
  return {
    ...account,
    revision: account.revision + 1,
    unlistedSinceMs: after !== null ? null : (account.unlistedSinceMs ?? utcDay(now)),
  }
}

/** The beginning of the UTC day, in milliseconds since the epoch. */
export function utcDay(now: Date): number {
  return Math.floor(now.getTime() / day) * day
}
