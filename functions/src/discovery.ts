import {
  DirectoryError,
  invalidArgument,
  isOnline,
  Listing,
  RoomName,
  type BatchGetInput,
  type BatchGetOutput,
  type DiscoverInput,
  type DiscoverOutput,
} from '@koko/contract'
import * as z from 'zod'
import { budgetLeft, budgetSpent, chargeBudget } from './budgets.ts'
import { visibleListing, type DiscoveryView, type View } from './discovery-view.ts'
import { paths } from './documents.ts'
import { defaultPageSize, pageTokenLifetimeMs } from './limits.ts'
import { utcDay } from './listing-change.ts'
import type { Ports, Reader } from './ports.ts'
import { assertMayCall, requireOwner, type Owner, type Session } from './sessions.ts'
import { entryKey, keyOf, shardAt } from './shards.ts'

/**
 * A place in a walk: from the key `start` round to it again, behind `after`. The walk sees agents where they were at the
 * manifest's `revision` when it began: one that has moved since could come twice.
 */
const Position = z.strictObject({ start: z.string(), after: z.string(), revision: z.int(), expiresAtMs: z.int() })
type Walk = Pick<z.infer<typeof Position>, 'start' | 'revision'> & { after: string | null }

/** How often a page is begun anew because shards were rewritten under it, or its view grew old. */
const attempts = 5

/** One page of the room's agents that are online, in an order that begins elsewhere for each caller and day. */
export async function discover(
  ports: Ports,
  view: DiscoveryView,
  session: Session,
  roomName: string,
  { pageSize = defaultPageSize, pageToken, near }: DiscoverInput,
  now: Date,
): Promise<DiscoverOutput> {
  const room = roomOf(roomName)
  if (near !== undefined) throw invalidArgument([{ path: 'near', message: 'is not served by this version' }])
  const purpose = `page of ${session.agentId} in ${room}`
  const resumed = pageToken === undefined ? null : openPosition(ports, purpose, pageToken, now)
  const owner = await requirePeer(ports.store, session, room, now)
  if (budgetLeft(owner, 'discovered', now) <= 0) throw budgetSpent(now)

  let granted = 0
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const current = await view.current(room, resumed?.revision)
    if (resumed !== null && current.manifest.revision < resumed.revision) continue
    const walk = resumed ?? (await beginWalk(ports, view, current, session, room, now))
    const page = walk === null ? null : await collect(view, current, room, walk, pageSize, session, now)
    if (walk === null || page === null) continue
    if (page.listings.length > granted) granted = await reserve(ports, session, page.listings.length, granted, now)
    if (!view.isFresh(current)) continue
    const agents = page.listings.slice(0, granted)
    const last = agents.at(-1)
    const hasMore = page.hasMore || agents.length < page.listings.length
    return {
      room,
      agents,
      nextPageToken: hasMore && last !== undefined ? sealPosition(ports, purpose, walk, listingKey(last), now) : null,
      asOfMs: now.getTime(),
    }
  }
  throw new DirectoryError('unavailable', 'Discovery is being rewritten. Try again.')
}

/** Listings of agents already known, in the order asked; `missing` are absent, offline or of another room. */
export async function batchGet(
  ports: Ports,
  session: Session,
  roomName: string,
  { agentIds }: BatchGetInput,
  now: Date,
): Promise<BatchGetOutput> {
  const room = roomOf(roomName)
  await requirePeer(ports.store, session, room, now)
  await ports.store.transaction(async (transaction) => {
    const owner = await requireOwner(transaction, session)
    if (budgetLeft(owner, 'fetched', now) < agentIds.length) throw budgetSpent(now)
    chargeBudget(transaction, owner.account, session.agentId, 'fetched', agentIds.length, now)
  })
  const stored = await ports.store.get(agentIds.map((agentId) => paths.listing(room, agentId)))
  const agents: Listing[] = []
  const missing: string[] = []
  agentIds.forEach((agentId, index) => {
    // A listing that cannot be read is not served.
    const listing = Listing.safeParse(stored[index])
    if (listing.success && isOnline(listing.data, now.getTime())) agents.push(listing.data)
    else missing.push(agentId)
  })
  return { agents, missing }
}

function roomOf(name: string): RoomName {
  const room = RoomName.safeParse(name)
  if (room.success) return room.data
  throw new DirectoryError('not-found', `There is no such room. Rooms are ${RoomName.options.join(', ')}.`)
}

/** Who looks can be seen: the caller must be listed and online in the room itself. */
async function requirePeer(reader: Reader, session: Session, room: RoomName, now: Date): Promise<Owner> {
  assertMayCall(session, 'agent', now)
  const owner = await requireOwner(reader, session)
  const category: string = owner.badge.category
  if (category !== room) {
    throw new DirectoryError('permission-denied', "This agent is of another room; it sees its own room's agents only.")
  }
  const [fields] = await reader.get([paths.listing(room, session.agentId)])
  const listing = Listing.safeParse(fields)
  if (!listing.success || !isOnline(listing.data, now.getTime())) {
    throw new DirectoryError(
      'failed-precondition',
      'Only agents that are listed and online discover others: publish a profile, or send a heartbeat.',
    )
  }
  return owner
}

/** Takes up to `count` listings from the budget, of which `granted` are taken already, and says how many are now. */
async function reserve({ store }: Ports, session: Session, count: number, granted: number, now: Date): Promise<number> {
  return store.transaction(async (transaction) => {
    const owner = await requireOwner(transaction, session)
    const more = Math.max(0, Math.min(count - granted, budgetLeft(owner, 'discovered', now)))
    if (granted + more === 0) throw budgetSpent(now)
    if (more > 0) chargeBudget(transaction, owner.account, session.agentId, 'discovered', more, now)
    return granted + more
  })
}

/** Where today's walk of this caller begins; null where the view is out of date. */
async function beginWalk(
  { vault }: Ports,
  view: DiscoveryView,
  { manifest }: View,
  session: Session,
  room: RoomName,
  now: Date,
): Promise<Walk | null> {
  const total = manifest.shards.reduce((sum, { agents }) => sum + agents, 0)
  let skip = Math.floor(vault.fraction('walk', `${session.agentId} ${utcDay(now)}`) * total)
  for (const shard of manifest.shards) {
    if (skip >= shard.agents) {
      skip -= shard.agents
      continue
    }
    const entries = await view.entries(room, shard)
    const entry = entries?.[skip]
    return entry === undefined ? null : { start: entryKey(entry), after: null, revision: manifest.revision }
  }
  return { start: '', after: null, revision: manifest.revision }
}

/** The next page of a walk, and whether anything comes after it; null where the view is out of date. */
async function collect(
  view: DiscoveryView,
  { manifest, removals }: View,
  room: RoomName,
  { start, after, revision }: Walk,
  pageSize: number,
  session: Session,
  now: Date,
): Promise<{ listings: Listing[]; hasMore: boolean } | null> {
  const wrapped = after !== null && after < start
  const firstRound = wrapped ? [] : manifest.shards.slice(Math.max(0, shardAt(manifest.shards, after ?? start)))
  const secondRound = manifest.shards.slice(
    wrapped ? Math.max(0, shardAt(manifest.shards, after)) : 0,
    shardAt(manifest.shards, start) + 1,
  )
  const rounds = [
    { shards: firstRound, isAhead: (key: string) => (after === null ? key >= start : key > after) },
    { shards: secondRound, isAhead: (key: string) => key < start && (!wrapped || key > after) },
  ]
  const listings: Listing[] = []
  for (const { shards, isAhead } of rounds) {
    for (const shard of shards) {
      const entries = await view.entries(room, shard)
      if (entries === null) return null
      for (const entry of entries) {
        if (!isAhead(entryKey(entry)) || entry.listing.agentId === session.agentId) continue
        if (entry.placedAt > revision || !isOnline(entry.listing, now.getTime())) continue
        const listing = visibleListing(entry, removals)
        if (listing === null) continue
        if (listings.length === pageSize) return { listings, hasMore: true }
        listings.push(listing)
      }
    }
  }
  return { listings, hasMore: false }
}

function listingKey({ profile, agentId }: Listing): string {
  return keyOf(profile.area, agentId)
}

function sealPosition({ vault }: Ports, purpose: string, { start, revision }: Walk, after: string, now: Date): string {
  const expiresAtMs = now.getTime() + pageTokenLifetimeMs
  const position: z.infer<typeof Position> = { start, after, revision, expiresAtMs }
  return vault.seal(purpose, JSON.stringify(position))
}

function openPosition({ vault }: Ports, purpose: string, pageToken: string, now: Date): Walk {
  const opened = vault.open(purpose, pageToken)
  // A token of another version of this server has another shape.
  const position = Position.safeParse(opened === null ? null : JSON.parse(opened))
  if (position.success && position.data.expiresAtMs > now.getTime()) return position.data
  throw invalidArgument([
    {
      path: 'pageToken',
      message: 'must be the nextPageToken of the page before, from the same caller and query, used within 10 minutes',
    },
  ])
}
