import { geohashOf } from '@koko/contract'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTestContext, leaves, type Answer, type TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { fullProfile as profile } from '../../../testing/samples.ts'
import { profileFile } from '../home/files.ts'
import { styleOf } from '../output.ts'
import { forgetHandle } from '../operations/link.ts'
import { publish } from '../operations/publish.ts'
import { setUpAgent } from '../../test/agents.ts'
import { command } from './profile.ts'

const style = styleOf({}, {})
const flags = {
  gender: 'woman',
  seeking: 'woman, man',
  age: '34',
  ageMin: '28',
  ageMax: '45',
  area: 'gcpv',
  maxDistance: '100',
  intent: 'long_term',
}
const { area: _area, ...withoutArea } = flags

let directory: TestDirectory
let context: TestContext
beforeEach(async () => {
  directory = await createTestDirectory()
  context = await createTestContext({ directory })
})

const answering = (answers: readonly Answer[]) => createTestContext({ directory, home: context.home.path, answers })
const run = (options: object, on: TestContext = context) => command.call(on, options)
const kept = async () => (await context.home.read(profileFile))?.profile
const areaOf = async (options: object) => {
  await run({ ...withoutArea, ...options })
  return (await kept())?.area
}
const allText = async () => {
  const names = (await readdir(context.home.path)).filter((name) => name.endsWith('.json'))
  return (await Promise.all(names.map((name) => readFile(join(context.home.path, name), 'utf8')))).join('\n')
}

test('is empty at first, and says what is missing', async () => {
  const { value, show } = await run({})
  expect(value).toMatchObject({ profile: null, missing: Object.keys(profile), isWritten: false })
  expect(show(style)).toContain('koko profile edit')
  expect(await kept()).toBeUndefined()
})

test('is written by options alone, shown in words, and not sent', async () => {
  expect((await run({ action: 'edit', ...flags, onlyIntents: 'long_term,open' })).value).toMatchObject({
    profile,
    onlyIntents: ['long_term', 'open'],
    isWritten: true,
  })
  const { value, show } = await run({})
  expect(value).toMatchObject({ profile, isWritten: false, missing: [] })
  const shown = show(style)
  expect(shown).toMatch(/Interested in\s+women and men/)
  expect(shown).toContain('the cell gcpv, about 24 × 20 km around 51.6° N, 0.2° W')
  expect(shown).toContain(
    'What you accept in a match: a long-term relationship and open to anything. This stays at home.',
  )
  expect(directory.requests).toEqual([])
})

test('accepts anyone, anywhere and anything', async () => {
  await run({ ...flags, seeking: '', maxDistance: 'anywhere', onlyIntents: '' })
  expect(await kept()).toMatchObject({ seeking: [], maxDistanceKm: null })
  expect((await run({})).show(style)).toMatch(
    /Interested in\s+anyone[^]*Distance\s+anywhere[^]*What you accept in a match: anything/,
  )
})

test('an option changes its own field only', async () => {
  await run({ ...flags, onlyIntents: 'open' })
  expect((await run({ age: '35' })).value).toMatchObject({ profile: { ...profile, age: 35 }, onlyIntents: ['open'] })
  expect((await run({ onlyIntents: 'casual' })).value).toMatchObject({ onlyIntents: ['casual'] })
  expect(await kept()).toEqual({ ...profile, age: 35 })
})

test('names every missing option in one error where koko cannot ask', async () => {
  await expect(run({ action: 'edit', age: '34', ageMin: '28' })).rejects.toMatchObject({
    hint: 'Also give --gender, --seeking, --age-max, --place (or --at, or --area), --max-distance, --intent.',
  })
  await run(flags)
  await expect(run({ action: 'edit' })).rejects.toMatchObject({ hint: expect.stringContaining('--gender') })
})

test.each([
  [{ age: '17' }, '--age must be a whole number from 18 to 120.'],
  [{ age: '34.5' }, '--age must be a whole number from 18 to 120.'],
  [{ ageMin: 'young' }, '--age-min must be a whole number from 18 to 120.'],
  [{ gender: 'lady' }, '--gender must be one of woman, man, nonbinary, other.'],
  [{ seeking: 'woman,woman' }, '--seeking must not name the same twice.'],
  [{ maxDistance: '0' }, '--max-distance must be a whole number from 1 to 20000, or anywhere.'],
  [{ area: 'gcpvj' }, '--area must be a geohash of 2 to 4 characters, of 0 to 9 and b to z without i, l and o.'],
  [{ coarse: '5' }, '--coarse must be 2, 3, or 4.'],
  [{ action: 'show' }, 'action must be edit, or left out.'],
  [{ ageMin: '50' }, '--age-max must not be below --age-min.'],
  [{ area: 'gcpv', at: '51.5,-0.1' }, '--place, --at and --area cannot be combined.'],
])('an option that is not valid changes nothing, and the error says what is valid: %j', async (options, message) => {
  await run(flags)
  await expect(run(options)).rejects.toMatchObject({ name: 'UserError', message })
  expect(await kept()).toEqual(profile)
})

describe('of a place', () => {
  test('only the cell is kept: neither the city nor the position is written anywhere', async () => {
    expect(await areaOf({ place: 'Reykjavík' })).toBe(geohashOf({ latitude: 64.15, longitude: -21.94 }, 4))
    expect(await allText()).not.toMatch(/Reykjav|64\.15|21\.94/)
    expect(await areaOf({ at: '52.5219184,13.4132147' })).toBe('u33d')
    expect(await allText()).not.toMatch(/52\.52|13\.41/)
  })

  test('the cell is a coarse one where few people live, as the command says, and as coarse as the operator wants', async () => {
    const { value, show } = await run({ ...withoutArea, at: '68.35,14.6' })
    expect(value).toMatchObject({ profile: { area: expect.stringMatching(/^...$/) }, isCoarse: true })
    expect(show(style)).toContain('For the smallest one, add --coarse 4.')
    expect(await areaOf({ at: '68.35,14.6', coarse: '4' })).toHaveLength(4)
    expect(await areaOf({ place: 'Berlin', coarse: '2' })).toBe('u3')
    expect(await areaOf({ area: 'gcpv', coarse: '3' })).toBe('gcp')
    expect((await run({ coarse: '2' })).value).toMatchObject({ profile: { area: 'gc' }, isCoarse: false })
    await expect(run({ coarse: '4' })).rejects.toThrow('larger, but not smaller')
  })

  test('a name of several cities is the most populous, and the output names it and the others', async () => {
    const { value, show } = await run({ ...withoutArea, place: 'London' })
    expect(value).toMatchObject({
      profile: { area: 'gcpv' },
      place: 'London, United Kingdom',
      otherPlaces: ['London, Canada'],
    })
    expect(show(style)).toContain(
      'The place is London, United Kingdom. For another place of that name, add its country: "London, Canada".',
    )
    expect(await areaOf({ place: 'London, Canada' })).toMatch(/^dpw/)
  })

  test('a name of no city needs a better name', async () => {
    await expect(areaOf({ place: 'Brelin' })).rejects.toMatchObject({
      hint: expect.stringMatching(/^Did you mean "Berlin, Germany"/),
    })
    await expect(areaOf({ place: 'Xyzzyville' })).rejects.toMatchObject({ hint: expect.stringContaining('--at') })
    await expect(areaOf({ at: 'here' })).rejects.toMatchObject({ hint: 'Write it like 51.5,-0.1.' })
  })
})

describe('what was edited is published', () => {
  const edited = async () => (await run({ age: '35' })).show(style).split('\n').at(-1)

  test('by the operator, before the first yes', async () => {
    await run(flags)
    expect(await edited()).toMatch(/ Nothing was sent: `koko publish` does that\.$/)
  })

  test('by the daemon too, once every handle is agreed to, and within the time that it says', async () => {
    await setUpAgent(context, directory, { telegram: 'a_fictional_name' }, profile)
    await publish(context, { agree: () => Promise.resolve(true) })
    expect((await run({ age: '34' })).show(style)).toContain(
      'Your listing has the same profile, so there is nothing to publish.',
    )
    expect(await edited()).toContain('and so does `koko run` when you start it')
    const said = await context.home.locked('daemon', 0, edited)
    expect(said).toMatch(/ Nothing was sent yet: `koko run` \(process \d+\) publishes it, usually within 30 seconds\.$/)
  })

  test('not by the daemon where a listed channel would leave the listing', async () => {
    await setUpAgent(context, directory, { telegram: 'a_fictional_name', discord: '80351110224678912' }, profile)
    await publish(context, { agree: () => Promise.resolve(true) })
    await forgetHandle(context, 'discord')
    expect(await context.home.locked('daemon', 0, edited)).toMatch(/ Nothing was sent: `koko publish` does that\.$/)
  })
})

describe('in a terminal', () => {
  const answers = (where: readonly Answer[]): Answer[] => [
    ['What is your gender', 'woman'],
    ['Who are you interested in', ['woman', 'man']],
    ['How old are you', 'thirty'],
    ['How old are you', '34'],
    ['lowest age', '28'],
    ['highest age', '27'],
    ['highest age', '45'],
    ...where,
    ['How far away', 'near'],
    ['How far away', '100'],
    ['What are you looking for', 'long_term'],
    ['What may a match be looking for', ['long_term']],
  ]

  test('asks for each field in words, and again until the answer is valid', async () => {
    const asked = await answering(
      answers([
        ['Where are you', 'city'],
        ['Which city', 'Lodnon'],
        ['Which city', 'London'],
        ['How large is the cell', 'gcpv'],
      ]),
    )
    const { value } = await run({ action: 'edit' }, asked)
    expect(value).toMatchObject({ profile, onlyIntents: ['long_term'] })
    expect(asked.refused).toEqual([
      'It must be a whole number from 18 to 120.',
      'It must not be below 28.',
      expect.stringContaining('Did you mean "London, United Kingdom" or "London, Canada"?'),
      'It must be a whole number from 1 to 20000, or anywhere.',
    ])
    expect(asked.answers).toEqual([])
  })

  test('offers a coarser cell for a position where few people live, and says why', async () => {
    const asked = await answering(
      answers([
        ['Where are you', 'position'],
        ['What are the latitude and longitude', 'up north'],
        ['What are the latitude and longitude', '68.35, 14.6'],
        ['Few people live around here', geohashOf({ latitude: 68.35, longitude: 14.6 }, 3)],
      ]),
    )
    await run({ action: 'edit' }, asked)
    expect((await kept())?.area).toHaveLength(3)
    expect(await allText()).not.toMatch(/68\.35|14\.6/)
  })

  test('the cell can stay the same', async () => {
    await run(flags)
    await run({ action: 'edit' }, await answering(answers([['Where are you', 'keep']])))
    expect(await kept()).toEqual(profile)
  })

  test('asks only for fields that no option gives', async () => {
    const { intent: _intent, ...most } = flags
    await run(most, await answering([['What are you looking for', 'open']]))
    expect(await kept()).toEqual({ ...profile, intent: 'open' })
  })

  test('cancelling changes nothing', async () => {
    await run(flags)
    const leaving: Answer[] = [
      ['What is your gender', 'man'],
      ['Who', leaves],
    ]
    await expect(run({ action: 'edit' }, await answering(leaving))).rejects.toThrow('left')
    expect(await kept()).toEqual(profile)
  })
})

test('reads the profile of an older koko, with the dealbreaker that stays at home', async () => {
  await mkdir(context.home.path, { recursive: true })
  await writeFile(
    join(context.home.path, 'profile.json'),
    JSON.stringify({ version: 1, profile, onlyIntents: ['open'] }),
  )
  expect((await run({})).value).toMatchObject({ profile, onlyIntents: ['open'] })
})
