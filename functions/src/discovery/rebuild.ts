import { isOnline, Listing, minuteMs, type RoomName } from '@koko/contract'
import * as z from 'zod'
import { Account, DamagedShard, idOf, pagesOf, paths, type Entry, type Manifest, type Shard } from '../documents.ts'
import { shardIdsPerQuery, shardsCheckedPerRun, type RepublishLimits } from '../limits.ts'
import type { Ports, Store, Stored, TextRange, Transaction } from '../ports.ts'
import {
  entriesOf,
  entryKey,
  infoOf,
  keyOf,
  lostShard,
  manifestOf,
  packShards,
  readManifest,
  startAbove,
  type ShardInfo,
} from './shards.ts'

/**
 * Marks as lost every shard whose document is not what the manifest says, as far as few reads find them, a few in a step.
 * First those that an instance has reported; then a count shows that one is missing, and each run reads some in turn.
 * Writes the manifest if it is missing or damaged, and deletes shards that it does not name.
 */
export async function* loseBroken(
  ports: Ports,
  room: RoomName,
  reports: readonly Stored[],
  now: Date,
): AsyncGenerator<void> {
  const { store, codec } = ports
  for (const some of chunksOf(reports)) {
    const ids = some.map(({ fields }) => DamagedShard.parse(fields).shardId)
    const reported = some.map(({ path }) => path)
    await loseShards(ports, room, ids, reported)
    yield
  }

  const manifest = await readManifest(store, room, now)
  if (manifest.shards[0]?.isLost === true && manifest.shards.length === 1) {
    await store.transaction(async (transaction) => {
      const [fields] = await transaction.get([paths.manifest(room)])
      transaction.set(paths.manifest(room), manifestOf(fields, transaction.readTime()))
    })
  }
  const shards = manifest.shards.filter(({ isLost }) => isLost !== true)
  if ((await store.count(paths.shards(room))) !== shards.length) {
    const stored = new Set<string>()
    const query = { collection: paths.shards(room), idsOnly: true, limit: shardIdsPerQuery }
    for await (const page of pagesOf(store, query)) for (const { path } of page) stored.add(idOf(path))
    const missing = shards.flatMap(({ id }) => (stored.has(id) ? [] : [id]))
    for (const some of chunksOf(missing)) {
      await loseShards(ports, room, some)
      yield
    }
    for (const { id } of shards) stored.delete(id)
    await deleteUnnamed(store, room, stored)
  }
  const turn = Math.floor(now.getTime() / minuteMs) * shardsCheckedPerRun
  const checked = new Set(
    Array.from({ length: Math.min(shards.length, shardsCheckedPerRun) }, (_, index) => (turn + index) % shards.length),
  )
  const due = shards.filter((_, index) => checked.has(index))
  const documents = await store.get(due.map(({ id }) => paths.shard(room, id)))
  const broken = due.filter((info, index) => entriesOf(codec, info, documents[index]) === null)
  if (broken.length > 0) {
    await loseShards(
      ports,
      room,
      broken.map(({ id }) => id),
    )
  }
}

/** In parts that one transaction can read. */
function* chunksOf<T>(all: readonly T[]): Generator<T[]> {
  for (let at = 0; at < all.length; at += shardsCheckedPerRun) yield all.slice(at, at + shardsCheckedPerRun)
}

/** Marks those of the shards as lost that cannot be read, and deletes the reports. */
async function loseShards(
  { store, codec }: Ports,
  room: RoomName,
  ids: readonly string[],
  reports: readonly string[] = [],
): Promise<void> {
  await store.transaction(async (transaction) => {
    const [fields] = await transaction.get([paths.manifest(room)])
    const manifest = manifestOf(fields, transaction.readTime())
    const suspects = manifest.shards.filter(({ id, isLost }) => isLost !== true && ids.includes(id))
    const stored = await transaction.get(suspects.map(({ id }) => paths.shard(room, id)))
    const broken = new Set(suspects.filter((info, index) => entriesOf(codec, info, stored[index]) === null))
    if (broken.size > 0) {
      const revision = manifest.revision + 1
      const shards = manifest.shards.map((info) => (broken.has(info) ? lostShard(info.id, info.start, revision) : info))
      transaction.set(paths.manifest(room), { revision, shards } satisfies Manifest)
      for (const { id } of broken) transaction.delete(paths.shard(room, id))
    }
    for (const path of reports) transaction.delete(path)
  })
}

/** Deletes those of the shards that no manifest names. They hold handles, so they must not stay. */
async function deleteUnnamed(store: Store, room: RoomName, ids: ReadonlySet<string>): Promise<void> {
  if (ids.size === 0) return
  await store.transaction(async (transaction) => {
    const [fields] = await transaction.get([paths.manifest(room)])
    const { shards } = manifestOf(fields, transaction.readTime())
    const named = new Set(shards.map(({ id }) => id))
    for (const id of ids) if (!named.has(id)) transaction.delete(paths.shard(room, id))
  })
}

/**
 * The first range to write again from the listings: one that is lost, or one that left out agents as offline at a time
 * that has not come yet. That time was wrong, and so may they be.
 */
export function findRebuild({ shards }: Manifest, now: Date): number {
  return shards.findIndex(({ isLost, leftOutAtMs = 0 }) => isLost === true || leftOutAtMs > now.getTime())
}

/**
 * Writes the next shards of a range from at most so many listings, and leaves the rest of the range lost. Returns how
 * many it wrote; null if there is no range to rebuild.
 *
 * The query runs outside the transaction and may be stale. It only names candidates, whose listings and changes are
 * then read inside. An agent that it missed was published after it. Its change is either pending, or was applied
 * since: in this range that writes the manifest, and this transaction fails. Agents with a pending change are left to
 * that change, which alone knows which entry to replace.
 */
export async function rebuildStep(
  { store, codec }: Ports,
  transaction: Transaction,
  room: RoomName,
  maxListings: number,
  limits: RepublishLimits,
): Promise<number | null> {
  const [fields] = await transaction.get([paths.manifest(room)])
  const manifest = manifestOf(fields, transaction.readTime())
  const at = findRebuild(manifest, transaction.readTime())
  const lost = manifest.shards[at]
  if (lost === undefined) return null
  const end = manifest.shards[at + 1]?.start
  const found = await store.query({
    collection: paths.listings(room),
    between: { field: 'profile.area', from: placeOf(lost.start), to: end === undefined ? null : placeOf(end) },
    limit: maxListings + 1,
  })
  const candidates = found.slice(0, maxListings)
  const ids = candidates.map(({ path }) => idOf(path))
  const stored = await transaction.get([
    ...ids.map((id) => paths.listing(room, id)),
    ...ids.map(paths.change),
    ...ids.map(paths.account),
  ])
  const now = transaction.readTime()
  const revision = manifest.revision + 1
  const [last, beyond] = [candidates.at(-1), found[maxListings]]
  const nextStart =
    last === undefined || beyond === undefined ? undefined : startAbove(placeKey(last), placeKey(beyond))
  const until = nextStart ?? end
  const listed = ids
    .flatMap((id, index): Entry[] => {
      const listing = Listing.safeParse(stored[index])
      const isChanging = stored[ids.length + index] !== null
      if (isChanging || !listing.success || listing.data.agentId !== id) return []
      const account = Account.safeParse(stored[2 * ids.length + index])
      // The agent may have had another key before, so walks that have begun do not see it here.
      return [{ revision: account.data?.revision ?? 0, placedAt: revision, listing: listing.data }]
    })
    .filter((entry) => {
      const key = entryKey(entry)
      return key >= lost.start && (until === undefined || key < until)
    })
    .sort((a, b) => (entryKey(a) < entryKey(b) ? -1 : 1))
  const online = listed.filter(({ listing }) => isOnline(listing, now.getTime()))
  const leftOutAtMs = online.length < listed.length ? now.getTime() : 0
  const packed = packShards(codec, lost.start, online, limits)
  const infos = packed.map((shard, index): ShardInfo => {
    const info = infoOf(shard, index === 0 ? lost.id : `${revision}-${index}`, revision, leftOutAtMs)
    transaction.set(paths.shard(room, info.id), { revision, entries: shard.bytes } satisfies Shard)
    return info
  })
  if (nextStart !== undefined) infos.push(lostShard(`${revision}-rest`, nextStart, revision))
  const shards = manifest.shards.toSpliced(at, 1, ...infos)
  transaction.set(paths.manifest(room), { revision, shards } satisfies Manifest)
  return packed.length
}

/** The place of a key in a query that sorts listings by area, then by id. */
function placeOf(key: string): TextRange['from'] {
  const [text = '', id = ''] = key.split('/', 2)
  return { text, id }
}

function placeKey({ path, fields }: Stored): string {
  const { profile } = z.object({ profile: z.object({ area: z.string() }) }).parse(fields)
  return keyOf(profile.area, idOf(path))
}
