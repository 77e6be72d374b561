import { expect, test } from '@jest/globals'
import { createListed } from '../../test/agents.ts'
import type { TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { profileFile } from '../home/files.ts'
import { publish } from '../operations/publish.ts'
import { styleOf } from '../output.ts'
import { command } from './discover.ts'

async function shown(context: TestContext, input: object = {}): Promise<string> {
  return (await command.call(context, input)).show(styleOf({}, {}))
}

async function listed(directory: TestDirectory): Promise<TestContext> {
  const { context } = await createListed({ directory }, { telegram: 'a_fictional_name', slack: 'U0FICTIONAL' })
  return context
}

test('shows matches in a table, the best first, and how to reach the best', async () => {
  const directory = await createTestDirectory()
  const context = await listed(directory)
  const far = await directory.addPeer({ channels: { slack: 'U0FARAWAY' }, profile: { area: 'u09t', age: 34 } })
  const near = await directory.addPeer({ channels: { telegram: 'near_by' }, profile: { intent: 'open' } })
  await directory.addPeer({ profile: { age: 80, ageMax: 90 } })
  const text = await shown(context)
  const [nearId, farId] = [near.agentId.slice(0, 8), far.agentId.slice(0, 8)]
  expect(text.split('\n')).toEqual([
    'Looked at 3 listings: 2 matches.',
    '',
    '  id        age  gender  looking for  distance      reached by',
    `  ${nearId}  30   woman   open         same area     Telegram near_by  new`,
    `  ${farId}  34   woman   open         about 358 km  Slack U0FARAWAY   new`,
    '',
    `\`koko peer ${nearId}\` checks that this peer is still listed, and shows how to reach it.`,
    '',
    '1 left out: `--explain` says why.',
    '',
    'Used today: 3 of 100 listings discovered, 0 of 2,000 peers refreshed. There are no more listings.',
  ])
})

test('names every shared channel of a match, and the handle of the best', async () => {
  const directory = await createTestDirectory()
  const context = await listed(directory)
  await directory.addPeer({ channels: { slack: 'U0FARAWAY', telegram: 'near_by', whatsapp: '+12025550111' } })
  const text = await shown(context)
  expect(text).toContain('Telegram near_by or Slack')
  expect(text).not.toContain('WhatsApp')
})

test('names with --explain who was left out, and why', async () => {
  const directory = await createTestDirectory()
  const context = await listed(directory)
  const old = await directory.addPeer({ profile: { age: 80, ageMax: 90 } })
  const apart = await directory.addPeer({ channels: { discord: '100000000000000001' } })
  const text = await shown(context, { explain: true })
  expect(text).toContain('0 matches.')
  expect(text).toContain(`  ${old.agentId.slice(0, 8)}  outside your age range\n`)
  expect(text).toContain(`  ${apart.agentId.slice(0, 8)}  publishes no channel that you publish too\n`)
  expect(text).not.toContain('100000000000000001')
})

test('leaves out columns where the terminal is narrow, never an id or a part of a handle', async () => {
  const directory = await createTestDirectory()
  const context = await listed(directory)
  const handle = 'a_handle_of_as_many_characters_1'
  const { agentId } = await directory.addPeer({ channels: { telegram: handle } })
  const outcome = await command.call(context, {})
  for (let width = 56; width < 120; width += 1) {
    const table = outcome.show(styleOf({ columns: width }, {})).split('\n\n')[1] ?? ''
    expect(Math.max(...table.split('\n').map((line) => line.length))).toBeLessThanOrEqual(width)
    expect(table).toContain(`Telegram ${handle}`)
    expect(table).toContain(agentId.slice(0, 8))
  }
  expect(outcome.show(styleOf({ columns: 120 }, {}))).toContain('looking for')
  expect(outcome.show(styleOf({ columns: 60 }, {}))).not.toContain('looking for')
})

test('suggests to begin with the nearest where most are too far away', async () => {
  const directory = await createTestDirectory()
  const context = await listed(directory)
  await directory.addPeer({ profile: { area: 'r3gx' } })
  expect(await shown(context)).not.toContain('--near-me')
  await context.home.change(async (files) => {
    const kept = await files.read(profileFile)
    if (kept !== undefined) await files.write(profileFile, { ...kept, profile: { ...kept.profile, maxDistanceKm: 50 } })
  })
  expect(await shown(context)).toContain('`--near-me` starts with the nearest')
  await publish(context, { agree: () => Promise.resolve(false) })
  expect(await shown(context, { nearMe: true })).not.toContain('--near-me')
})

test('tells a note, such as of a budget', async () => {
  const directory = await createTestDirectory()
  const context = await listed(directory)
  await directory.addPeer()
  await command.call(context, {})
  directory.intercept = ({ name }, answer) => (name === 'discover' ? Promise.reject(new TypeError()) : answer())
  expect(await shown(context)).toContain('The directory interrupted the discovery. What was found until then is saved.')
})

test('says no handle while it works', async () => {
  const directory = await createTestDirectory()
  const context = await listed(directory)
  await directory.addPeer({ channels: { telegram: 'not_in_progress' } })
  await command.call(context, {})
  await command.call(context, {})
  expect(context.progress.length).toBeGreaterThan(1)
  expect(JSON.stringify(context.progress)).not.toContain('not_in_progress')
  for (const { done = 0 } of context.progress) expect(done >= 0 && done <= 1).toBe(true)
})

test('takes no other options', async () => {
  const directory = await createTestDirectory()
  await expect(command.call(await listed(directory), { limit: '3' })).rejects.toThrow('The command')
})
