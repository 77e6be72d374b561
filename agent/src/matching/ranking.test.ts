import type { DatingProfile, Listing } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { sampleProfile } from '../../../testing/samples.ts'
import { createMatcher, type Me } from './engine.ts'
import { createShortlist } from './ranking.ts'

const anybody: DatingProfile = { ...sampleProfile, ageMin: 18, ageMax: 120, intent: 'long_term' }
const today = Date.UTC(2026, 10, 21)
const yesterday = Date.UTC(2026, 10, 20)

function idOf(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`
}

function me(profile: Partial<DatingProfile> = {}, number = 0): Me {
  return {
    agentId: idOf(number),
    room: 'dating',
    profile: { ...anybody, ...profile },
    dealbreakers: { onlyIntents: [] },
    channels: ['telegram'],
  }
}

function listing(number: number, profile: Partial<DatingProfile> = {}, lastSeenAtMs = today): Listing {
  return {
    agentId: idOf(number),
    category: 'dating',
    channels: { telegram: `a_fictional_peer` },
    profile: { ...anybody, ...profile },
    presence: { registeredAtMs: 0, publishedAtMs: 0, lastSeenAtMs },
  }
}

function ranked(who: Me, listings: readonly Listing[], most = listings.length): string[] {
  const shortlist = createShortlist(who, createMatcher(who), most)
  for (const each of listings) shortlist.take(each)
  return shortlist.matches().map(({ listing: { agentId } }) => agentId)
}

describe('comes first', () => {
  test.each<[because: string, better: Listing, worse: Listing]>([
    ['who hopes for the same, however far', listing(2, { area: 'r3gx' }), listing(1, { intent: 'open' })],
    [
      'who is open, before who hopes for something else',
      listing(2, { intent: 'open' }),
      listing(1, { intent: 'casual' }),
    ],
    ['who is nearer, whatever the age', listing(2, { age: 60 }), listing(1, { area: 'u09t' })],
    ['who is closer in age, older', listing(2, { age: 33 }), listing(1, { age: 26 })],
    ['who is closer in age, younger', listing(2, { age: 27 }), listing(1, { age: 34 })],
    ['who was seen later', listing(2, {}, today), listing(1, {}, yesterday)],
    [
      'who is closer in age, of two that are in cells next to each other',
      listing(2, { area: 'gcpu' }),
      listing(1, { area: 'gcpv', age: 31 }),
    ],
  ])('%s', (_, better, worse) => {
    expect(ranked(me(), [worse, better])).toEqual([better.agentId, worse.agentId])
    expect(ranked(me(), [better, worse])).toEqual([better.agentId, worse.agentId])
  })
})

test('of peers that are equal each has a turn to be first, for one operator or another', () => {
  const peers = [1, 2, 3, 4].map((number) => listing(number))
  const first = new Set(Array.from({ length: 100 }, (_, index) => ranked(me({}, 1_000 + index), peers)[0]))
  expect([...first].sort()).toEqual(peers.map(({ agentId }) => agentId))
})

const listings = fc.uniqueArray(
  fc.record({
    number: fc.integer({ min: 1, max: 1_000 }),
    age: fc.integer({ min: 28, max: 32 }),
    gender: fc.constantFrom('woman' as const, 'man' as const),
    area: fc.constantFrom('gcpv', 'gcpu', 'gc', 'u09t'),
    intent: fc.constantFrom('long_term' as const, 'open' as const, 'casual' as const),
    day: fc.constantFrom(today, yesterday),
  }),
  { selector: ({ number }) => number, maxLength: 60 },
)

test('the best so many are the first so many of all, in whichever order they come', () => {
  fc.assert(
    fc.property(listings, fc.integer({ min: 1, max: 20 }), fc.integer(), (made, most, seed) => {
      const all = made.map(({ number, day, ...profile }) => listing(number, profile, day))
      const shuffled = fc.sample(fc.shuffledSubarray(all, { minLength: all.length }), { seed, numRuns: 1 })[0] ?? []
      const who = me({ seeking: ['woman'] })
      expect(ranked(who, shuffled, most)).toEqual(ranked(who, all, 1_000).slice(0, most))
    }),
  )
})

test('counts every match, also those that it does not keep', () => {
  const who = me({ seeking: ['woman'], ageMax: 40 })
  const shortlist = createShortlist(who, createMatcher(who), 1)
  const taken = [
    listing(1),
    listing(2),
    listing(3, { gender: 'man' }),
    listing(4, { age: 50 }),
    listing(5, { age: 51 }),
  ]
  for (const each of taken) shortlist.take(each)
  expect(shortlist).toMatchObject({ matched: 2 })
  expect(shortlist.matches()).toHaveLength(1)
})
