import { DirectoryError } from '@koko/contract'
import * as z from 'zod'
import { Entry, Manifest, Shard } from '../documents.ts'
import type { RepublishLimits } from '../limits.ts'
import type { Codec, Fields } from '../ports.ts'

/**
 * Discovery is one sorted list of entries, by key: the area, then the agent. A shard is a stretch of that list, so that
 * a crowded cell is split on by agent, and near cells are mostly in near shards (geohash is a Z-order curve).
 */
export function keyOf(area: string, agentId: string): string {
  return `${area}/${agentId}`
}

export function entryKey({ listing }: Entry): string {
  return keyOf(listing.profile.area, listing.agentId)
}

export type ShardInfo = Manifest['shards'][number]

/** How a stretch that was begun is described, once it is packed. */
export function infoOf({ start, entries, bytes }: PackedShard, id: string, revision: number): ShardInfo {
  return { id, start, revision, agents: entries.length, bytes: bytes.length, ...seenBetween(entries) }
}

/** What an instance knows of a room before its first republish. */
export const emptyManifest: Manifest = { revision: 0, shards: [] }

/** A stretch whose entries are yet to be taken from the listings; nobody is served from it. */
export function lostStretch(id: string, start: string, revision: number): ShardInfo {
  return { id, start, revision, agents: 0, bytes: 0, oldestSeenAtMs: null, newestSeenAtMs: null, isLost: true }
}

/**
 * The manifest as it is stored. Where there is none, or none that can be read, all of the room is lost; its revision is
 * then above every earlier one, so that nothing an instance has kept is taken for what is written next.
 */
export function manifestOf(fields: Fields | null | undefined, now: Date): Manifest {
  const stored = Manifest.safeParse(fields).data
  if (stored?.shards[0]?.start === '') return stored
  const revision = Math.max(stored?.revision ?? 0, now.getTime())
  return { revision, shards: [lostStretch(`${revision}-0`, '', revision)] }
}

/** The entries of a shard; null where its document is not the one that the manifest names, or cannot be read whole. */
export function entriesOf(codec: Codec, info: ShardInfo, fields: Fields | null | undefined): Entry[] | null {
  const shard = Shard.safeParse(fields).data
  if (shard?.revision !== info.revision || info.isLost === true) return null
  try {
    const entries = unpackEntries(codec, shard.entries)
    return entries.length === info.agents ? entries : null
  } catch {
    return null
  }
}

/** The index of the shard whose stretch holds the key; -1 where there are no shards. */
export function shardAt(shards: readonly ShardInfo[], key: string): number {
  let low = 0
  let high = shards.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((shards[middle]?.start ?? '') <= key) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** The entries of a stored shard. One that cannot be read is not served, and stands in nobody else's way. */
export function unpackEntries(codec: Codec, bytes: Uint8Array): Entry[] {
  let stored: unknown[]
  try {
    stored = z.array(z.unknown()).parse(JSON.parse(codec.unpack(bytes)))
  } catch (cause) {
    throw new DirectoryError('internal', 'A shard cannot be unpacked.', { cause })
  }
  const presences = new Map<string, Entry['listing']['presence']>()
  const lists = new Map<string, readonly unknown[]>()
  return stored.flatMap((each) => {
    // What comes from JSON is smaller in memory than zod's copy of it.
    const entry = isEntry(each) ? each : Entry.safeParse(each).data
    if (entry === undefined) return []
    const { listing } = entry
    listing.presence = shared(presences, listing.presence)
    for (const [name, value] of Object.entries(listing.profile)) {
      if (Array.isArray(value)) Object.assign(listing.profile, { [name]: shared(lists, value) })
    }
    return [entry]
  })
}

function isEntry(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && 'placedAt' in value && Entry.safeParse(value).success
}

/** The part that was met first of those that are alike: an instance keeps many listings, and they have few. */
function shared<T>(known: Map<string, T>, part: T): T {
  const key = JSON.stringify(part)
  const first = known.get(key) ?? part
  known.set(key, first)
  return first
}

export function packEntries(codec: Codec, entries: readonly Entry[]): Uint8Array {
  return codec.pack(JSON.stringify(entries))
}

/** A stretch to be written: its start, its entries in order, and their bytes. */
export interface PackedShard {
  start: string
  entries: readonly Entry[]
  bytes: Uint8Array
}

/** Packs one stretch, in halves where it holds too many agents or bytes. */
export function packStretch(
  codec: Codec,
  start: string,
  entries: readonly Entry[],
  limits: RepublishLimits,
): PackedShard[] {
  const bytes = packEntries(codec, entries)
  const before = entries[(entries.length >>> 1) - 1]
  const middle = entries[entries.length >>> 1]
  if ((entries.length <= limits.shardAgents && bytes.length <= limits.shardBytes) || !before || !middle) {
    return [{ start, entries, bytes }]
  }
  return [
    ...packStretch(codec, start, entries.slice(0, entries.length >>> 1), limits),
    ...packStretch(codec, startAbove(entryKey(before), entryKey(middle)), entries.slice(entries.length >>> 1), limits),
  ]
}

/** The shortest start of the key that is above the one before. A start outlives the agent it was cut at. */
export function startAbove(keyBefore: string, key: string): string {
  let length = 1
  while (keyBefore.startsWith(key.slice(0, length))) length += 1
  return key.slice(0, length)
}

/** When the entries that were seen longest ago and last were seen. */
export function seenBetween(entries: readonly Entry[]): Pick<ShardInfo, 'oldestSeenAtMs' | 'newestSeenAtMs'> {
  let [oldest, newest] = [Infinity, -Infinity]
  for (const { listing } of entries) {
    oldest = Math.min(oldest, listing.presence.lastSeenAtMs)
    newest = Math.max(newest, listing.presence.lastSeenAtMs)
  }
  return entries.length === 0
    ? { oldestSeenAtMs: null, newestSeenAtMs: null }
    : { oldestSeenAtMs: oldest, newestSeenAtMs: newest }
}

/** Neighbours that are worth merging: pairs, from the left, that together are small. */
export function planMerges(shards: readonly ShardInfo[], limits: RepublishLimits): [ShardInfo, ShardInfo][] {
  const pairs: [ShardInfo, ShardInfo][] = []
  for (let index = 0; index + 1 < shards.length; index += 1) {
    const left = shards[index]
    const right = shards[index + 1]
    if (left === undefined || right === undefined || left.isLost === true || right.isLost === true) continue
    if (left.agents + right.agents > limits.mergeAgents || left.bytes + right.bytes > limits.shardBytes / 2) continue
    pairs.push([left, right])
    index += 1
  }
  return pairs
}
