import { DirectoryError, type RoomName } from '@koko/contract'
import * as z from 'zod'
import { Entry, Manifest, paths, Shard } from '../documents.ts'
import type { RepublishLimits } from '../limits.ts'
import type { Codec, Fields, Reader } from '../ports.ts'

/**
 * Discovery is one list of entries, sorted by key: the area, then the agent. A shard is a range of that list. A crowded
 * cell is split by agent, and near cells are mostly in near shards (geohash is a Z-order curve).
 */
export function keyOf(area: string, agentId: string): string {
  return `${area}/${agentId}`
}

export function entryKey({ listing }: Entry): string {
  return keyOf(listing.profile.area, listing.agentId)
}

export type ShardInfo = Manifest['shards'][number]

export function infoOf(
  { start, entries, bytes }: PackedShard,
  id: string,
  revision: number,
  leftOutAtMs: number,
): ShardInfo {
  const info = { id, start, revision, agents: entries.length, bytes: bytes.length, ...seenRange(entries) }
  return leftOutAtMs === 0 ? info : { ...info, leftOutAtMs }
}

/** The manifest of a room before its first republish. */
export const emptyManifest: Manifest = { revision: 0, shards: [] }

/** A shard whose entries have yet to be rebuilt from the listings. No answer has entries from it. */
export function lostShard(id: string, start: string, revision: number): ShardInfo {
  return { id, start, revision, agents: 0, bytes: 0, oldestSeenAtMs: null, newestSeenAtMs: null, isLost: true }
}

export async function readManifest(reader: Reader, room: RoomName, now: Date): Promise<Manifest> {
  const [fields] = await reader.get([paths.manifest(room)])
  return manifestOf(fields, now)
}

/**
 * The stored manifest. If it is missing or damaged, the whole room is one lost shard, at a revision above every earlier
 * one, so that no instance mistakes a cached shard for a rebuilt one.
 */
export function manifestOf(fields: Fields | null | undefined, now: Date): Manifest {
  const stored = Manifest.safeParse(fields).data
  if (stored?.shards[0]?.start === '') return stored
  const revision = Math.max(stored?.revision ?? 0, now.getTime())
  return { revision, shards: [lostShard(`${revision}-0`, '', revision)] }
}

/** The entries of a shard; null if its document is missing, damaged, or at another revision than the manifest says. */
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

/** The index of the shard whose range holds the key; -1 if there are no shards. */
export function shardAt(shards: readonly ShardInfo[], key: string): number {
  return countFirst(shards, ({ start }) => start <= key) - 1
}

/** How many items pass, by binary search: all that pass come first. */
export function countFirst<T>(items: readonly T[], passes: (item: T) => boolean): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const item = items[middle]
    if (item !== undefined && passes(item)) low = middle + 1
    else high = middle
  }
  return low
}

/** The entries of a stored shard, without those that do not parse. */
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
    // The object from JSON.parse takes less memory than zod's copy.
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

/** The first of all equal parts. An instance keeps many listings with few distinct parts, so sharing saves memory. */
function shared<T>(known: Map<string, T>, part: T): T {
  const key = JSON.stringify(part)
  const first = known.get(key) ?? part
  known.set(key, first)
  return first
}

export function packEntries(codec: Codec, entries: readonly Entry[]): Uint8Array {
  return codec.pack(JSON.stringify(entries))
}

/** A shard to write: its start, its entries in order, and their bytes. */
export interface PackedShard {
  start: string
  entries: readonly Entry[]
  bytes: Uint8Array
}

/** Packs the entries of one range into a shard, or into several if it has too many agents or bytes. */
export function packShards(
  codec: Codec,
  start: string,
  entries: readonly Entry[],
  limits: RepublishLimits,
): PackedShard[] {
  const bytes = packEntries(codec, entries)
  const half = entries.length >>> 1
  const [before, middle] = [entries[half - 1], entries[half]]
  if ((entries.length <= limits.shardAgents && bytes.length <= limits.shardBytes) || !before || !middle) {
    return [{ start, entries, bytes }]
  }
  return [
    ...packShards(codec, start, entries.slice(0, half), limits),
    ...packShards(codec, startAbove(entryKey(before), entryKey(middle)), entries.slice(half), limits),
  ]
}

/** The shortest prefix of the key that sorts above the key before. It stays a start when the key's agent leaves. */
export function startAbove(keyBefore: string, key: string): string {
  let length = 1
  while (keyBefore.startsWith(key.slice(0, length))) length += 1
  return key.slice(0, length)
}

export function seenRange(entries: readonly Entry[]): Pick<ShardInfo, 'oldestSeenAtMs' | 'newestSeenAtMs'> {
  if (entries.length === 0) return { oldestSeenAtMs: null, newestSeenAtMs: null }
  const seenAtMs = entries.map(({ listing }) => listing.presence.lastSeenAtMs)
  return { oldestSeenAtMs: Math.min(...seenAtMs), newestSeenAtMs: Math.max(...seenAtMs) }
}
