import { Listing } from '@koko/contract'
import { expect, test } from '@jest/globals'
import { priceOf } from '../scripts/costs.ts'
import { drawChart } from './charts.ts'
import { countsBetween, readsOf } from './counts.ts'
import { verdict } from './figures.ts'
import { createRandom, generateRoom } from './room.ts'
import { planRoom } from './seed.ts'
import { percentile } from './statistics.ts'
import { absentAfterMs } from './unlinks.ts'

const noon = Date.UTC(2026, 10, 21, 12)

test('takes a percentile by the nearest rank', () => {
  const sample = Array.from({ length: 100 }, (_, index) => 100 - index)
  expect([0, 0.5, 0.95, 0.99, 1].map((fraction) => percentile(sample, fraction))).toEqual([1, 50, 95, 99, 100])
  expect(percentile([7], 0.5)).toBe(7)
  expect(percentile([], 0.5)).toBeNaN()
})

test('makes the same evenly distributed numbers from the same seed', () => {
  const [one, other] = [createRandom(7), createRandom(7)]
  const numbers = Array.from({ length: 10_000 }, one)
  expect(numbers).toEqual(Array.from({ length: 10_000 }, other))
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true)
  expect(numbers.reduce((sum, number) => sum + number, 0) / 10_000).toBeCloseTo(0.5, 1)
})

test('makes the same room at any hour of a day, of listings that the contract accepts', () => {
  const room = [...generateRoom(500, noon)]
  expect(room).toEqual([...generateRoom(500, noon + 3_600_000)])
  for (const { listing } of room) expect(Listing.safeParse(listing).error).toBeUndefined()
  expect(new Set(room.map(({ badge }) => badge.agentId)).size).toBe(500)
})

test('packs every agent of a room into the shards once', () => {
  const { packed, manifest } = planRoom(3_000, noon)
  const agentIds = packed.flatMap(({ entries }) => entries.map(({ listing }) => listing.agentId))
  expect(new Set(agentIds).size).toBe(3_000)
  expect(manifest.shards.map(({ agents }) => agents)).toEqual(packed.map(({ entries }) => entries.length))
  expect(manifest.shards.every(({ agents }) => agents <= 1_000)).toBe(true)
})

test('prices a million calls', () => {
  expect(1_000_000 * priceOf({ reads: 3, writes: 1, deletes: 0 })).toBeCloseTo(1.8)
  expect(1_000_000 * priceOf({ reads: 0, writes: 0, deletes: 10 })).toBeCloseTo(1)
})

test('says by how much a target is missed', () => {
  expect(verdict({ ours: 5, target: { atMost: 5 } })).toBe('≤ 5: reached')
  expect(verdict({ ours: 6, target: { atMost: 5 } })).toBe('≤ 5: missed by 20 %')
  expect(verdict({ ours: 3, target: { atMost: 0 } })).toBe('≤ 0: missed by 3')
  expect(verdict({ ours: 300, target: { atLeast: 400 } })).toBe('≥ 400: missed by 25 %')
  expect(verdict({ ours: 300 })).toBe('')
})

test('counts what happened between two moments', () => {
  const still = { deletes: 0, scanMs: 0, rssBytes: 1, peakBytes: 1 }
  const before = { ...still, reads: { shards: 2, badges: 1 }, writes: 1 }
  const between = countsBetween(before, { ...still, reads: { shards: 5, badges: 1, accounts: 2 }, writes: 4 })
  expect(between).toMatchObject({ reads: { shards: 3, accounts: 2 }, writes: 3 })
  expect(readsOf(between)).toBe(5)
})

test('counts a handle as gone from the first request after which no answer had it', () => {
  const probe = (sentAtMs: number, ...handles: string[]) => ({ sentAtMs, handles: new Set(handles) })
  expect(absentAfterMs([probe(5, 'a'), probe(20, 'b')], 'a', 10)).toBe(0)
  expect(absentAfterMs([probe(20), probe(40), probe(30, 'a'), probe(50)], 'a', 10)).toBe(30)
  expect(absentAfterMs([probe(20, 'a')], 'a', 10)).toBe(Infinity)
})

test('draws a chart that shows every value', () => {
  const svg = drawChart({ title: 'a < b', unit: 'ms', bars: [{ label: 'one', ours: 1, baseline: 200 }] })
  expect(svg).toContain('a &lt; b')
  expect(svg).toContain('>200<')
  expect(svg).toContain('logarithmic')
})
