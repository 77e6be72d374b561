import { isOnline, Listing, minuteMs, type RoomName } from '@koko/contract'
import * as z from 'zod'
import { Account, idOf, pagesOf, paths, type Entry, type Manifest, type Shard } from '../documents.ts'
import { shardIdsPerQuery, shardsCheckedPerRun, type RepublishLimits } from '../limits.ts'
import type { Ports, Store, Stored, TextRange, Transaction } from '../ports.ts'
import {
  entriesOf,
  entryKey,
  infoOf,
  keyOf,
  lostShard,
  packShards,
  readManifest,
  startAbove,
  type ShardInfo,
} from './shards.ts'

/**
 * The ids of shards whose documents are not what the manifest says, found with few reads: a count shows that one is
 * missing, and each run reads some in turn. Writes the manifest if it is missing or damaged, and deletes shards that it
 * does not name.
 */
export async function findBroken({ store, codec }: Ports, room: RoomName, now: Date): Promise<Set<string>> {
  const manifest = await readManifest(store, room, now)
  if (manifest.shards[0]?.isLost === true && manifest.shards.length === 1) {
    await store.transaction(async (transaction) => {
      transaction.set(paths.manifest(room), await readManifest(transaction, room, now))
    })
  }
  const shards = manifest.shards.filter(({ isLost }) => isLost !== true)
  const broken = new Set<string>()
  if ((await store.count(paths.shards(room))) !== shards.length) {
    const stored = new Set<string>()
    const query = { collection: paths.shards(room), idsOnly: true, limit: shardIdsPerQuery }
    for await (const page of pagesOf(store, query)) for (const { path } of page) stored.add(idOf(path))
    for (const { id } of shards) if (!stored.has(id)) broken.add(id)
    for (const { id } of shards) stored.delete(id)
    await deleteUnnamed(store, room, stored, now)
  }
  const turn = Math.floor(now.getTime() / minuteMs) * shardsCheckedPerRun
  const checked = new Set(
    Array.from({ length: Math.min(shards.length, shardsCheckedPerRun) }, (_, index) => (turn + index) % shards.length),
  )
  const due = shards.filter((_, index) => checked.has(index))
  const documents = await store.get(due.map(({ id }) => paths.shard(room, id)))
  due.forEach((info, index) => {
    if (entriesOf(codec, info, documents[index]) === null) broken.add(info.id)
  })
  return broken
}

/** Deletes those of the shards that no manifest names. They hold handles, so they must not stay. */
async function deleteUnnamed(store: Store, room: RoomName, ids: ReadonlySet<string>, now: Date): Promise<void> {
  if (ids.size === 0) return
  await store.transaction(async (transaction) => {
    const { shards } = await readManifest(transaction, room, now)
    const named = new Set(shards.map(({ id }) => id))
    for (const id of ids) if (!named.has(id)) transaction.delete(paths.shard(room, id))
  })
}

/**
 * Writes the next shards of a lost range from the listings, and leaves the rest of the range lost. Returns how many it
 * wrote; null if nothing is lost.
 *
 * The query runs outside the transaction and may be stale. It only names candidates, whose listings and changes are
 * then read inside. An agent that it missed was published after it. Its change is either pending, or was applied
 * since: in a lost range that writes the manifest, and this transaction fails. Agents with a pending change are left to
 * that change, which alone knows which entry to replace.
 */
export async function rebuildStep(
  { store, codec }: Ports,
  transaction: Transaction,
  room: RoomName,
  now: Date,
  limits: RepublishLimits,
): Promise<number | null> {
  const manifest = await readManifest(transaction, room, now)
  const at = manifest.shards.findIndex(({ isLost }) => isLost === true)
  const lost = manifest.shards[at]
  if (lost === undefined) return null
  const end = manifest.shards[at + 1]?.start
  const found = await store.query({
    collection: paths.listings(room),
    between: { field: 'profile.area', from: placeOf(lost.start), to: end === undefined ? null : placeOf(end) },
    limit: limits.shardAgents + 1,
  })
  const candidates = found.slice(0, limits.shardAgents)
  const ids = candidates.map(({ path }) => idOf(path))
  const stored = await transaction.get([
    ...ids.map((id) => paths.listing(room, id)),
    ...ids.map(paths.change),
    ...ids.map(paths.account),
  ])
  const revision = manifest.revision + 1
  const [last, beyond] = [candidates.at(-1), found[limits.shardAgents]]
  const nextStart =
    last === undefined || beyond === undefined ? undefined : startAbove(placeKey(last), placeKey(beyond))
  const until = nextStart ?? end
  const entries = ids
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
      return isOnline(entry.listing, now.getTime()) && key >= lost.start && (until === undefined || key < until)
    })
    .sort((a, b) => (entryKey(a) < entryKey(b) ? -1 : 1))
  const packed = packShards(codec, lost.start, entries, limits)
  const infos = packed.map((shard, index): ShardInfo => {
    const info = infoOf(shard, index === 0 ? lost.id : `${revision}-${index}`, revision)
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
