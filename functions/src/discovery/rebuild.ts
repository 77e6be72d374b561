import { isOnline, Listing, type RoomName } from '@koko/contract'
import { Account, paths, type Entry, type Manifest, type Shard } from '../documents.ts'
import { minute, shardIdsAtOnce, shardsCheckedPerRun, type RepublishLimits } from '../limits.ts'
import type { Ports, Stored, Stretch, Transaction } from '../ports.ts'
import {
  entriesOf,
  entryKey,
  infoOf,
  keyOf,
  lostStretch,
  manifestOf,
  packStretch,
  startAbove,
  type ShardInfo,
} from './shards.ts'

/**
 * The ids of shards whose documents are not what the manifest says, as far as it can be told at little cost: a count
 * shows that one is missing, and some are read at each run, in turn. Writes a manifest where there is none that can be
 * read, and deletes the shards that it does not name.
 */
export async function findBroken({ store, codec }: Ports, room: RoomName, now: Date): Promise<Set<string>> {
  const path = paths.manifest(room)
  const [fields] = await store.get([path])
  const manifest = manifestOf(fields, now)
  if (manifest.shards[0]?.isLost === true && manifest.shards.length === 1) {
    await store.transaction(async (transaction) => {
      const [again] = await transaction.get([path])
      transaction.set(path, manifestOf(again, now))
    })
  }
  const shards = manifest.shards.filter(({ isLost }) => isLost !== true)
  const broken = new Set<string>()
  if ((await store.count(paths.shards(room))) !== shards.length) {
    const stored = await shardIds({ store }, room)
    for (const { id } of shards) if (!stored.has(id)) broken.add(id)
    await deleteUnnamed(
      { store },
      room,
      [...stored].filter((id) => shards.every((shard) => shard.id !== id)),
      now,
    )
  }
  const turn = Math.floor(now.getTime() / minute) * shardsCheckedPerRun
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

async function shardIds({ store }: Pick<Ports, 'store'>, room: RoomName): Promise<Set<string>> {
  const ids = new Set<string>()
  let afterId: string | undefined
  for (;;) {
    const after = afterId === undefined ? {} : { afterId }
    const page = await store.query({ collection: paths.shards(room), idsOnly: true, limit: shardIdsAtOnce, ...after })
    for (const document of page) ids.add(idOf(document))
    const last = page.at(-1)
    if (last === undefined) return ids
    afterId = idOf(last)
  }
}

/** Shards hold handles: what is left over of them must not stay. */
async function deleteUnnamed(
  { store }: Pick<Ports, 'store'>,
  room: RoomName,
  ids: readonly string[],
  now: Date,
): Promise<void> {
  if (ids.length === 0) return
  await store.transaction(async (transaction) => {
    const [fields] = await transaction.get([paths.manifest(room)])
    const named = new Set(manifestOf(fields, now).shards.map(({ id }) => id))
    for (const id of ids) if (!named.has(id)) transaction.delete(paths.shard(room, id))
  })
}

/**
 * Writes the next shard of a lost stretch from the listings, and leaves the rest of it lost; null where nothing is lost.
 *
 * The query is outside the transaction, so that what it says may be old: it only names candidates, whose listings and
 * changes are then read inside. Whoever it missed was published after it, and has a change yet to be applied, or one
 * that was applied since: into a lost stretch that writes the manifest, on which this transaction then fails. Who has a
 * change to come is left to it, which alone knows where an entry has to go again.
 */
export async function rebuildStep(
  { store, codec }: Ports,
  transaction: Transaction,
  room: RoomName,
  now: Date,
  limits: RepublishLimits,
): Promise<number | null> {
  const [fields] = await transaction.get([paths.manifest(room)])
  const manifest = manifestOf(fields, now)
  const at = manifest.shards.findIndex(({ isLost }) => isLost === true)
  const lost = manifest.shards[at]
  if (lost === undefined) return null
  const end = manifest.shards[at + 1]?.start
  const found = await store.query({
    collection: paths.listings(room),
    between: {
      field: 'profile.area',
      from: placeOf(lost.start),
      to: end === undefined ? null : placeOf(end),
    },
    limit: limits.shardAgents + 1,
  })
  const candidates = found.slice(0, limits.shardAgents)
  const ids = candidates.map(idOf)
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
      // Whether an agent was elsewhere in the shards before is not known: no walk that is under way sees it here.
      return [{ revision: account.data?.revision ?? 0, placedAt: revision, listing: listing.data }]
    })
    .filter((entry) => {
      const key = entryKey(entry)
      return isOnline(entry.listing, now.getTime()) && key >= lost.start && (until === undefined || key < until)
    })
    .sort((a, b) => (entryKey(a) < entryKey(b) ? -1 : 1))
  const packed = packStretch(codec, lost.start, entries, limits)
  const infos = packed.map((shard, index): ShardInfo => {
    const info = infoOf(shard, index === 0 ? lost.id : `${revision}-${index}`, revision)
    transaction.set(paths.shard(room, info.id), { revision, entries: shard.bytes } satisfies Shard)
    return info
  })
  if (nextStart !== undefined) infos.push(lostStretch(`${revision}-rest`, nextStart, revision))
  const shards = manifest.shards.toSpliced(at, 1, ...infos)
  transaction.set(paths.manifest(room), { revision, shards } satisfies Manifest)
  return packed.length
}

/** Where a key is among the listings, which are by area, then by id. */
function placeOf(key: string): Stretch['from'] {
  const [text = '', id = ''] = key.split('/', 2)
  return { text, id }
}

function placeKey({ path, fields }: Stored): string {
  const profile = fields.profile as { area: string }
  return keyOf(profile.area, idOf({ path }))
}

function idOf({ path }: Pick<Stored, 'path'>): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
