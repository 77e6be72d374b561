import { beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createTestContext, type Answer, type TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { setUpAgent } from '../../test/agents.ts'
import { UserError } from '../errors.ts'
import { handlesFile } from '../home/files.ts'
import { styleOf } from '../output.ts'
import { command } from './link.ts'
import { publish } from '../operations/publish.ts'
import { unlink } from '../operations/unlink.ts'

const style = styleOf({}, {})

let directory: TestDirectory
let context: TestContext
beforeEach(async () => {
  directory = await createTestDirectory()
  context = await createTestContext({ directory })
})

const answering = (answers: readonly Answer[]) => createTestContext({ directory, home: context.home.path, answers })
const run = (channel: string, handle: string, options: object = {}, on: TestContext = context) =>
  command.call(on, { channel, handle, ...options })
const kept = () => context.home.read(handlesFile)

test('keeps a handle in its one form before there is an agent, and sends nothing', async () => {
  const { value, show } = await run('telegram', 'https://t.me/alice_a')
  expect(value).toMatchObject({ channel: 'telegram', handle: 'alice_a', isChanged: true, isAgreed: false })
  expect(show(style)).toContain('Telegram alice_a is kept here. Nothing was sent.')
  expect(show(style)).toContain('`koko publish`')
  expect(await kept()).toEqual({ telegram: { handle: 'alice_a', agreedAtMs: null } })
  await run('discord', '<@80351110224678912>')
  expect(Object.keys((await kept()) ?? {})).toEqual(['telegram', 'discord'])
  expect(directory.requests).toEqual([])
})

test('shows what will be kept before it is kept, and asks where it is not what was typed', async () => {
  const same = await answering([])
  await run('telegram', 'alice_a', {}, same)
  expect(same.said).toEqual(['Telegram alice_a will be kept here.'])
  const other = await answering([['Keep alice_b for Telegram?', false]])
  await expect(run('telegram', '@alice_b', {}, other)).rejects.toThrow('Nothing was kept')
  expect(other.said.join()).toContain('in place of the handle kept so far')
  expect(await kept()).toMatchObject({ telegram: { handle: 'alice_a' } })
  await run('telegram', '@alice_b', {}, await answering([['Keep alice_b', true]]))
  expect(await kept()).toMatchObject({ telegram: { handle: 'alice_b' } })
})

describe('WhatsApp', () => {
  test('says what the number gives away and the four ways around it, and asks', async () => {
    const asked = await answering([['Keep +12025550123 for WhatsApp?', true]])
    await run('whatsapp', '+1 202 555 0123', {}, asked)
    const said = asked.said.join('\n')
    expect(said).toContain('the handle is the phone number')
    for (const way of ['Another channel', 'A dedicated number', 'A generated number', 'Several channels']) {
      expect(said).toContain(way)
    }
    expect(await kept()).toEqual({ whatsapp: { handle: '+12025550123', agreedAtMs: null } })
  })

  test('is not kept without a yes', async () => {
    await expect(run('whatsapp', '+12025550123')).rejects.toMatchObject({ hint: expect.stringContaining('--yes') })
    await expect(run('whatsapp', '+12025550123', {}, await answering([['Keep', false]]))).rejects.toThrow('Nothing')
    expect(await kept()).toBeUndefined()
    await run('whatsapp', '+12025550123', { yes: true })
    expect(await kept()).toHaveProperty('whatsapp')
  })
})

describe('what nearly passes', () => {
  test('is suggested in a terminal, and kept only after a yes to it', async () => {
    await expect(run('telegram', 'alice a', {}, await answering([['Did you mean alice_a?', false]]))).rejects.toThrow(
      'must hold only',
    )
    expect(await kept()).toBeUndefined()
    await run(
      'telegram',
      'alice a',
      {},
      await answering([
        ['Did you mean alice_a?', true],
        ['Keep alice_a', true],
      ]),
    )
    expect(await kept()).toMatchObject({ telegram: { handle: 'alice_a' } })
  })

  test('is refused by its rule where there is nobody to ask', async () => {
    await expect(run('whatsapp', '1 202 555 0123', { yes: true })).rejects.toMatchObject({
      message: 'A handle of WhatsApp must begin with + and the country code, such as +12025550123.',
    })
  })

  test('of a channel is suggested by its name', async () => {
    await expect(run('telegramm', 'alice_a')).rejects.toMatchObject({ hint: 'Did you mean telegram?' })
    await expect(run('alice_a', 'telegram')).rejects.toMatchObject({
      hint: 'Give one of whatsapp, telegram, discord, slack.',
    })
    expect((await run('TG', 'alice_a')).value).toMatchObject({ channel: 'telegram' })
  })
})

test('no error repeats what was typed', async () => {
  const typed = fc.stringMatching(/^[A-Za-z0-9+@_.-]{8,30}$/)
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('whatsapp', 'telegram', 'discord', 'slack', 'nowhere'),
      typed,
      async (to, text) => {
        try {
          await run(to, text)
        } catch (error) {
          if (!(error instanceof UserError)) throw error
          expect(`${error.message} ${error.hint}`).not.toContain(text)
        }
      },
    ),
    { numRuns: 60 },
  )
})

describe('an agreement', () => {
  beforeEach(async () => {
    await setUpAgent(context, directory, { telegram: 'alice_a' })
    await publish(context, { agree: () => Promise.resolve(true) })
  })

  test('stays with a handle that is linked once more, and ends with another one', async () => {
    expect((await run('telegram', '@alice_a')).value).toMatchObject({ isChanged: false, isAgreed: true })
    expect((await kept())?.telegram?.agreedAtMs).not.toBeNull()
    expect((await run('telegram', 'Alice_A')).value).toMatchObject({ isChanged: true, isAgreed: false })
    expect((await kept())?.telegram).toEqual({ handle: 'Alice_A', agreedAtMs: null })
  })

  test('of an unlinked channel does not return with a new handle, and the output says so', async () => {
    await unlink(context, { channel: 'telegram', wait: false })
    const { value, show } = await run('telegram', 'alice_b')
    expect(value).toMatchObject({ isUnlinked: true, isAgreed: false })
    expect(show(style)).toContain('only the settings page allows it again')
  })
})

test('a directory under emulators is named as such before a number is kept', async () => {
  directory = await createTestDirectory({ isEmulated: true })
  context = await createTestContext({ directory })
  await setUpAgent(context, directory)
  const asked = await answering([['Keep', true]])
  const { value, show } = await run('whatsapp', '+12025550123', {}, asked)
  expect(asked.said[0]).toContain('fictional numbers only')
  expect(value).toMatchObject({ isEmulated: true })
  expect(show(style)).toContain('fictional numbers only')
})
