import { cellOf, centreOf, distanceKm, edgeDistanceKm, geohashAlphabet } from '@koko/contract'
import { expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { profileIn } from '../../../testing/world.ts'
import type { Entry } from '../documents.ts'
import { entryKey, type ShardInfo } from './shards.ts'
import { walkNear, type NearPosition, type Walk } from './walks.ts'

const characters = geohashAlphabet.split('')
const area = fc.array(fc.constantFrom(...characters), { minLength: 2, maxLength: 4 }).map((picked) => picked.join(''))
/** Crowded cells, cells around the antimeridian and the poles, large cells, and random ones. */
const crowded = fc.oneof(
  area,
  fc.constantFrom(
    'gcpv',
    'gcpu',
    'gcp',
    'gc',
    '2j04',
    'rvzp',
    'xbpb',
    '8000',
    'bpbp',
    'zzzz',
    '0000',
    'pbpb',
    's000',
    '7zzz',
  ),
)

function entryOf(areaOfEntry: string, index: number): Entry {
  return {
    revision: 1,
    placedAt: 1,
    listing: {
      agentId: `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`,
      category: 'dating',
      channels: { telegram: 'somebody' },
      profile: profileIn(areaOfEntry),
      presence: { registeredAtMs: 0, publishedAtMs: 0, lastSeenAtMs: 0 },
    },
  }
}

/** Entries in shards of so many, and how often each shard was read. */
function shardsOf(entries: readonly Entry[], size: number) {
  const sorted = entries.toSorted((a, b) => (entryKey(a) < entryKey(b) ? -1 : 1))
  const stretches = Array.from({ length: Math.ceil(sorted.length / size) }, (_, index) =>
    sorted.slice(index * size, (index + 1) * size),
  )
  const shards = stretches.map((stretch, index): ShardInfo => {
    const [first] = stretch
    const start = index === 0 || first === undefined ? '' : entryKey(first)
    return {
      id: String(index),
      start,
      revision: 1,
      agents: stretch.length,
      bytes: 0,
      oldestSeenAtMs: 0,
      newestSeenAtMs: 0,
    }
  })
  const reads = new Map<string, number>()
  const read = (shard: ShardInfo) => {
    reads.set(shard.id, (reads.get(shard.id) ?? 0) + 1)
    return Promise.resolve(stretches[Number(shard.id)] ?? null)
  }
  return { shards, stretches, read, reads }
}

/** A walk entry by entry. */
async function* eachOf<Position>(walk: Walk<Position>) {
  for await (const stretch of walk) {
    if (stretch === null) yield null
    else yield* stretch
  }
}

/** What the contract says, computed entry by entry. */
function expected(entries: readonly Entry[], near: string, withinKm: number) {
  const from = centreOf(cellOf(near))
  return entries
    .filter(({ listing }) => edgeDistanceKm(from, cellOf(listing.profile.area)) <= withinKm)
    .map(({ listing }) => ({
      agentId: listing.agentId,
      metres: Math.round(distanceKm(from, centreOf(cellOf(listing.profile.area))) * 1_000),
    }))
    .sort((a, b) => a.metres - b.metres || (a.agentId < b.agentId ? -1 : 1))
}

const rooms = fc.record({
  areas: fc.array(crowded, { maxLength: 120 }),
  size: fc.integer({ min: 1, max: 40 }),
  near: crowded,
  withinKm: fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 300 }), fc.constant(Infinity)),
  pageSize: fc.integer({ min: 1, max: 30 }),
})

test('walks by distance and then by agent, page by page, only those within reach', async () => {
  await fc.assert(
    fc.asyncProperty(rooms, async ({ areas, size, near, withinKm, pageSize }) => {
      const entries = areas.map(entryOf)
      const { shards, read } = shardsOf(entries, size)
      const walked: NearPosition[] = []
      for (;;) {
        const before = walked.length
        for await (const placed of eachOf(walkNear(shards, read, near, withinKm, walked.at(-1) ?? null))) {
          if (placed !== null) walked.push(placed.position)
          if (walked.length === before + pageSize) break
        }
        if (walked.length === before) break
      }
      expect(walked).toEqual(expected(entries, near, withinKm))
    }),
    { numRuns: 300 },
  )
})

test('reads a shard only if a cell within reach can be in it', async () => {
  await fc.assert(
    fc.asyncProperty(rooms, async ({ areas, size, near, withinKm }) => {
      const { shards, stretches, read, reads } = shardsOf(areas.map(entryOf), size)
      const from = centreOf(cellOf(near))
      // A shard with one area, out of reach, need not be read.
      const useless = stretches.flatMap((stretch, index) => {
        const [first] = stretch
        const last = stretch.at(-1)
        const next = shards[index + 1]?.start
        const single = first?.listing.profile.area
        const isSingle =
          index > 0 && single === last?.listing.profile.area && single !== undefined && next?.startsWith(`${single}/`)
        return isSingle && edgeDistanceKm(from, cellOf(single)) > withinKm ? [String(index)] : []
      })
      for await (const placed of eachOf(walkNear(shards, read, near, withinKm, null))) expect(placed).not.toBeNull()
      expect(useless.filter((id) => reads.has(id))).toEqual([])
    }),
    { numRuns: 200 },
  )
})

test('reads only the nearest shard for the first of many', async () => {
  const areas = characters.flatMap((a) => characters.map((b) => `gc${a}${b}`))
  const { shards, read, reads } = shardsOf(areas.map(entryOf), 64)
  for await (const placed of eachOf(walkNear(shards, read, 'gcpv', Infinity, null))) {
    expect(placed?.entry.listing.profile.area).toBe('gcpv')
    break
  }
  expect(reads.size).toBeLessThanOrEqual(2)
})

test('ends with null if a shard is out of date', async () => {
  const { shards } = shardsOf([entryOf('gcpv', 1)], 10)
  const places = []
  for await (const placed of walkNear(shards, () => Promise.resolve(null), 'gcpv', Infinity, null)) places.push(placed)
  expect(places).toEqual([null])
})
