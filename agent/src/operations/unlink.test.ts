import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { sampleProfile } from '../../../testing/samples.ts'
import { withoutAgreement } from './agreements.ts'
import { withoutChannel } from '../directory/outbox.ts'
import { progressOf } from './unlink.ts'

const acknowledged = { channel: 'telegram' as const, unlinkedAtMs: 1_000, goneByMs: 11_000 }

describe('an unlinked channel is out of every answer', () => {
  test('once the time that the directory takes has gone by here, whatever the two clocks show', () => {
    expect(progressOf(acknowledged, { goneAtMs: null }, 9_999).isOutOfAnswers).toBe(false)
    expect(progressOf(acknowledged, { goneAtMs: null }, 10_000).isOutOfAnswers).toBe(true)
  })

  test('where the directory itself has told of a later moment', () => {
    expect(progressOf(acknowledged, { goneAtMs: 11_000 }, 0)).toEqual({ isOutOfAnswers: true, goneAtMs: 11_000 })
    expect(progressOf(acknowledged, { goneAtMs: 10_999 }, 0).isOutOfAnswers).toBe(false)
  })

  test('and stays out', () => {
    const moment = fc.option(fc.nat(100_000), { nil: null })
    fc.assert(
      fc.property(moment, fc.nat(60_000), fc.nat(60_000), (goneAtMs, elapsedMs, moreMs) => {
        const before = progressOf(acknowledged, { goneAtMs }, elapsedMs).isOutOfAnswers
        expect(progressOf(acknowledged, { goneAtMs }, elapsedMs + moreMs).isOutOfAnswers || !before).toBe(true)
      }),
    )
  })
})

test('taking a channel back withdraws the agreement to its handle alone, and keeps the handle', () => {
  const handles = { telegram: { handle: 'alice_a', agreedAtMs: 1 }, slack: { handle: 'U012AB3CD', agreedAtMs: 2 } }
  expect(withoutAgreement(handles, ['telegram'])).toEqual({
    telegram: { handle: 'alice_a', agreedAtMs: null },
    slack: { handle: 'U012AB3CD', agreedAtMs: 2 },
  })
  expect(withoutAgreement(handles, ['discord'])).toEqual(handles)
})

test('what is published loses the handle, and with the last one the listing', () => {
  const listing = {
    agentId: '7c2a3f7e-58a3-4d8e-9c53-0d2b7ad1a001',
    category: 'dating' as const,
    channels: { telegram: 'alice_a', slack: 'U012AB3CD' },
    profile: sampleProfile,
    presence: { registeredAtMs: 0, publishedAtMs: 0, lastSeenAtMs: 0 },
  }
  const once = withoutChannel({ publishedAtMs: 5, listing, withheld: [] }, acknowledged)
  expect(once).toEqual({
    publishedAtMs: 5,
    listing: { ...listing, channels: { slack: 'U012AB3CD' } },
    withheld: [{ channel: 'telegram', unlinkedAtMs: 1_000 }],
  })
  expect(withoutChannel(once, acknowledged)).toEqual(once)
  const last = withoutChannel(once, { ...acknowledged, channel: 'slack' })
  expect(last).toMatchObject({ listing: null, withheld: [{ channel: 'telegram' }, { channel: 'slack' }] })
})
