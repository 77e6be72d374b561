import {
  defaultPageSize,
  DirectoryError,
  formatDuration,
  invalidArgument,
  isOnline,
  Listing,
  rooms,
  utcDay,
  type BatchGetInput,
  type BatchGetOutput,
  type DiscoverInput,
  type DiscoverOutput,
  type RoomName,
} from '@koko/contract'
import * as z from 'zod'
import { budgetLeft, budgetSpent, chargeBudget } from './budgets.ts'
import { visibleListing, type DiscoveryView, type View } from './view.ts'
import { Account, paths, readDocument } from '../documents.ts'
import { discoverDeadlineMs, minPrepaidPageSize, pagesPerCharge, pageTokenLifetimeMs, viewMaxAgeMs } from '../limits.ts'
import { OutcomeUnknown, within, type Fields, type Ports, type Reader } from '../ports.ts'
import { assertMayCall, ownerOf, ownerPaths, unauthenticated, type Owner, type Session } from '../sessions.ts'
import type { ShardInfo } from './shards.ts'
import { NearPosition, RoundPosition, startOfRound, walkNear, walkRound, type ReadShard, type Walk } from './walks.ts'

type Position = RoundPosition | NearPosition

/**
 * Where a walk continues. The walk skips agents that got their place after `revision`, the manifest's when it began,
 * because it may have passed them at their former place.
 */
const PageToken = z.strictObject({
  place: z.union([RoundPosition, NearPosition]),
  revision: z.int(),
  expiresAtMs: z.int(),
})
type PageToken = z.infer<typeof PageToken>

/** A page is tried again if shards are rewritten while it is read, or its view gets too old. */
const maxAttempts = 5

/**
 * One page of the room's agents that are online: nearest first, or in an order that depends on caller and day. A page
 * also pays for some of the pages after it, so that those cost no write. Every page first checks that the caller is still
 * a peer, because tokens of a removed agent stay valid for up to an hour, and that it may have a page. A request that is
 * refused reads no shard.
 */
export async function discover(
  ports: Ports,
  view: DiscoveryView,
  session: Session,
  room: RoomName,
  { pageSize = defaultPageSize, pageToken, near, withinKm = Infinity }: DiscoverInput,
  now: Date,
): Promise<DiscoverOutput> {
  assertMayCall(session, 'agent', now)
  const purpose = `page of ${session.agentId} in ${room} near ${near ?? 'anywhere'} within ${withinKm}`
  const resumed = pageToken === undefined ? null : openPageToken(ports, purpose, pageToken, now)
  const fraction = ports.vault.fraction('walk', `${session.agentId} ${utcDay(now.getTime())}`)
  const onlineSinceMs = now.getTime() - rooms[room].onlineWindowMs

  view.pages.assertLeft(session.agentId)
  const endsAtMs = ports.monotonicMs() + discoverDeadlineMs
  const hasTime = () => ports.monotonicMs() < endsAtMs
  let isCharging = false

  async function findPage(): Promise<DiscoverOutput> {
    let paid = view.prepaid.take(session.agentId, now)
    try {
      const owner = await requirePeer(ports.store, session, room, now, () => view.pages.count(session.agentId))
      if (paid === 0 && budgetLeft(owner, 'discovered', now) <= 0) throw budgetSpent(now)
      await view.assignNumbers(room, now)
      for (let attempt = 0; attempt < maxAttempts && hasTime(); attempt += 1) {
        const current = await view.current(room, resumed?.revision)
        if (resumed !== null && current.manifest.revision < resumed.revision) continue
        const revision = resumed?.revision ?? current.manifest.revision
        const read: ReadShard = async (shard) => (hasTime() ? view.entries(room, current, shard) : null)
        const shards = current.manifest.shards.filter(({ newestSeenAtMs }) => (newestSeenAtMs ?? 0) >= onlineSinceMs)
        const walk = await beginWalk(shards, read, resumed?.place ?? null, near, withinKm, fraction)
        // A page that is already paid for collects no listings to prepay.
        const size = pageSize < minPrepaidPageSize || paid >= pageSize ? pageSize : pageSize * pagesPerCharge
        const page = walk === null ? null : await collect(walk, current, revision, size, session, now)
        if (page === null || !hasTime()) continue
        isCharging = true
        paid = await charge(ports, session, owner, page.found.length, pageSize, paid, now)
        isCharging = false
        if (!view.isFresh(current)) continue
        const served = page.found.slice(0, Math.min(pageSize, paid))
        paid -= served.length
        const last = served.at(-1)
        const hasMore = page.hasMore || served.length < page.found.length
        return {
          room,
          agents: served.map(({ listing }) => listing),
          nextPageToken:
            hasMore && last !== undefined
              ? sealPageToken(ports, purpose, { place: last.position, revision }, now)
              : null,
          asOfMs: now.getTime(),
        }
      }
    } finally {
      view.prepaid.put(session.agentId, paid, now)
    }
    throw notInTime()
  }

  return within(discoverDeadlineMs, findPage, () =>
    isCharging ? new OutcomeUnknown('Firestore did not confirm a charge.') : notInTime(),
  )
}

function notInTime(): DirectoryError {
  return new DirectoryError(
    'unavailable',
    'This page was not ready in time: the database is slow, or the room changed while it was read. Try again.',
  )
}

/** Listings of known agents, in the order asked; `missing` are those that are absent, offline or in another room. */
export async function batchGet(
  ports: Ports,
  session: Session,
  room: RoomName,
  { agentIds }: BatchGetInput,
  now: Date,
): Promise<BatchGetOutput> {
  assertMayCall(session, 'agent', now)
  await ports.store.transaction(async (transaction) => {
    const owner = await requirePeer(transaction, session, room, now)
    const left = budgetLeft(owner, 'fetched', now)
    if (left < agentIds.length) throw budgetSpent(now, left)
    chargeBudget(transaction, owner.account, session.agentId, 'fetched', agentIds.length, now)
  })
  const readAtMs = ports.monotonicMs()
  const stored = await ports.store.get(agentIds.map((agentId) => paths.listing(room, agentId)))
  if (ports.monotonicMs() - readAtMs > viewMaxAgeMs) {
    throw new DirectoryError('unavailable', 'The listings took too long to read. Try again.')
  }
  const agents = stored.map((fields) => onlineListing(fields, now))
  return { agents: agents.filter((each) => each !== null), missing: agentIds.filter((_, index) => !agents[index]) }
}

/** The listing in stored fields; null if it does not parse or its agent is offline. */
function onlineListing(fields: Fields | null | undefined, now: Date): Listing | null {
  const listing = Listing.safeParse(fields).data
  return listing !== undefined && isOnline(listing, now.getTime()) ? listing : null
}

/**
 * Only peers discover peers: the caller must be listed and online in the room. `count` is called once the session is known
 * to be the agent's, so that a session that has ended uses up nothing.
 */
async function requirePeer(
  reader: Reader,
  session: Session,
  room: RoomName,
  now: Date,
  count: () => void = () => undefined,
): Promise<Owner> {
  const [badge, account, fields] = await reader.get([...ownerPaths(session), paths.listing(room, session.agentId)])
  const owner = ownerOf(session, badge, account)
  if (owner === null) throw unauthenticated()
  count()
  const category: string = owner.badge.category
  if (category !== room) {
    throw new DirectoryError('permission-denied', 'This agent is in another room. It can discover only its own room.')
  }
  if (onlineListing(fields, now) === null) {
    throw new DirectoryError(
      'failed-precondition',
      'Only agents that are listed and online can discover others. Publish a profile, or send a heartbeat.',
    )
  }
  return owner
}

/**
 * Charges the budget of a peer for a page, as far as the budget goes. A charge also prepays listings found beyond the
 * page, with at most half of the rest. Returns how many listings are paid for.
 */
async function charge(
  { store }: Ports,
  session: Session,
  { badge }: Owner,
  found: number,
  pageSize: number,
  paid: number,
  now: Date,
): Promise<number> {
  const wanted = Math.min(found, pageSize)
  if (paid >= wanted) return paid
  return store.transaction(async (transaction) => {
    const account = await readDocument(transaction, paths.account(session.agentId), Account)
    // The agent may have been removed, or its secret changed, since it was found to be a peer.
    if (account?.generation !== session.generation) throw unauthenticated()
    const left = Math.max(0, budgetLeft({ badge, account }, 'discovered', now))
    if (paid + left === 0) throw budgetSpent(now)
    const due = Math.min(wanted - paid, left)
    const ahead = Math.min(found - wanted, Math.floor((left - due) / 2))
    chargeBudget(transaction, account, session.agentId, 'discovered', due + ahead, now)
    return paid + due + ahead
  })
}

/** A walk from its start or from a position; null if the view is out of date. */
async function beginWalk(
  shards: readonly ShardInfo[],
  read: ReadShard,
  position: Position | null,
  near: string | undefined,
  withinKm: number,
  fraction: number,
): Promise<Walk<Position> | null> {
  if (near !== undefined) {
    return walkNear(shards, read, near, withinKm, position !== null && 'metres' in position ? position : null)
  }
  const from = position !== null && 'start' in position ? position : await startOfRound(shards, read, fraction)
  return from === null ? null : walkRound(shards, read, from)
}

/** The listings of a page, and whether more follow; null if the view is out of date. */
async function collect(
  walk: Walk<Position>,
  { removals }: View,
  revision: number,
  size: number,
  session: Session,
  now: Date,
): Promise<{ found: { listing: Listing; position: Position }[]; hasMore: boolean } | null> {
  const found: { listing: Listing; position: Position }[] = []
  for await (const part of walk) {
    if (part === null) return null
    for (const { entry, position } of part) {
      if (entry.listing.agentId === session.agentId) continue
      if (entry.placedAt > revision || !isOnline(entry.listing, now.getTime())) continue
      const listing = visibleListing(entry, removals)
      if (listing === null) continue
      if (found.length === size) return { found, hasMore: true }
      found.push({ listing, position })
    }
  }
  return { found, hasMore: false }
}

function sealPageToken({ vault }: Ports, purpose: string, at: Omit<PageToken, 'expiresAtMs'>, now: Date): string {
  const token: PageToken = { ...at, expiresAtMs: now.getTime() + pageTokenLifetimeMs }
  return vault.seal(purpose, JSON.stringify(token))
}

function openPageToken({ vault }: Ports, purpose: string, pageToken: string, now: Date): PageToken {
  const opened = vault.open(purpose, pageToken)
  // Another version of this server may have issued the token, in another shape.
  const token = PageToken.safeParse(opened === null ? null : JSON.parse(opened))
  if (token.success && token.data.expiresAtMs > now.getTime()) return token.data
  throw invalidArgument([
    {
      path: 'pageToken',
      message: `must be the nextPageToken of the previous page, from the same caller and query, used within ${formatDuration(pageTokenLifetimeMs)}`,
    },
  ])
}
