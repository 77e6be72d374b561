import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Channel, channelDefinitions, Channels, handles } from './channels.ts'

const digits = (min: number, max: number) =>
  fc.integer({ min, max }).map((number) => String(number).padStart(String(max).length, '0'))

/** The characters of each channel's handles, and valid handles, all fictional. */
const grammars: Record<Channel, { alphabet: RegExp; good: fc.Arbitrary<string> }> = {
  whatsapp: {
    alphabet: /^[+0-9]$/,
    good: fc.oneof(
      digits(100, 199).map((last) => `+12025550${last}`),
      digits(0, 999).map((last) => `+447700900${last}`),
    ),
  },
  telegram: {
    alphabet: /^[A-Za-z0-9_]$/,
    good: fc.stringMatching(/^[A-Za-z](_?[A-Za-z0-9]){4,31}$/).filter(({ length }) => length <= 32),
  },
  discord: { alphabet: /^[0-9]$/, good: fc.bigInt({ min: 10n ** 16n, max: 2n ** 64n - 1n }).map(String) },
  slack: { alphabet: /^[A-Z0-9]$/, good: fc.stringMatching(/^[UW][A-Z0-9]{8,20}$/) },
}

describe.each(Channel.options)('%s', (channel) => {
  const { alphabet, good } = grammars[channel]
  const accepts = (handle: unknown) => handles[channel].safeParse(handle).success

  test('accepts every valid handle, alone and in a listing', () => {
    fc.assert(
      fc.property(good, (handle) => {
        expect(accepts(handle)).toBe(true)
        expect(Channels.parse({ [channel]: handle })).toEqual({ [channel]: handle })
      }),
    )
  })

  test('refuses a valid handle with a character from outside its alphabet added or put in', () => {
    const stranger = fc
      .oneof(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        // What hides: controls, spaces, marks, and what folds to ASCII.
        fc.constantFrom(
          ...Array.from(
            '\0\t\n\r \u00a0\u00ad\u200b\u200c\u200d\u200e\u202e\u2028\u2060\ufeff\uff0b\uff10\u0660\u0430',
          ),
        ),
        fc.constantFrom(...Array.from('@#-.()/')),
      )
      .filter((character) => !alphabet.test(character))
    fc.assert(
      fc.property(good, stranger, fc.nat(), fc.boolean(), (handle, character, place, replaces) => {
        const index = place % (handle.length + (replaces ? 0 : 1))
        expect(accepts(handle.slice(0, index) + character + handle.slice(index + (replaces ? 1 : 0)))).toBe(false)
      }),
      { numRuns: 1_000 },
    )
  })

  test('refuses a handle that is too long, and anything that is not a string', () => {
    fc.assert(
      fc.property(good, fc.integer({ min: 33, max: 5_000 }), (handle, length) => {
        expect(accepts(handle.padEnd(length, '1'))).toBe(false)
      }),
    )
    fc.assert(
      fc.property(
        fc.jsonValue().filter((value) => typeof value !== 'string'),
        (value) => {
          expect(accepts(value)).toBe(false)
        },
      ),
    )
  })

  test('gives one reason at a time', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: 'binary' }),
          good.map((handle) => ` ${handle}`),
        ),
        (text) => {
          const { error } = handles[channel].safeParse(text)
          expect(error?.issues.length ?? 1).toBe(1)
        },
      ),
    )
  })
})

test('a channel that is undefined does not count', () => {
  expect(Channels.safeParse({ whatsapp: undefined }).success).toBe(false)
  expect(Channels.safeParse({ whatsapp: undefined, slack: 'U012AB3CD' }).success).toBe(true)
})

describe('the identity of a handle', () => {
  test.each([
    ['whatsapp', '+4407700900123', '+447700900123'],
    ['whatsapp', '+447700900123', '+447700900123'],
    ['whatsapp', '+12025550123', '+12025550123'],
    ['telegram', 'Alice_A', 'alice_a'],
    ['discord', '100000000000000001', '100000000000000001'],
    ['slack', 'U0FICTION1', 'U0FICTION1'],
  ] as const)('of %s %s is %s', (channel, handle, identity) => {
    expect(channelDefinitions[channel].identity(handle)).toBe(identity)
  })

  test('is its own identity, for every possible number', () => {
    const number = fc
      .stringMatching(/^\+[1-9][0-9]{6,14}$/)
      .filter((candidate) => handles.whatsapp.safeParse(candidate).success)
    fc.assert(
      fc.property(number, (spelled) => {
        const identity = channelDefinitions.whatsapp.identity(spelled)
        expect(channelDefinitions.whatsapp.identity(identity)).toBe(identity)
      }),
      { numRuns: 3_000, examples: [['+490013921784331'], ['+861165309594819'], ['+2618647497']] },
    )
  })
})
