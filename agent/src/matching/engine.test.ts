import { Channel, cellOf, DatingProfile, distanceKm, geohashAlphabet, type Cell, type Listing } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { sampleChannels, sampleProfile } from '../../../testing/samples.ts'
import { createMatcher, distanceOfAreas, radiusKm, type Me, type Rule } from './engine.ts'

const myId = '00000000-0000-4000-8000-000000000001'
const theirId = '00000000-0000-4000-8000-000000000002'

const handleOf = {
  ...sampleChannels,
  discord: '100000000000000001',
  slack: 'U0FICTIONAL',
} satisfies Record<Channel, string>

const anybody: DatingProfile = { ...sampleProfile, ageMin: 18, ageMax: 120 }

function me(profile: Partial<DatingProfile> = {}, rest: Partial<Me> = {}): Me {
  return {
    agentId: myId,
    profile: { ...anybody, ...profile },
    room: 'dating',
    dealbreakers: { onlyIntents: [] },
    channels: Channel.options,
    ...rest,
  }
}

function listing(profile: Partial<DatingProfile> = {}, channels: readonly Channel[] = Channel.options): Listing {
  return {
    agentId: theirId,
    category: 'dating',
    channels: Object.fromEntries(channels.map((channel) => [channel, handleOf[channel]])),
    profile: { ...anybody, ...profile },
    presence: { registeredAtMs: 0, publishedAtMs: 0, lastSeenAtMs: 0 },
  }
}

const verdictOf = (who: Me, of: Listing) => createMatcher(who)(of)

// London, and Paris 344 km away.
const london = 'gcpv'
const paris = 'u09t'

describe('leaves out', () => {
  const cases: [because: string, rule: Rule, who: Me, of: Listing][] = [
    ['myself', 'self', me(), { ...listing(), agentId: myId }],
    ['a gender I do not look for', 'gender', me({ seeking: ['man', 'other'] }), listing({ gender: 'woman' })],
    ['who does not look for my gender', 'theirGender', me({ gender: 'man' }), listing({ seeking: ['woman'] })],
    ['who is a year too old', 'age', me({ ageMin: 25, ageMax: 40 }), listing({ age: 41 })],
    ['who is a year too young', 'age', me({ ageMin: 25, ageMax: 40 }), listing({ age: 24 })],
    ['for whom I am too old', 'theirAge', me({ age: 41 }), listing({ ageMin: 25, ageMax: 40 })],
    ['for whom I am too young', 'theirAge', me({ age: 24 }), listing({ ageMin: 25, ageMax: 40 })],
    ['who is too far for me', 'distance', me({ area: london, maxDistanceKm: 250 }), listing({ area: paris })],
    ['for whom I am too far', 'theirDistance', me({ area: london }), listing({ area: paris, maxDistanceKm: 250 })],
    [
      'who hopes for what I left out',
      'intent',
      me({}, { dealbreakers: { onlyIntents: ['long_term'] } }),
      listing({ intent: 'casual' }),
    ],
    ['who has none of my channels', 'channel', me({}, { channels: ['slack'] }), listing({}, ['whatsapp', 'telegram'])],
    ['everybody while I publish nothing', 'channel', me({}, { channels: [] }), listing()],
  ]
  test.each(cases)('%s', (_, rule, who, of) => {
    expect(verdictOf(who, of)).toEqual({ isMatch: false, rule })
  })

  test('by the first rule where several do', () => {
    const who = me({ seeking: ['man'], ageMin: 40 }, { channels: [] })
    expect(verdictOf(who, listing({ gender: 'woman', age: 20 }))).toEqual({ isMatch: false, rule: 'gender' })
  })
})

describe('matches', () => {
  test.each<[because: string, who: Me, of: Listing]>([
    ['two who look for anyone', me(), listing()],
    ['the youngest and the oldest age', me({ ageMin: 30, ageMax: 30 }), listing({ ageMin: 30, ageMax: 30 })],
    ['within reach', me({ area: london, maxDistanceKm: 350 }), listing({ area: paris, maxDistanceKm: 350 })],
    [
      'in two cells that touch, however near both look',
      me({ area: 'gcpv', maxDistanceKm: 1 }),
      listing({ area: 'gcpy', maxDistanceKm: 1 }),
    ],
    ['across the antimeridian', me({ area: 'xbp', maxDistanceKm: 1 }), listing({ area: '800', maxDistanceKm: 1 })],
    ['around a pole', me({ area: 'up', maxDistanceKm: 1 }), listing({ area: 'gz', maxDistanceKm: 1 })],
    [
      'in a cell within a coarser one',
      me({ area: 'gcpv', maxDistanceKm: 1 }),
      listing({ area: 'gc', maxDistanceKm: 1 }),
    ],
    [
      'an intent of those I may',
      me({}, { dealbreakers: { onlyIntents: ['casual', 'open'] } }),
      listing({ intent: 'casual' }),
    ],
  ])('%s', (_, who, of) => {
    expect(verdictOf(who, of)).toMatchObject({ isMatch: true })
  })

  test.each<[ours: Channel[], theirs: Channel[], shared: Channel[]]>([
    [
      ['whatsapp', 'telegram', 'discord', 'slack'],
      ['whatsapp', 'telegram', 'discord', 'slack'],
      ['telegram', 'discord', 'slack', 'whatsapp'],
    ],
    [
      ['whatsapp', 'slack', 'discord'],
      ['whatsapp', 'discord', 'slack'],
      ['discord', 'slack', 'whatsapp'],
    ],
    [
      ['whatsapp', 'slack'],
      ['whatsapp', 'telegram', 'slack'],
      ['slack', 'whatsapp'],
    ],
    [['whatsapp', 'telegram'], ['whatsapp', 'slack'], ['whatsapp']],
  ])('by every shared channel, the one that reveals least first: %j and %j share %j', (ours, theirs, channels) => {
    expect(verdictOf(me({}, { channels: ours }), listing({}, theirs))).toMatchObject({ channels })
  })
})

const gender = DatingProfile.shape.gender.options
const areas = fc
  .array(fc.constantFrom(...geohashAlphabet.split('')), { minLength: 2, maxLength: 4 })
  .map((characters) => characters.join(''))
/** Areas that are likely to touch or hold each other, and anywhere. */
const area = fc.oneof(
  areas,
  fc.constantFrom('gc', 'gcp', 'gcpv', 'gcpy', 'xb', 'xbp', 'xbpz', '80', '800', 'zz', 'bp', '00', 'pb'),
)
const profile: fc.Arbitrary<DatingProfile> = fc
  .record({
    gender: fc.constantFrom(...gender),
    seeking: fc.subarray([...gender]),
    age: fc.integer({ min: 18, max: 40 }),
    ages: fc.tuple(fc.integer({ min: 18, max: 40 }), fc.integer({ min: 18, max: 40 })),
    area,
    maxDistanceKm: fc.option(fc.integer({ min: 1, max: 20_000 })),
    intent: fc.constantFrom(...DatingProfile.shape.intent.options),
  })
  .map(({ ages, ...fields }) => ({ ...fields, ageMin: Math.min(...ages), ageMax: Math.max(...ages) }))
const channels = fc.subarray([...Channel.options], { minLength: 1 })

test('a match for the one is a match for the other, by the same channel', () => {
  fc.assert(
    fc.property(profile, channels, profile, channels, (mine, myChannels, theirs, theirChannels) => {
      const oneWay = verdictOf(me(mine, { channels: myChannels }), listing(theirs, theirChannels))
      const otherWay = verdictOf(me(theirs, { channels: theirChannels }), listing(mine, myChannels))
      expect(oneWay.isMatch).toBe(otherWay.isMatch)
      if (oneWay.isMatch) expect(otherWay).toEqual(oneWay)
    }),
    { numRuns: 500 },
  )
})

const fraction = fc.double({ min: 0, max: 1, noNaN: true })
const inCell = fc.tuple(fc.oneof(fraction, fc.constantFrom(0, 1)), fc.oneof(fraction, fc.constantFrom(0, 1)))

function placeIn({ south, west, north, east }: Cell, [up, right]: [number, number]) {
  return { latitude: south + (north - south) * up, longitude: west + (east - west) * right }
}

test('nobody is left out for distance whose place may be as near as both look', () => {
  fc.assert(
    fc.property(area, inCell, area, inCell, (ours, here, theirs, there) => {
      const apart = distanceKm(placeIn(cellOf(ours), here), placeIn(cellOf(theirs), there))
      const maxDistanceKm = Math.max(1, Math.ceil(apart))
      const verdict = verdictOf(me({ area: ours, maxDistanceKm }), listing({ area: theirs, maxDistanceKm }))
      expect(verdict).toMatchObject({ isMatch: true })
    }),
    { numRuns: 2_000 },
  )
})

test('two areas are no nearer than the nearest of their places, and that is what they are said to be', () => {
  const steps = Array.from({ length: 7 }, (_, index) => index / 6)
  const placesOf = (hash: string) => steps.flatMap((up) => steps.map((right) => placeIn(cellOf(hash), [up, right])))
  fc.assert(
    fc.property(area, area, (ours, theirs) => {
      const { atLeast, about } = distanceOfAreas(ours, theirs)
      const others = placesOf(theirs)
      const nearest = Math.min(...placesOf(ours).flatMap((place) => others.map((other) => distanceKm(place, other))))
      expect(atLeast).toBeLessThanOrEqual(nearest)
      expect(atLeast).toBeLessThanOrEqual(about)
      // The grid's places are a step of a cell from the nearest at most.
      const step = (radiusKm(ours) + radiusKm(theirs)) / 6
      expect(nearest - atLeast).toBeLessThanOrEqual(step + 0.01)
    }),
    { numRuns: 30 },
  )
})

test('no place of an area is further from its centre than its radius', () => {
  fc.assert(
    fc.property(areas, inCell, (hash, at) => {
      const cell = cellOf(hash)
      expect(distanceKm(placeIn(cell, [0.5, 0.5]), placeIn(cell, at))).toBeLessThanOrEqual(radiusKm(hash) + 1e-6)
    }),
    { numRuns: 2_000 },
  )
})

test('London and Paris are some 340 km apart, and no less than 300', () => {
  const { about, atLeast } = distanceOfAreas(london, paris)
  expect(about).toBeGreaterThan(320)
  expect(about).toBeLessThan(360)
  expect(atLeast).toBeGreaterThan(280)
  expect(atLeast).toBeLessThan(about)
})
