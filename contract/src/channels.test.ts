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

describe('the spellings of a handle', () => {
  const spellingsOf = (channel: Channel, handle: string) => channelDefinitions[channel].spellings(handle)

  test.each([
    ['telegram', 'Alice_A', 'alice_a'],
    ['discord', '100000000000000001', '100000000000000001'],
    ['slack', 'U0FICTION1', 'U0FICTION1'],
    ['whatsapp', '+4407700900123', '+447700900123'],
    ['whatsapp', '+447700900123', '+447700900123'],
    ['whatsapp', '+12025550123', '+12025550123'],
  ] as const)('of %s %s are %s alone', (channel, handle, spelling) => {
    expect(spellingsOf(channel, handle)).toEqual([spelling])
  })

  // Numbers of these plans cannot be reserved for fiction; the repeated digits are meant to show that they are made up.
  test.each([
    ['Brazil, the ninth digit', ['+5592980000000', '+559280000000']],
    ['Brazil, an area where WhatsApp ids have the ninth digit', ['+5511960000000', '+551160000000']],
    ['Argentina, the mobile 9', ['+5491150000000', '+541150000000']],
    ['Argentina, an area code of four digits', ['+5492966000000', '+542966000000']],
    ['Mexico, the mobile 1', ['+525500000000', '+5215500000000']],
    ['Côte d’Ivoire, Moov', ['+2250140000000', '+22540000000']],
    ['Côte d’Ivoire, MTN', ['+2250504000000', '+22504000000']],
    ['Côte d’Ivoire, Orange', ['+2250707000000', '+22507000000']],
    ['Benin', ['+2290190000000', '+22990000000']],
  ])('are those that reach one WhatsApp account: %s', (_of, spellings) => {
    for (const each of spellings) expect(spellingsOf('whatsapp', each)).toEqual(spellings)
  })

  test.each([
    ['a Brazilian landline', '+551130000000'],
    ['a Brazilian mobile that never had eight digits', '+5511930000000'],
    ['an Argentine free number', '+548000000000'],
    ['an Ivorian landline', '+2252720000000'],
    ['an Ivorian number of another operator than its digits had', '+2250107000000'],
    ['a landline in Benin', '+2290120000000'],
  ])('do not merge %s with another number', (_of, number) => {
    expect(spellingsOf('whatsapp', number)).toEqual([number])
  })

  test('are the same for each of them, for every number', () => {
    const national = fc.stringMatching(/^[0-9]{6,12}$/)
    const prefix = fc.constantFrom(
      '+55',
      '+559',
      '+54',
      '+549',
      '+540',
      '+52',
      '+521',
      '+225',
      '+22507',
      '+229',
      '+22901',
    )
    const number = fc.oneof(
      fc.stringMatching(/^\+[1-9][0-9]{6,14}$/),
      fc.tuple(prefix, national).map(([code, digits]) => code + digits),
    )
    fc.assert(
      fc.property(number, (spelled) => {
        const spellings = spellingsOf('whatsapp', spelled)
        expect(new Set(spellings).size).toBe(spellings.length)
        for (const each of spellings) expect(spellingsOf('whatsapp', each)).toEqual(spellings)
      }),
      { numRuns: 5_000, examples: [['+490013921784331'], ['+861165309594819'], ['+2618647497'], ['+541115123456']] },
    )
  })
})
