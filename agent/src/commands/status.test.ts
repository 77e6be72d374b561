import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { cp, readdir, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createListed, createRegistered } from '../../test/agents.ts'
import { createTestContext, freshFolder, type TestContext } from '../../test/context.ts'
import { readOnlyDisk } from '../../test/disks.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { runDaemon } from '../daemon/daemon.ts'
import { agentFile, daemonFile, handlesFile, profileFile, publishedFile } from '../home/files.ts'
import { styleOf } from '../output.ts'
import { status } from '../operations/status.ts'
import { command } from './status.ts'

const hour = 3_600_000
const handles = { telegram: 'a_fictional_name', whatsapp: '+12025550123' }
const style = styleOf({}, {})

let directory: TestDirectory
let context: TestContext
let agentId: string
beforeEach(async () => {
  directory = await createTestDirectory()
  ;({
    context,
    agent: { agentId },
  } = await createListed({ directory }, handles))
  directory.requests.length = 0
})

const shown = async () => (await command.call(context, {})).show(style)

afterEach(async () => {
  // It never tells a handle or the secret.
  const { value } = await command.call(context, {})
  const told = `${JSON.stringify(value)} ${await shown()}`
  for (const handle of Object.values(handles)) expect(told).not.toContain(handle)
  const agent = await context.home.read(agentFile).catch(() => undefined)
  if (agent !== undefined) expect(told).not.toContain(agent.secret)
})

test('tells how an agent stands from what is kept here, without asking anybody', async () => {
  expect((await command.call(context, {})).value).toEqual({
    agent: { agentId, room: 'dating', registeredAtMs: expect.any(Number) },
    directory: { origin: directory.origin, isEmulated: false },
    isListed: true,
    channels: [
      { channel: 'whatsapp', state: 'published' },
      { channel: 'telegram', state: 'published' },
    ],
    onlineUntilMs: Date.UTC(2100, 0, 17, 12),
    isOnline: true,
    hasProfile: true,
    unpublished: [],
    daemon: { pid: null, failures: [] },
    discoveredAtMs: null,
    peers: 0,
    budget: { discover: { used: 0, of: 100 }, batchGet: { used: 0, of: 2_000 } },
    problems: [],
  })
  expect(directory.requests).toEqual([])
})

test('without an agent says how to get one, and makes no folder', async () => {
  const home = await freshFolder()
  const outcome = await command.call(await createTestContext({ directory, home }), {})
  expect(outcome).toMatchObject({ value: { agent: null }, isBad: false })
  expect(outcome.show(style)).toContain('koko init')
  expect(existsSync(home)).toBe(false)
})

test('names a directory that runs under emulators', async () => {
  const emulated = await createTestDirectory({ isEmulated: true })
  const { context: other } = await createRegistered({ directory: emulated })
  const outcome = await command.call(other, {})
  expect(outcome.value).toMatchObject({ directory: { isEmulated: true }, isListed: null, onlineUntilMs: null })
  expect(outcome.show(style)).toContain('fictional numbers only')
  expect(outcome.show(style)).toContain('koko profile edit')
})

test('names what is not published yet, and what waits for a yes, without its value', async () => {
  await context.home.change(async (files) => {
    const kept = await files.read(profileFile)
    if (kept === undefined) throw new Error('no profile is kept')
    await files.write(profileFile, { ...kept, profile: { ...kept.profile, age: 44 } })
    const agreed = await files.read(handlesFile)
    await files.write(handlesFile, { ...agreed, slack: { handle: 'U0FICTION1', agreedAtMs: null } })
  })
  expect(await status(context)).toMatchObject({ unpublished: ['channels.slack', 'profile.age'] })
  expect(await shown()).toMatch(/Slack +waits for your yes: run `koko publish`/)
  expect(await shown()).toMatch(/not published yet +Slack, profile\.age/)
  expect(await shown()).not.toContain('U0FICTION1')
  await context.home.change((files) => files.remove(publishedFile))
  expect(await shown()).toMatch(/not published yet +WhatsApp, Telegram, Slack, the profile/)
})

test('names an unlinked channel', async () => {
  await context.home.change(async (files) => {
    const published = await files.read(publishedFile)
    if (published?.listing == null) throw new Error('nothing is published')
    const { telegram } = handles
    await files.write(publishedFile, {
      ...published,
      listing: { ...published.listing, channels: { telegram } },
      withheld: [{ channel: 'whatsapp', unlinkedAtMs: 1 }],
    })
  })
  expect(await status(context)).toMatchObject({
    channels: [
      { channel: 'whatsapp', state: 'unlinked' },
      { channel: 'telegram', state: 'published' },
    ],
    unpublished: [],
  })
})

test('says since when the agent is offline, and what a heartbeat has moved', async () => {
  await directory.pass(61 * hour)
  expect(await status(context)).toMatchObject({ isOnline: false, onlineUntilMs: Date.UTC(2100, 0, 17, 12) })
  expect(await shown()).toContain('offline since')
  await runDaemon(context, { discoverAtMinutes: 0, once: true, timeZone: 'UTC' })
  expect(await status(context)).toMatchObject({ isOnline: true, onlineUntilMs: Date.UTC(2100, 0, 20, 12) })
})

test('tells of the daemon that runs, and of what does not succeed', async () => {
  await context.home.change((files) =>
    files.write(daemonFile, {
      agentId,
      onlineUntilMs: null,
      discoveredAtMs: context.nowMs(),
      discoveredOn: ['2100-01-15'],
      failures: [{ action: 'discovery', atMs: context.nowMs(), message: 'Nobody answers.', next: 'Wait.' }],
    }),
  )
  await context.home.locked('daemon', 0, async () => {
    expect(await status(context)).toMatchObject({
      daemon: { pid: process.pid, failures: [{ action: 'discovery' }] },
      discoveredAtMs: context.nowMs(),
    })
    expect(await shown()).toContain(`running as process ${process.pid}`)
    expect(await shown()).toContain('Nobody answers. Wait.')
  })
  expect(await shown()).toContain('not running: start it with `koko run`')
})

test("tells nothing of another agent's daemon", async () => {
  await context.home.change((files) =>
    files.write(daemonFile, {
      agentId: '00000000-0000-4000-8000-000000000001',
      onlineUntilMs: Date.UTC(2101, 0, 1),
      discoveredAtMs: 1,
      discoveredOn: [],
      failures: [{ action: 'publish', atMs: 1, message: 'Nobody answers.', next: 'Wait.' }],
    }),
  )
  expect(await status(context)).toMatchObject({
    daemon: { failures: [] },
    discoveredAtMs: null,
    onlineUntilMs: Date.UTC(2100, 0, 17, 12),
  })
})

describe('where the home is not as it should be', () => {
  test('a damaged file is named, the rest is shown, and the exit code is 1', async () => {
    await writeFile(join(context.home.path, 'peers.json'), '{')
    const outcome = await command.call(context, {})
    expect(outcome).toMatchObject({ isBad: true, value: { isListed: true, peers: 0 } })
    expect(outcome.show(style)).toContain('peers.json is damaged')
    await writeFile(join(context.home.path, 'agent.json'), '{')
    expect(await command.call(context, {})).toMatchObject({ isBad: true, value: { agent: null } })
  })

  test('a home that cannot be written is read all the same', async () => {
    await using disk = await readOnlyDisk((path) => cp(context.home.path, path, { recursive: true }))
    const onDisk = await createTestContext({ directory, home: disk.path })
    expect(await status(onDisk)).toMatchObject({ agent: { agentId }, daemon: { pid: null } })
  })

  test('the home is left as it is', async () => {
    const everything = () => readdir(context.home.path, { recursive: true })
    const before = await everything()
    await status(context)
    expect(await everything()).toEqual(before)
  })
})
