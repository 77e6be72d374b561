import { dayMs, type DatingProfile, type Listing } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { sampleProfile } from '../../../testing/samples.ts'
import type { Me } from './engine.ts'
import type { Peers } from '../home/files.ts'
import { budgetOn, discoveryDelayMs, longestUnasked, noPeers, planPeers, type Answer } from './peers.ts'

const noon = Date.UTC(2026, 10, 21, 12)
const minute = 60_000

function idOf(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`
}

const me: Me = {
  agentId: idOf(0),
  profile: { ...sampleProfile, ageMin: 18 },
  room: 'dating',
  dealbreakers: { onlyIntents: [] },
  channels: ['telegram', 'slack'],
}

function listing(number: number, channels: Listing['channels'], profile: Partial<DatingProfile> = {}): Listing {
  return {
    agentId: idOf(number),
    category: 'dating',
    channels,
    profile: { ...me.profile, ...profile },
    presence: { registeredAtMs: 0, publishedAtMs: 0, lastSeenAtMs: 0 },
  }
}

const withBoth = { telegram: 'a_fictional_peer', slack: 'U0FICTIONAL' }
const withSlack = { slack: 'U0FICTIONAL' }

function plan(before: Peers, answer: Partial<Answer>, nowMs = noon, most = 100) {
  return planPeers(before, { listings: [], asked: [], asOfMs: nowMs, ...answer }, me, most, nowMs)
}

function knowing(...peers: Listing[]): Peers {
  return plan(noPeers, { listings: peers, asOfMs: noon - minute }, noon - minute).peers
}

const known = ({ peers }: { peers: Peers }) => peers.peers.map((peer) => peer.listing)

test('keeps who matches, and no handle of anybody else', () => {
  const { peers, leftOut } = plan(noPeers, {
    listings: [listing(1, withBoth), listing(2, withBoth, { age: 41 }), listing(3, { whatsapp: '+12025550123' })],
  })
  expect(known({ peers })).toEqual([listing(1, withBoth)])
  expect(JSON.stringify(peers)).not.toContain('+12025550123')
  expect(leftOut).toEqual([
    { agentId: idOf(2), rule: 'age' },
    { agentId: idOf(3), rule: 'channel' },
  ])
})

test('a refresh removes an unlinked handle and keeps the time of the first finding', () => {
  const after = plan(knowing(listing(1, withBoth)), { listings: [listing(1, withSlack)], asked: [idOf(1)] })
  expect(after.peers.peers).toEqual([{ listing: listing(1, withSlack), foundAtMs: noon - minute, refreshedAtMs: noon }])
})

describe('forgets', () => {
  test.each<[who: string, answer: Partial<Answer>]>([
    ['who was asked for and is gone', { asked: [idOf(1)] }],
    ['who no longer matches', { asked: [idOf(1)], listings: [listing(1, withBoth, { age: 41 })] }],
    ['who no longer matches in a page', { listings: [listing(1, withBoth, { age: 41 })] }],
    ['who unlinked every shared channel', { asked: [idOf(1)], listings: [listing(1, { whatsapp: '+12025550123' })] }],
  ])('%s', (_, answer) => {
    const after = plan(knowing(listing(1, withBoth), listing(2, withBoth)), answer)
    expect(known(after)).toEqual([listing(2, withBoth)])
    // A page that was asked for before that comes late.
    const late = plan(after.peers, { listings: [listing(1, withBoth)], asOfMs: noon - discoveryDelayMs }, noon + 1)
    expect(known(late)).toEqual([listing(2, withBoth)])
    expect(late.leftOut).toEqual([])
    // One that was asked for later finds the peer again.
    const later = plan(after.peers, { listings: [listing(1, withBoth)], asOfMs: noon + 1 }, noon + 1)
    expect(known(later)).toHaveLength(2)
    expect(later.peers.forgotten).toEqual([])
  })

  test('also who was asked for without being known', () => {
    const after = plan(noPeers, { asked: [idOf(1)], listings: [listing(1, { whatsapp: '+12025550123' })] })
    const late = plan(after.peers, { listings: [listing(1, withBoth)], asOfMs: noon - discoveryDelayMs }, noon + 1)
    expect(known(late)).toEqual([])
  })

  test('who was not asked for since seven days', () => {
    const before = knowing(listing(1, withBoth))
    expect(known(plan(before, {}, noon - minute + 7 * dayMs - 1))).toHaveLength(1)
    expect(known(plan(before, {}, noon - minute + 7 * dayMs))).toEqual([])
  })

  test('who does not match a profile that was edited since', () => {
    const before = knowing(listing(1, withBoth, { age: 40 }), listing(2, withBoth, { age: 30 }))
    const younger = { ...me, profile: { ...me.profile, ageMax: 35 } }
    const after = planPeers(before, { listings: [], asked: [], asOfMs: noon }, younger, 100, noon)
    expect(known(after)).toEqual([listing(2, withBoth, { age: 30 })])
  })

  test('whom it forgot, after some minutes', () => {
    const { peers } = plan(knowing(listing(1, withBoth)), { asked: [idOf(1)] })
    expect(peers.forgotten).toEqual([{ agentId: idOf(1), asOfMs: noon }])
    expect(plan(peers, {}, noon + 6 * minute).peers.forgotten).toEqual([])
  })
})

test('keeps the best where there are more than can be asked for again', () => {
  const { peers, matches } = plan(
    noPeers,
    {
      listings: [
        listing(1, withBoth, { age: 36 }),
        listing(2, withBoth, { age: 31 }),
        listing(3, withBoth, { age: 33 }),
      ],
    },
    noon,
    2,
  )
  expect(known({ peers }).map(({ agentId }) => agentId)).toEqual([idOf(2), idOf(3)])
  expect(matches.map(({ listing: { agentId } }) => agentId)).toEqual([idOf(2), idOf(3)])
})

test('a clock that was ahead and was put right stands in the way of nothing', () => {
  const ahead = noon + 30 * dayMs
  const wrong = plan(knowing(listing(1, withBoth)), { listings: [listing(2, withBoth)], asked: [idOf(1)] }, ahead)
  const after = plan(wrong.peers, { listings: [listing(1, withSlack), listing(2, withSlack)] })
  expect(known(after)).toEqual(expect.arrayContaining([listing(1, withSlack), listing(2, withSlack)]))
})

test('asks first for who was not asked for the longest, and for times that are yet to come', () => {
  const peerOf = (number: number, refreshedAtMs: number) => ({
    listing: listing(number, withBoth),
    foundAtMs: 0,
    refreshedAtMs,
  })
  const peers = {
    ...noPeers,
    peers: [peerOf(1, noon - 1), peerOf(2, noon - 3), peerOf(3, noon + 1), peerOf(4, noon - 2)],
  }
  expect(longestUnasked(peers, noon)).toEqual([3, 2, 4, 1].map(idOf))
})

/** What a peer publishes over time: nothing, or one of two handles, or both. */
const states = fc.array(
  fc.constantFrom<Listing['channels'] | null>(withBoth, withSlack, { telegram: 'another_peer' }, null),
  {
    minLength: 1,
    maxLength: 8,
  },
)

test('in whichever order answers arrive, what is known is what was asked for last', () => {
  fc.assert(
    fc.property(states, fc.infiniteStream(fc.nat()), (published, picks) => {
      // The peer changes once a second, and is asked for each time; answers arrive in any order.
      const answers = published.map((channels, second): Answer => ({
        asked: [idOf(1)],
        listings: channels === null ? [] : [listing(1, channels)],
        asOfMs: noon + second * 1_000,
      }))
      const last = answers.at(-1)
      let peers = knowing(listing(1, withBoth))
      while (answers.length > 0) {
        const [answer] = answers.splice((picks.next().value ?? 0) % answers.length, 1)
        if (answer !== undefined) peers = plan(peers, answer, noon + minute).peers
      }
      expect(known({ peers })).toEqual(last?.listings)
    }),
  )
})

describe('a day of budgets', () => {
  const today = Date.UTC(2026, 10, 21)
  const used = { dayMs: today, discovered: 3, refreshed: 4 }
  test.each<[what: string, on: number, isTold: boolean, expected: Peers['budget']]>([
    ['goes on', today, false, used],
    ['ends with the next', today + dayMs, false, { dayMs: today + dayMs, discovered: 0, refreshed: 0 }],
    ['goes on where this machine is a day behind', today - dayMs, false, used],
    ['is the day that the directory tells', today - dayMs, true, { ...used, dayMs: today - dayMs }],
    ['is today where it was begun far ahead', today - 2 * dayMs, false, { ...used, dayMs: today - 2 * dayMs }],
  ])('%s', (_, on, isTold, expected) => {
    expect(budgetOn(used, on, isTold)).toEqual(expected)
  })
})
