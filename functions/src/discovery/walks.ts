import { areaLengths, cellOf, centreOf, distanceKm, edgeDistanceKm, geohashAlphabet, type Cell } from '@koko/contract'
import TinyQueue from 'tinyqueue'
import * as z from 'zod'
import type { Entry } from '../documents.ts'
import { countFirst, entryKey, keyOf, shardAt, type ShardInfo } from './shards.ts'

/** Reads a shard's entries in key order; null if the view is out of date. */
export type ReadShard = (shard: ShardInfo) => Promise<readonly Entry[] | null>

interface Placed<Position> {
  entry: Entry
  position: Position
}

/**
 * A walk yields entries in parts, because awaiting every entry would be most of the work of a page. It yields null and
 * ends if the view is out of date.
 */
export type Walk<Position> = AsyncGenerator<Iterable<Placed<Position>> | null>

/** A position in a round from the key `start` to the end, and from the beginning to `start`: behind the key `after`. */
export const RoundPosition = z.strictObject({ start: z.string(), after: z.string().nullable() })
export type RoundPosition = z.infer<typeof RoundPosition>

/** Every entry once, in a round from `start`. */
export async function* walkRound(
  shards: readonly ShardInfo[],
  read: ReadShard,
  { start, after }: RoundPosition,
): Walk<RoundPosition> {
  const isWrapped = after !== null && after < start
  const from = (key: string) => shards.slice(Math.max(0, shardAt(shards, key)))
  const rounds = [
    {
      shards: isWrapped ? [] : from(after ?? start),
      isBehind: (key: string) => (after === null ? key < start : key <= after),
      isBeyond: () => false,
    },
    {
      shards: (isWrapped ? from(after) : shards).filter((shard) => shard.start < start),
      isBehind: (key: string) => isWrapped && key <= after,
      isBeyond: (key: string) => key >= start,
    },
  ]
  for (const { shards: ofRound, isBehind, isBeyond } of rounds) {
    for (const shard of ofRound) {
      const entries = await read(shard)
      if (entries === null) {
        yield null
        return
      }
      yield placeAhead(entries, start, isBehind, isBeyond)
    }
  }
}

/** The entries of a shard from the first that is not behind, up to the first that is beyond. */
function* placeAhead(
  entries: readonly Entry[],
  start: string,
  isBehind: (key: string) => boolean,
  isBeyond: (key: string) => boolean,
): Generator<Placed<RoundPosition>> {
  for (const entry of entries.slice(countFirst(entries, (each) => isBehind(entryKey(each))))) {
    const key = entryKey(entry)
    if (isBeyond(key)) return
    yield { entry, position: { start, after: key } }
  }
}

/** The start of a round at this fraction of all entries; null if the view is out of date. */
export async function startOfRound(
  shards: readonly ShardInfo[],
  read: ReadShard,
  fraction: number,
): Promise<RoundPosition | null> {
  let skip = Math.floor(fraction * shards.reduce((sum, { agents }) => sum + agents, 0))
  for (const shard of shards) {
    if (skip >= shard.agents) {
      skip -= shard.agents
      continue
    }
    const entries = await read(shard)
    if (entries === null) return null
    // The manifest counts entries that do not parse.
    const entry = entries[Math.min(skip, entries.length - 1)]
    return { start: entry === undefined ? shard.start : entryKey(entry), after: null }
  }
  return { start: '', after: null }
}

/** A position in a walk by distance: behind this agent, among those of cells whose centres are at this distance. */
export const NearPosition = z.strictObject({ metres: z.int(), agentId: z.string() })
export type NearPosition = z.infer<typeof NearPosition>

/**
 * The entries of cells whose nearest edge is at most `withinKm` from the centre of `near`, by the distance of the
 * cells' centres in whole metres, then by agent. Reads only shards that can hold such cells, nearest first.
 */
export async function* walkNear(
  shards: readonly ShardInfo[],
  read: ReadShard,
  near: string,
  withinKm: number,
  after: NearPosition | null,
): Walk<NearPosition> {
  const from = centreOf(cellOf(near))
  const queue = new TinyQueue<Step>([{ order: 0, item: { prefix: '', isExact: false } }], (a, b) => a.order - b.order)

  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const { item } = next
    if ('prefix' in item) {
      const opened = await open(item)
      if (opened === null) {
        yield null
        return
      }
      continue
    }
    // Regions come before cells of the same distance, so that by now every cell of this distance is in the queue.
    const tied = [...item.entries]
    while (queue.peek()?.order === next.order) {
      const other = queue.pop()?.item
      if (other !== undefined && 'entries' in other) tied.push(...other.entries)
    }
    const { metres } = item
    tied.sort((a, b) => (a.listing.agentId < b.listing.agentId ? -1 : 1))
    const isAhead = ({ listing: { agentId } }: Entry) =>
      after === null || metres > after.metres || (metres === after.metres && agentId > after.agentId)
    yield tied.filter(isAhead).map((entry) => ({ entry, position: { metres, agentId: entry.listing.agentId } }))
  }

  /** Queues what a region holds: its cells if one shard holds them all, otherwise its 32 parts and its own cell. */
  async function open({ prefix, isExact }: Region): Promise<true | null> {
    const first = Math.max(0, shardAt(shards, isExact ? keyOf(prefix, '') : prefix))
    const last = shardAt(shards, isExact ? keyOf(prefix, endOfKeys) : prefix + endOfKeys)
    if (first < last && !isExact && prefix.length < areaLengths.max) {
      if (prefix !== '') enqueue({ prefix, isExact: true })
      for (const character of geohashAlphabet) enqueue({ prefix: prefix + character, isExact: false })
      return true
    }
    for (const shard of shards.slice(first, last + 1)) {
      const entries = await read(shard)
      if (entries === null) return null
      for (const [area, ofArea] of byArea(entries)) {
        if (!(isExact ? area === prefix : area.startsWith(prefix))) continue
        const cell = cellOf(area)
        if (edgeDistanceKm(from, cell) > withinKm) continue
        const metres = Math.round(distanceKm(from, centreOf(cell)) * 1_000)
        // The walk has passed the whole cell.
        if (after === null || metres >= after.metres)
          queue.push({ order: metres + 0.5, item: { metres, entries: ofArea } })
      }
    }
    return true
  }

  function enqueue(region: Region): void {
    const cell = cellOf(region.prefix)
    const edge = edgeDistanceKm(from, cell)
    if (edge > withinKm) return
    if (after !== null && (edge + diameterKm(cell)) * 1_000 + 1 < after.metres) return
    queue.push({ order: Math.floor(edge * 1_000), item: region })
  }
}

/** Areas to visit: all that start with the prefix, or only the area that equals it. */
interface Region {
  prefix: string
  isExact: boolean
}

/** What the walk visits next: a region, or the entries of one cell. The smallest order is first. */
interface Step {
  order: number
  item: Region | { metres: number; entries: readonly Entry[] }
}

/** Sorts above every character of a key. */
const endOfKeys = '~'

/** An upper bound of the distance between two points of a cell. */
function diameterKm({ south, west, north, east }: Cell): number {
  const origin = { latitude: 0, longitude: 0 }
  const along = (degrees: number) => distanceKm(origin, { latitude: 0, longitude: Math.min(180, degrees) })
  return along(north - south) + along(east - west)
}

const areas = new WeakMap<readonly Entry[], Map<string, Entry[]>>()

/** The entries of a shard by area, grouped once for each cached shard. */
function byArea(entries: readonly Entry[]): Map<string, Entry[]> {
  const known = areas.get(entries)
  if (known !== undefined) return known
  const grouped = Map.groupBy(entries, ({ listing }) => listing.profile.area)
  areas.set(entries, grouped)
  return grouped
}
