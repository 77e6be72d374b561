import { describe, expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import * as z from 'zod'
import { invalidFixtures, validFixtures } from '../../fixtures/read.ts'
import { sampleProfile } from '../../testing/samples.ts'
import {
  BatchGetInput,
  callables,
  Channel,
  DirectoryError,
  DiscoverInput,
  parse,
  publishInput,
  RoomName,
} from './index.ts'

const root = new URL('../../fixtures/', import.meta.url)

const Violations = z.array(z.strictObject({ path: z.string(), message: z.string() }))

/** A good publishProfile input, into which the handles and profiles of `channels/` and `profile/` are put. */
const good = {
  channels: { whatsapp: '+12025550123' },
  profile: sampleProfile,
}

interface Place {
  /** The input's schema. */
  schema: z.ZodType
  /** The whole input of the endpoint, for what a fixture gives. */
  whole: (input: unknown) => unknown
}

const whole = (input: unknown) => input

/** What each folder of `fixtures/` holds. */
const places: Record<string, Place> = {
  ...Object.fromEntries(
    Channel.options.map((channel): [string, Place] => [
      `channels/${channel}`,
      { schema: publishInput('dating'), whole: (handle) => ({ ...good, channels: { [channel]: handle } }) },
    ]),
  ),
  ...Object.fromEntries(
    RoomName.options.map((room): [string, Place] => [
      `profile/${room}`,
      { schema: publishInput(room), whole: (profile) => ({ ...good, profile }) },
    ]),
  ),
  publish: { schema: publishInput('dating'), whole },
  register: { schema: callables.registerAgent.input, whole },
  discover: { schema: DiscoverInput, whole },
  'batch-get': { schema: BatchGetInput, whole },
}

/** What a strict parse of `input` throws, as it would cross the boundary. */
function refusal(schema: z.ZodType, input: unknown): DirectoryError {
  try {
    parse(schema, input)
  } catch (error) {
    if (error instanceof DirectoryError) return error
    throw error
  }
  throw new Error('The input is accepted.')
}

function at(value: unknown, path: string): unknown {
  return path === ''
    ? value
    : path
        .split('.')
        .reduce<unknown>(
          (inner, key) =>
            typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key)
              ? new Map<string, unknown>(Object.entries(inner)).get(key)
              : undefined,
          value,
        )
}

/** The strings, long numbers and keys of a value: what an error must not repeat. */
function leaves(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value === 'number') return [String(value)]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => [key, ...leaves(inner)])
}

const walked = Object.keys(places).flatMap((place) => [`${place}/valid`, `${place}/invalid`])
const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
  .map((entry) => ({ folder: entry.parentPath.slice(root.pathname.length), name: entry.name }))

test('every folder of fixtures is walked, and every one holds files', () => {
  expect([...new Set(files.map(({ folder }) => folder))].sort()).toEqual([...walked].sort())
})

describe.each(Object.entries(places))('%s', (folder, { schema, whole }) => {
  test.each(validFixtures(folder))('accepts $path', ({ input }) => {
    expect(parse(schema, whole(input))).toEqual(whole(input))
  })

  test.each(invalidFixtures(folder))('refuses $path at the place it names, for the reason it names', (fixture) => {
    const input = whole(fixture.input)

    if (fixture.code === 'failed-precondition') {
      // What is not a consent is parsed to one that was not given, and registration refuses that.
      expect(at(parse(schema, input), fixture.at)).toBe(false)
      return
    }

    const { code, message, details } = refusal(schema, input)
    expect(code).toBe('invalid-argument')
    const [violation, ...more] = Violations.parse(details)
    expect(more).toEqual([])
    expect(violation).toEqual({ path: fixture.at, message: fixture.message ?? expect.any(String) })
    expect(message).toBe(`${fixture.at === '' ? 'The input' : fixture.at} ${violation?.message ?? ''}.`)

    const permitted = new Set(fixture.message?.replace(/^takes only the keys /, '').split(', '))
    const text = message + JSON.stringify(details)
    for (const leaf of leaves(at(input, fixture.at)))
      if (leaf.length > 3 && !permitted.has(leaf)) expect(text).not.toContain(leaf)
  })
})

test('a fixture is named for its reason, in lower case and dashes', () => {
  expect(files.filter(({ name }) => !/^[a-z0-9]+(-[a-z0-9]+)*\.json$/.test(name))).toEqual([])
})

test('a fixture is plain ASCII, so that a look-alike or an invisible character shows', () => {
  const text = ({ folder, name }: (typeof files)[number]) => readFileSync(new URL(`${folder}/${name}`, root), 'utf8')
  expect(files.filter((file) => !/^[\n\x20-\x7e]*$/.test(text(file)))).toEqual([])
})
