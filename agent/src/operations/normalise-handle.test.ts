import { Channel, handles } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { validFixtures } from '../../../fixtures/read.ts'
import { normaliseHandle } from './normalise-handle.ts'

const kept = (channel: Channel, typed: string) => {
  const normalised = normaliseHandle(channel, typed)
  return 'handle' in normalised ? normalised.handle : undefined
}
const refusal = (channel: Channel, typed: string) => {
  const normalised = normaliseHandle(channel, typed)
  if ('handle' in normalised) throw new Error('it passed')
  return normalised
}

describe.each(Channel.options)('%s', (channel) => {
  const canonical = validFixtures(`channels/${channel}`).map(({ input }) => String(input))

  test('keeps a handle that is canonical as it is', () => {
    expect(canonical.length).toBeGreaterThan(0)
    for (const handle of canonical) expect(kept(channel, handle)).toBe(handle)
  })

  test('keeps canonical handles only, and the same one a second time, whatever is typed', () => {
    const typed = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.stringMatching(/^[ +<@!(0]*[A-Za-z0-9٠-٩_. -]{0,24}[>) ]?$/),
      fc
        .tuple(fc.constantFrom(' ', '@', '<@', 'https://t.me/', 'tel:', '00', 'wa.me/'), fc.constantFrom(...canonical))
        .map(([before, handle]) => `${before}${handle}`),
    )
    fc.assert(
      fc.property(typed, (text) => {
        const normalised = normaliseHandle(channel, text)
        if ('handle' in normalised) {
          expect(handles[channel].safeParse(normalised.handle).success).toBe(true)
          expect(kept(channel, normalised.handle)).toBe(normalised.handle)
          return
        }
        expect(normalised.because).toMatch(/^must /)
        expect((normalised.suggestion === undefined) !== (normalised.hint === undefined)).toBe(true)
        if (normalised.suggestion !== undefined)
          expect(kept(channel, normalised.suggestion)).toBe(normalised.suggestion)
      }),
      { numRuns: 400 },
    )
  })

  test('says what is wrong without what was typed', () => {
    const typed = fc.stringMatching(/^[a-z0-9]{12,40}[!?]$/)
    fc.assert(
      fc.property(typed, (text) => {
        const { because, hint } = refusal(channel, text)
        expect(`${because} ${hint ?? ''}`).not.toContain(text.slice(0, 12))
      }),
    )
  })
})

test.each([
  '+1 202 555 0123',
  '+1 (202) 555-0123',
  '+1\u2011202\u2011555\u20110123',
  '+1.202.555.0123',
  '001 202 555 0123',
  'tel:+1-202-555-0123',
  'https://wa.me/12025550123?text=hello',
  'wa.me/+12025550123',
  'https://api.whatsapp.com/send?text=hello&phone=%2B12025550123',
  '\u202a+1 202 555 0123\u202c',
  '+１２０２５５５０１２３',
  '＋1 202 555 0123',
  '+١٢٠٢٥٥٥٠١٢٣',
])('a number is kept in its one form, however it was written: %s', (typed) =>
  expect(kept('whatsapp', typed)).toBe('+12025550123'),
)

test('a zero in brackets is dialled at home only', () => {
  expect(kept('whatsapp', '+44 (0)7700 900123')).toBe('+447700900123')
  expect(kept('whatsapp', '0044 (0) 7700 900123')).toBe('+447700900123')
})

test.each([
  '@alice_a',
  'alice_a',
  ' @alice_a ',
  't.me/alice_a',
  'https://t.me/alice_a',
  'https://t.me/alice_a?start=1',
  'http://telegram.me/alice_a/',
  'https://alice_a.t.me',
  'tg://resolve?domain=alice_a',
])('a Telegram username is kept without what links to it: %s', (typed) =>
  expect(kept('telegram', typed)).toBe('alice_a'),
)

test.each([
  '<@80351110224678912>',
  '<@!80351110224678912>',
  'https://discord.com/users/80351110224678912',
  '８０３５１１１０２２４６７８９１２',
])('a Discord id is kept without its mention: %s', (typed) => expect(kept('discord', typed)).toBe('80351110224678912'))

test.each([
  '<@U012AB3CD>',
  '<@U012AB3CD|alice>',
  'u012ab3cd',
  'https://example.slack.com/team/U012AB3CD',
  'https://app.slack.com/client/T012AB3CD/user_profile/U012AB3CD',
  'https://app.slack.com/client/T012AB3CD/C012AB3CD/user_profile/U012AB3CD?tab=1',
  'slack://user?team=T012AB3CD&id=U012AB3CD',
])('a Slack id is kept without what links to it: %s', (typed) => expect(kept('slack', typed)).toBe('U012AB3CD'))

test('a name in small letters is no Slack id, though it would be one in capitals', () => {
  expect(kept('slack', 'winstonsmith')).toBeUndefined()
})

test('a link to something else than a person is not taken for a username', () => {
  expect(kept('telegram', 'https://t.me/joinchat/AAAAAEH')).toBeUndefined()
  expect(kept('whatsapp', 'https://wa.me/message/ABCDEF123456')).toBeUndefined()
  expect(kept('slack', 'https://example.slack.com/archives/C012AB3CD')).toBeUndefined()
})

test.each([
  ['whatsapp', '++44 7700 900123', '+447700900123'],
  ['whatsapp', '+0044 7700 900123', '+447700900123'],
  ['telegram', 'alice a', 'alice_a'],
  ['telegram', '@alice-a', 'alice_a'],
  ['telegram', 'alice__a_', 'alice_a'],
  ['discord', '80351110 22467 8912', '80351110224678912'],
  ['slack', '@U012-AB3CD', 'U012AB3CD'],
] as const)('what nearly passes is suggested and not kept: %s %s', (channel, typed, suggestion) => {
  expect(refusal(channel, typed)).toMatchObject({ suggestion })
})

// +20 is Egypt, +7 Kazakhstan, and 011 begins a call abroad in one country and a number of the capital in another.
test.each([
  ['202-555-0123', '2025550123'],
  ['+07700 900123', '07700900123'],
  ['07700 900123', '07700900123'],
  ['12025550123', '12025550123'],
  ['011 44 7700 900123', '011447700900123'],
])('no country is guessed for a number without its code: %s', (typed, national) => {
  expect(refusal('whatsapp', typed)).toMatchObject({ suggestion: undefined, national })
})

test('no suggestion adds a country code that was not typed', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[+]?[0-9][0-9 ().-]{5,16}$/), (typed) => {
      const normalised = normaliseHandle('whatsapp', typed)
      const number = 'handle' in normalised ? normalised.handle : normalised.suggestion
      if (number === undefined) return
      expect(typed).toMatch(/^\+|^00/)
      expect(number.slice(1)).toBe(typed.replaceAll(/\D/g, '').replace(/^0+/, ''))
    }),
  )
})

test.each([
  ['whatsapp', 'https://t.me/alice_a', 'telegram'],
  ['telegram', '+44 7700 900123', 'whatsapp'],
  ['telegram', '80351110224678912', 'discord'],
  ['discord', 'U012AB3CD', 'slack'],
  ['slack', '<@80351110224678912>', 'discord'],
] as const)('a handle of another channel is told: %s %s', (channel, typed, other) => {
  expect(refusal(channel, typed).hint).toContain(`koko link ${other}`)
})

test('a national number, and a name where an id belongs, are told how to come by what passes', () => {
  expect(refusal('whatsapp', '07700 900123').hint).toMatch(/country code/)
  expect(refusal('whatsapp', '@alice_a').hint).toMatch(/not a username/)
  expect(refusal('discord', 'alice_a').hint).toMatch(/Copy User ID/)
  expect(refusal('slack', 'alice').hint).toMatch(/Copy member ID/)
})
