import { beforeEach, describe, expect, test } from '@jest/globals'
import { chmod, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { call } from '../../../testing/world.ts'
import { openSettings, setUpAgent } from '../../test/agents.ts'
import { createTestContext, leaves, type Answer, type TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { handlesFile, publishedFile } from '../home/files.ts'
import { styleOf } from '../output.ts'
import { publish } from '../operations/publish.ts'
import { unlink } from '../operations/unlink.ts'
import { command } from './unlink.ts'

const telegram = 'alice_a'
const whatsapp = '+12025550123'
const style = styleOf({}, {})

let directory: TestDirectory
let context: TestContext
let agentId: string
beforeEach(async () => {
  directory = await createTestDirectory()
  context = await createTestContext({ directory })
  agentId = await setUpAgent(context, directory, { telegram, whatsapp })
  await publish(context, { agree: () => Promise.resolve(true) })
  await directory.republish()
})

const answering = (answers: readonly Answer[]) => createTestContext({ directory, home: context.home.path, answers })
const sent = (name: string) => directory.requests.filter((request) => request.name === name)
const stored = (path: string) => directory.world.store.all().get(path)
const listed = () => stored(`mcpDirectory/dating/agents/${agentId}`)?.channels
const withdrawn = async () => (await context.home.read(handlesFile))?.whatsapp

test('unlinks a channel after a yes, and reports until no shard holds it', async () => {
  const asked = await answering([['Stop sharing your WhatsApp handle?', true]])
  const { value, show, isBad } = await command.call(asked, { channel: 'whatsapp' })
  expect(asked.said.join()).toContain('A peer that has already read it may keep it.')
  expect(value).toMatchObject({ channel: 'whatsapp', state: 'gone', goneAtMs: expect.any(Number) })
  expect(isBad).toBe(false)
  expect(show(style)).toContain('Unlinking is finished. The directory does not show your WhatsApp handle to peers')
  expect(asked.progress.map(({ text }) => text).join()).toMatch(/out of the listing.*out of every answer/)
  expect(asked.paused.slice(0, 3)).toEqual([3_000, 5_000, 5_000])
  expect(JSON.stringify(asked.progress)).not.toContain(whatsapp)

  expect(listed()).toEqual({ telegram })
  expect(JSON.stringify([...directory.world.store.all()])).not.toContain(whatsapp)
  expect(await withdrawn()).toEqual({ handle: whatsapp, agreedAtMs: null })
  expect(await context.home.read(publishedFile)).toMatchObject({
    listing: { channels: { telegram } },
    withheld: [{ channel: 'whatsapp' }],
  })
})

test('leaves all as it is without a yes', async () => {
  await expect(command.call(await answering([['WhatsApp', false]]), { channel: 'whatsapp' })).rejects.toThrow('Nothing')
  await expect(command.call(await answering([['WhatsApp', leaves]]), { channel: 'whatsapp' })).rejects.toThrow('left')
  await expect(command.call(context, { channel: 'whatsapp' })).rejects.toMatchObject({ hint: 'Add --yes.' })
  expect(sent('unlinkChannel')).toHaveLength(0)
  expect(listed()).toEqual({ telegram, whatsapp })
})

test('a channel that does not exist is suggested, and what was typed is not repeated', async () => {
  await expect(command.call(context, { channel: 'whatsap', yes: true })).rejects.toMatchObject({
    hint: 'Did you mean whatsapp?',
  })
  await expect(command.call(context, { channel: whatsapp, yes: true })).rejects.toMatchObject({
    message: expect.not.stringContaining(whatsapp),
    hint: expect.not.stringContaining(whatsapp),
  })
})

test('with --no-wait ends once the directory has acknowledged', async () => {
  const { value, show } = await command.call(context, { channel: 'WhatsApp', wait: false, yes: true })
  expect(value).toMatchObject({ state: 'under way', goneAtMs: null })
  expect(show(style)).toContain('koko channels')
  expect(context.paused).toEqual([])
  expect(listed()).toEqual({ telegram })
})

test('the only channel takes the listing with it, and that is said before', async () => {
  await unlink(context, { channel: 'telegram', wait: false })
  const asked = await answering([['WhatsApp', true]])
  await command.call(asked, { channel: 'whatsapp', wait: false })
  expect(asked.said.join()).toContain('Without it, your agent has no listing.')
  expect(listed()).toBeUndefined()
  expect(await context.home.read(publishedFile)).toMatchObject({ listing: null })
})

test('a channel that was never published, or linked, is kept out all the same', async () => {
  expect(await unlink(context, { channel: 'slack', wait: true })).toMatchObject({ state: 'gone' })
  expect(stored(`unlinks/${agentId}`)).toHaveProperty('slack')
  expect(await context.home.read(handlesFile)).not.toHaveProperty('slack')
})

test('once more, or twice at once, has the times of the first', async () => {
  const both = [
    unlink(context, { channel: 'whatsapp', wait: true }),
    unlink(context, { channel: 'whatsapp', wait: true }),
  ]
  const [one, two] = await Promise.all(both)
  expect(one).toEqual(two)
  const before = context.paused.length
  expect(await unlink(context, { channel: 'whatsapp', wait: true })).toEqual(one)
  expect(context.paused).toHaveLength(before)
  expect((await context.home.read(publishedFile))?.withheld).toHaveLength(1)
})

describe('while it waits', () => {
  test('it says honestly after five minutes that copies are left, and how to look', async () => {
    directory.republish = () => Promise.resolve()
    const { value, show } = await command.call(context, { channel: 'whatsapp', yes: true })
    expect(value).toMatchObject({ state: 'under way', goneAtMs: null })
    expect(show(style)).toContain('`koko channels` shows when')
    const waitedMs = context.paused.reduce((sum, ms) => sum + ms, 0)
    expect(waitedMs >= 300_000 && waitedMs < 310_000).toBe(true)
  })

  test('a directory that is away for a while is asked again', async () => {
    directory.intercept = ({ name }, answer) => {
      if (name === 'exportAgent' && context.paused.length < 10) throw new TypeError('fetch failed')
      return answer()
    }
    expect(await unlink(context, { channel: 'whatsapp', wait: true })).toMatchObject({ state: 'gone' })
  })

  test('Ctrl-C ends the waiting, and the channel is unlinked', async () => {
    directory.intercept = ({ name }, answer) => {
      if (name === 'exportAgent') context.stop()
      return answer()
    }
    expect(await unlink(context, { channel: 'whatsapp', wait: true })).toMatchObject({ state: 'under way' })
    expect(listed()).toEqual({ telegram })
  })

  test('the settings page can allow the channel again', async () => {
    const claims = await openSettings(context, directory)
    directory.intercept = async ({ name }, answer) => {
      if (name === 'exportAgent') await call(directory.world, 'relinkChannel', claims, { channel: 'whatsapp' })
      return answer()
    }
    const { value, show } = await command.call(context, { channel: 'whatsapp', yes: true })
    expect(value).toMatchObject({ state: 'allowed again' })
    expect(show(style)).toContain('allowed again')
  })
})

test('where the answer is lost, the yes is withdrawn all the same, and running it again is safe', async () => {
  directory.intercept = async ({ name }, answer) => {
    const response = await answer()
    if (name === 'unlinkChannel') throw new TypeError('terminated')
    return response
  }
  await expect(unlink(context, { channel: 'whatsapp', wait: false })).rejects.toThrow('still visible to peers')
  expect(await withdrawn()).toEqual({ handle: whatsapp, agreedAtMs: null })
  directory.intercept = (_request, answer) => answer()
  expect(await unlink(context, { channel: 'whatsapp', wait: true })).toMatchObject({ state: 'gone' })
})

test('where the directory refuses, what was known of the listing stays known', async () => {
  const before = await context.home.read(publishedFile)
  directory.intercept = (request, answer) =>
    request.name === 'unlinkChannel'
      ? Promise.resolve(Response.json({ error: { status: 'ABORTED', message: 'Try again.' } }, { status: 409 }))
      : answer()
  await expect(unlink(context, { channel: 'whatsapp', wait: false })).rejects.toMatchObject({
    message: expect.stringContaining('The directory says: "Try again."'),
  })
  expect(await context.home.read(publishedFile)).toEqual(before)
})

describe('a home that cannot be told', () => {
  const damaged = (name: string) => writeFile(join(context.home.path, name), 'nonsense')

  test('because a file is damaged does not keep the handle with others', async () => {
    await damaged('handles.json')
    const { value, show } = await command.call(context, { channel: 'whatsapp', yes: true })
    expect(value).toMatchObject({ state: 'gone', problem: { next: 'Run `koko doctor`.' } })
    expect(show(style)).toContain('handles.json is damaged')
    expect(listed()).toEqual({ telegram })
    expect(await context.home.read(publishedFile)).toMatchObject({ listing: { channels: { telegram } } })
  })

  test('because what was published last is damaged is told nothing of it', async () => {
    await damaged('published.json')
    expect(await unlink(context, { channel: 'whatsapp', wait: false })).not.toHaveProperty('problem')
    expect(await context.home.read(publishedFile)).toBeUndefined()
  })

  test('because its disk takes no lock does not either', async () => {
    const locks = join(context.home.path, 'locks')
    await rm(locks, { recursive: true })
    await writeFile(locks, '')
    await chmod(locks, 0o600)
    const taken = await unlink(context, { channel: 'whatsapp', wait: true })
    expect(taken).toMatchObject({ state: 'gone', problem: { message: expect.stringContaining('Cannot write') } })
    expect(listed()).toEqual({ telegram })
  })
})
