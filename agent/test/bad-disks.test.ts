import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { cp } from 'node:fs/promises'
import { createTestDirectory, type TestDirectory } from '../../testing/directory.ts'
import { commands } from '../src/cli.ts'
import { userErrorOf } from '../src/errors.ts'
import { styleOf } from '../src/output.ts'
import { createListed } from './agents.ts'
import { createTestContext, type TestContext } from './context.ts'
import { fullDisk, type BadDisk } from './disks.ts'

jest.setTimeout(60_000)

const handles = { telegram: 'a_fictional_name', whatsapp: '+12025550123' }

let directory: TestDirectory
let disk: BadDisk
let context: TestContext
let agentId: string
beforeEach(async () => {
  directory = await createTestDirectory()
  await directory.addPeer()
  const { context: prepared, agent } = await createListed({ directory }, handles)
  agentId = agent.agentId
  // Not a byte is left, so that no lock can be taken either.
  disk = await fullDisk((path) => cp(prepared.home.path, path, { recursive: true }))
  context = await createTestContext({ directory, home: disk.path })
  directory.requests.length = 0
})
afterEach(async () => {
  await disk[Symbol.asyncDispose]()
})

async function run(name: string, options: object = {}): Promise<{ shown?: string; failure?: string }> {
  const command = await commands.get(name)?.()
  if (command === undefined) throw new Error(`There is no command ${name}.`)
  try {
    return { shown: (await command.call(context, options)).show(styleOf({}, {})) }
  } catch (error) {
    const expected = userErrorOf(error)
    if (expected === null) throw error
    return { failure: expected.message }
  }
}

const requests = () => directory.requests.map(({ name }) => name)

describe('on a disk that is completely full', () => {
  test.each([
    ['status', {}, 'Telegram'],
    ['channels', {}, 'peers see it'],
    ['profile', {}, 'Age'],
    ['publish', { dryRun: true }, 'Nothing was sent.'],
    ['export', {}, 'mcpDirectory/dating'],
    ['settings', { open: false }, '/settings#code='],
    ['doctor', {}, 'the disk is full'],
  ])('a command that only reads works: %s', async (name, options, shown) => {
    expect(await run(name, options)).toEqual({ shown: expect.stringContaining(shown) })
  })

  test.each([
    ['publish', { yes: true }],
    ['discover', {}],
    ['peer', { peer: '6f1f7b0e-5b5c-4a53-8a4e-0123456789ab' }],
    ['link', { channel: 'telegram', handle: 'another_fictional', yes: true }],
    ['rotate', { yes: true }],
    ['profile', { age: '40' }],
  ])('a command that must write says so before anything is sent that counts: %s', async (name, options) => {
    expect(await run(name, options)).toEqual({
      failure: expect.stringMatching(/^Cannot write .*: the disk is full\.$/),
    })
    for (const sent of ['publishProfile', 'discover', 'batchGet', 'rotateSecret'])
      expect(requests()).not.toContain(sent)
  })

  test('an unlink is sent all the same, and the home is said to be out of date', async () => {
    const { shown } = await run('unlink', { channel: 'whatsapp', yes: true })
    expect(shown).toContain('Unlinking is finished')
    expect(shown).toContain('The files here could not be updated')
    const stored = directory.world.store.all().get(`mcpDirectory/dating/agents/${agentId}`)
    expect(stored).toMatchObject({ channels: { telegram: handles.telegram } })
  })

  test('an unlink that finds no directory either is not said to be kept', async () => {
    directory.isDown = true
    const command = await commands.get('unlink')?.()
    await expect(command?.call(context, { channel: 'whatsapp', yes: true })).rejects.toMatchObject({
      message: expect.stringContaining('still visible to peers') as unknown,
      hint: expect.stringMatching(/could not be saved here.*Run `koko unlink whatsapp` again/) as unknown,
    })
  })

  test('the daemon starts, keeps the agent online, and says what it cannot do', async () => {
    expect(await run('run', { once: true })).toEqual({ shown: expect.stringContaining('1 heartbeat') })
    expect(requests()).toContain('heartbeat')
    expect(requests()).not.toContain('discover')
    expect(context.progress.map(({ text }) => text).join('\n')).toMatch(
      /the disk is full\..*so a second daemon could start/,
    )
  })
})
