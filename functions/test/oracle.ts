import { expect } from '@jest/globals'
import { gunzipSync } from 'node:zlib'
import * as z from 'zod'
import type { Fields } from '../src/ports.ts'
import type { World } from '../../testing/world.ts'

/** What discovery must hold and serve, computed from the documents alone, with none of the server's code. */

const onlineWindowMs = 60 * 3_600_000

const StoredListing = z.looseObject({
  agentId: z.string(),
  channels: z.record(z.string(), z.string()),
  profile: z.looseObject({ area: z.string() }),
  presence: z.looseObject({ lastSeenAtMs: z.number() }),
})
export type StoredListing = z.infer<typeof StoredListing>

const StoredManifest = z.object({
  revision: z.number(),
  shards: z.array(
    z.object({
      id: z.string(),
      start: z.string(),
      revision: z.number(),
      agents: z.number(),
      bytes: z.number(),
      oldestSeenAtMs: z.number().nullable(),
    }),
  ),
})

/** Every listing, by agent. */
export function storedListings({ store }: World): Map<string, StoredListing> {
  return new Map(
    [...store.all()]
      .filter(([path]) => path.startsWith('mcpDirectory/dating/agents/'))
      .map(([path, fields]) => [path.slice(path.lastIndexOf('/') + 1), StoredListing.parse(fields)]),
  )
}

export function isOnlineAt({ presence }: StoredListing, now: Date): boolean {
  return now.getTime() - presence.lastSeenAtMs <= onlineWindowMs
}

export function storedManifest({ store }: World) {
  return StoredManifest.parse(store.all().get('discovery/dating') ?? { revision: 0, shards: [] })
}

const earthKm = 6_371.0088

/** The rectangle of a geohash, in degrees. */
function boundsOf(area: string): { south: number; west: number; north: number; east: number } {
  const bits = area.split('').flatMap((character) => {
    const value = '0123456789bcdefghjkmnpqrstuvwxyz'.indexOf(character)
    return [16, 8, 4, 2, 1].map((bit) => (value & bit) > 0)
  })
  const bounds = { south: -90, west: -180, north: 90, east: 180 }
  bits.forEach((isUpper, index) => {
    const [low, high] = index % 2 === 0 ? (['west', 'east'] as const) : (['south', 'north'] as const)
    bounds[isUpper ? low : high] = (bounds[low] + bounds[high]) / 2
  })
  return bounds
}

/** The length of the great circle between two places. */
function kmBetween([latitude, longitude]: [number, number], [otherLatitude, otherLongitude]: [number, number]): number {
  const radians = Math.PI / 180
  const half = (degrees: number) => Math.sin((degrees * radians) / 2) ** 2
  const cosines = Math.cos(latitude * radians) * Math.cos(otherLatitude * radians)
  return 2 * earthKm * Math.asin(Math.sqrt(half(otherLatitude - latitude) + cosines * half(otherLongitude - longitude)))
}

interface Reach {
  metres: number
  edgeKm: number
}
const reaches = new Map<string, Reach>()

/** The distance from the middle of one area to another's middle, in metres, and approximately to its nearest edge, in km. */
export function reachOf(area: string, near: string): Reach {
  const pair = `${area} ${near}`
  const reach = reaches.get(pair) ?? measureReach(area, near)
  reaches.set(pair, reach)
  return reach
}

function measureReach(area: string, near: string): Reach {
  const middle = ({ south, west, north, east }: ReturnType<typeof boundsOf>): [number, number] => [
    (south + north) / 2,
    (west + east) / 2,
  ]
  const [from, bounds] = [middle(boundsOf(near)), boundsOf(area)]
  const steps = Array.from({ length: 41 }, (_, index) => index / 40)
  const places = steps.flatMap((up) =>
    steps.map((along): [number, number] => [
      bounds.south + up * (bounds.north - bounds.south),
      bounds.west + along * (bounds.east - bounds.west),
    ]),
  )
  return {
    metres: Math.round(kmBetween(from, middle(bounds)) * 1_000),
    edgeKm: Math.min(...places.map((place) => kmBetween(from, place))),
  }
}

/** The listings that a shard's document holds. */
export function shardListings(fields: Fields | undefined): StoredListing[] {
  if (!(fields?.entries instanceof Uint8Array)) throw new Error('a shard must hold bytes')
  const entries = z.array(z.looseObject({ listing: StoredListing }))
  return entries.parse(JSON.parse(gunzipSync(fields.entries).toString())).map(({ listing }) => listing)
}

/** All listings in the shards, by agent; throws if an agent is in them twice. */
export function servedListings(world: World): Map<string, StoredListing> {
  const documents = world.store.all()
  const served = new Map<string, StoredListing>()
  for (const { id } of storedManifest(world).shards) {
    for (const listing of shardListings(documents.get(`discovery/dating/shards/${id}`))) {
      if (served.has(listing.agentId)) throw new Error('an agent is in the shards twice')
      served.set(listing.agentId, listing)
    }
  }
  return served
}

/**
 * The shards are one sorted list, cut where the manifest says, without a gap, an orphan or a stale number, and no shard
 * is too large.
 */
export function expectShardsInOrder(world: World, limits: { shardAgents: number }): void {
  const documents = world.store.all()
  const { revision, shards } = storedManifest(world)
  const stored = [...documents.keys()].filter((path) => path.startsWith('discovery/dating/shards/'))
  expect(stored.sort()).toEqual(shards.map(({ id }) => `discovery/dating/shards/${id}`).sort())
  if (shards.length > 0) expect(shards[0]?.start).toBe('')
  shards.forEach((shard, index) => {
    const fields = documents.get(`discovery/dating/shards/${shard.id}`)
    const listings = shardListings(fields)
    const keys = listings.map(({ profile, agentId }) => `${profile.area}/${agentId}`)
    const end = shards[index + 1]?.start
    expect(keys).toEqual([...new Set(keys)].sort())
    expect(keys.every((key) => key >= shard.start && (end === undefined || key < end))).toBe(true)
    if (end !== undefined) expect(shard.start < end).toBe(true)
    expect(shard).toMatchObject({
      revision: fields?.revision,
      agents: listings.length,
      bytes: (fields?.entries as Uint8Array).length,
      oldestSeenAtMs: listings.length === 0 ? null : Math.min(...listings.map((each) => each.presence.lastSeenAtMs)),
    })
    expect(shard.revision).toBeLessThanOrEqual(revision)
    expect(shard.agents).toBeLessThanOrEqual(limits.shardAgents)
  })
}

/** The shards hold what the listings say, nothing is owed, and every unlink says when it was done. */
export function expectConverged(world: World, limits: { shardAgents: number }): void {
  const documents = world.store.all()
  expectShardsInOrder(world, limits)
  const online = new Map([...storedListings(world)].filter(([, listing]) => isOnlineAt(listing, world.clock.now())))
  const served = servedListings(world)
  expect(sorted(served)).toEqual(sorted(online))
  expect([...documents.keys()].filter((path) => /^(changes|removals)\//.test(path))).toEqual([])
  for (const [path, fields] of documents) {
    if (!path.startsWith('unlinks/')) continue
    for (const unlink of Object.values(fields)) {
      const { unlinkedAtMs, goneAtMs } = z.object({ unlinkedAtMs: z.number(), goneAtMs: z.number() }).parse(unlink)
      expect(goneAtMs).toBeGreaterThanOrEqual(unlinkedAtMs)
    }
  }
}

export function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1))
}
