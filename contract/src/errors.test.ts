import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import * as z from 'zod'
import { invalidFixtures } from '../../fixtures/read.ts'
import { fullProfile } from '../../testing/samples.ts'
import { BatchGetInput, callables, DiscoverInput, publishInput, type Callable } from './api.ts'
import { Channel } from './channels.ts'
import { DirectoryError, errorCodes, invalidArgument, parse, type Violation } from './errors.ts'

const good = {
  channels: { whatsapp: '+447700900147', telegram: 'fictional_ada', discord: '175928847299117063', slack: 'U012AB3CD' },
  profile: fullProfile,
}

const Violations = z.array(z.strictObject({ path: z.string(), message: z.string() }))

/** The error of `parse`; null if it accepts the input. Throws any error that is not a `DirectoryError`. */
function refusal(schema: z.ZodType, input: unknown): DirectoryError | null {
  try {
    parse(schema, input)
    return null
  } catch (error) {
    if (error instanceof DirectoryError) return error
    throw error
  }
}

function violationsOf(schema: z.ZodType, input: unknown): Violation[] {
  return Violations.parse(refusal(schema, input)?.details ?? [])
}

describe('an invalid argument', () => {
  const publish = publishInput('dating')

  test('names every place, each once, in the order of the schema', () => {
    const input = {
      channels: { telegram: '@fictional_ada', slack: 'x' },
      profile: { ...good.profile, age: 1, area: 'a' },
    }
    expect(violationsOf(publish, input).map(({ path }) => path)).toEqual([
      'channels.telegram',
      'channels.slack',
      'profile.age',
      'profile.area',
    ])
  })

  test('puts the first place into its message, and counts the others', () => {
    const first = { path: 'profile.age', message: 'must be a whole number' }
    expect(invalidArgument([first]).message).toBe('profile.age must be a whole number.')
    expect(invalidArgument([first, first, first]).message).toBe(
      'profile.age must be a whole number (and 2 more, in details).',
    )
    expect(invalidArgument([{ path: '', message: 'must be an object' }]).message).toBe('The input must be an object.')
    expect(invalidArgument([]).message).toBe('The input is not valid.')
  })

  test.each([
    ['', { ...good, '+447700900148': 1 }, 'takes only the keys channels, profile'],
    [
      'channels',
      { ...good, channels: { ...good.channels, '+447700900148': 'whatsapp' } },
      'takes only the keys whatsapp, telegram, discord, slack',
    ],
    [
      'profile',
      { ...good, profile: { ...good.profile, '@fictional_eve': true } },
      'takes only the keys gender, seeking, age, ageMin, ageMax, area, maxDistanceKm, intent',
    ],
  ])('reports an unknown key at its parent "%s", with the keys that would pass', (path, input, message) => {
    expect(violationsOf(publish, input)).toEqual([{ path, message }])
  })

  test('reports unknown keys deep in a lenient input', () => {
    const proof = {
      challenge: { parameters: {}, signature: '', salt: 1 },
      solution: { counter: 1, note: 'x' },
      more: 1,
    }
    expect(violationsOf(callables.registerAgent.input, { category: 'dating', consents: { all: true }, proof })).toEqual(
      [
        { path: 'consents', message: 'takes only the keys terms, disclaimer, adult' },
        { path: 'proof.challenge', message: 'takes only the keys parameters, signature' },
        { path: 'proof.solution', message: 'takes only the keys counter, derivedKey, time' },
        { path: 'proof', message: 'takes only the keys challenge, solution' },
      ],
    )
  })

  test('says that an input takes no keys', () => {
    expect(violationsOf(callables.heartbeat.input, { nowMs: 1 })).toEqual([{ path: '', message: 'takes no keys' }])
  })

  test('reports a list that is too long once, not once for each item', () => {
    const agentIds = Array.from({ length: 20_000 }, () => 'nonsense')
    expect(violationsOf(BatchGetInput, { agentIds })).toEqual([
      { path: 'agentIds', message: 'must hold 1 to 200 agent ids' },
    ])
  })
})

test('every code has the status of google.rpc.Code', () => {
  for (const [code, { status }] of Object.entries(errorCodes)) {
    expect(status).toBe(code.toUpperCase().replaceAll('-', '_'))
  }
})

describe('whatever is sent', () => {
  /** The contract's own words: an input that happens to use one is not echoed by an error that does too. */
  const ownWords = [...Channel.options.map((channel) => `channels/${channel}`), 'profile/dating', 'publish', 'discover']
    .flatMap((folder) => invalidFixtures(folder).map(({ at, message }) => `${at} ${message ?? ''}`))
    .join(' ')

  const inputs = Object.entries<z.ZodType>({
    ...Object.fromEntries(
      Object.entries<Callable>(callables).map(([name, { input }]) => [
        name,
        typeof input === 'function' ? input('dating') : input,
      ]),
    ),
    discover: DiscoverInput,
    batchGet: BatchGetInput,
  })

  function leaves(value: unknown): string[] {
    if (typeof value === 'string') return [value]
    if (typeof value !== 'object' || value === null) return []
    return Object.entries(value).flatMap(([key, inner]) => [key, ...leaves(inner)])
  }

  function expectNoEcho(schema: z.ZodType, input: unknown): void {
    const error = refusal(schema, input)
    if (error === null) return
    expect(error.code).toBe('invalid-argument')
    const said = [error.message, ...Violations.parse(error.details).flatMap(({ path, message }) => [path, message])]
    const text = said.join('\n')
    for (const leaf of leaves(input)) if (leaf.length > 3 && !ownWords.includes(leaf)) expect(text).not.toContain(leaf)
  }

  /** JSON as a parser gives it: `__proto__` is a key like any other. */
  const json = fc.json().map((text): unknown => JSON.parse(text))

  test.each(inputs)('%s refuses it as an invalid argument or takes it, and echoes nothing', (_, schema) => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), json), (input) => {
        expectNoEcho(schema, input)
      }),
    )
  })

  const places = [
    [],
    ['channels'],
    ...Object.keys(good.channels).map((key) => ['channels', key]),
    ['profile'],
    ...Object.keys(good.profile).map((key) => ['profile', key]),
    ['profile', 'seeking', '0'],
  ]

  /** `value` with what stands at `path` replaced. */
  function replaced(value: unknown, path: readonly string[], by: unknown): unknown {
    const [key, ...rest] = path
    if (key === undefined) return by
    if (Array.isArray(value))
      return value.map((item: unknown, index) => (String(index) === key ? replaced(item, rest, by) : item))
    const entries = Object.entries(typeof value === 'object' && value !== null ? value : {})
    return Object.fromEntries(entries.map(([name, inner]) => [name, name === key ? replaced(inner, rest, by) : inner]))
  }

  test('a good listing with something else at one place', () => {
    const something = fc.oneof(json, fc.string({ minLength: 4 }), fc.bigInt(), fc.constant(undefined))
    fc.assert(
      fc.property(fc.constantFrom(...places), something, (path, by) => {
        expectNoEcho(publishInput('dating'), replaced(good, path, by))
      }),
      { numRuns: 1_000 },
    )
  })

  test('a good listing with another key at one place', () => {
    const objects = fc.constantFrom([], ['channels'], ['profile'])
    fc.assert(
      fc.property(objects, fc.string({ minLength: 4 }), json, (path, key, value) => {
        const at = path.reduce<unknown>((inner, name) => new Map(Object.entries(inner ?? {})).get(name), good)
        const more = Object.fromEntries([...Object.entries(at ?? {}), [key, value]])
        expectNoEcho(publishInput('dating'), replaced(good, path, more))
      }),
      { numRuns: 1_000 },
    )
  })
})
