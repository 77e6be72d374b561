import { beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createTestContext, leaves, type Answer, type TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { setUpAgent } from '../../test/agents.ts'
import { UserError } from '../errors.ts'
import { handlesFile } from '../home/files.ts'
import { styleOf } from '../output.ts'
import { command } from './link.ts'
import { editProfile } from '../operations/profile.ts'
import { publish } from '../operations/publish.ts'
import { sampleProfile } from '../../../testing/samples.ts'
import { unlink } from '../operations/unlink.ts'

const style = styleOf({}, {})

let directory: TestDirectory
let context: TestContext
beforeEach(async () => {
  directory = await createTestDirectory()
  context = await createTestContext({ directory })
})

const answering = (answers: readonly Answer[]) => createTestContext({ directory, home: context.home.path, answers })
const run = (channel: string, handle?: string, options: object = {}, on: TestContext = context) =>
  command.call(on, { channel, handle, ...options })
const kept = () => context.home.read(handlesFile)

test('keeps a handle in its one form before there is an agent, and sends nothing', async () => {
  const { value, show } = await run('telegram', 'https://t.me/alice_a')
  expect(value).toMatchObject({ channel: 'telegram', handle: 'alice_a', isChanged: true, isAgreed: false })
  expect(show(style)).toContain('Telegram alice_a is saved here. Nothing was sent.')
  expect(show(style)).toContain('`koko publish`')
  expect(await kept()).toEqual({ telegram: { handle: 'alice_a', agreedAtMs: null } })
  await run('discord', '<@80351110224678912>')
  expect(Object.keys((await kept()) ?? {})).toEqual(['telegram', 'discord'])
  expect(directory.requests).toEqual([])
})

test('shows what will be kept before it is kept, and asks where it is not what was typed', async () => {
  const same = await answering([])
  await run('telegram', 'alice_a', {}, same)
  expect(same.said).toEqual(['Telegram alice_a will be saved here.'])
  const other = await answering([['Save alice_b for Telegram?', false]])
  await expect(run('telegram', '@alice_b', {}, other)).rejects.toThrow('Nothing was saved')
  expect(other.said.join()).toContain('replace the current handle')
  expect(await kept()).toMatchObject({ telegram: { handle: 'alice_a' } })
  await run('telegram', '@alice_b', {}, await answering([['Save alice_b', true]]))
  expect(await kept()).toMatchObject({ telegram: { handle: 'alice_b' } })
})

describe('WhatsApp', () => {
  test('says before any question what publishing a number means, and the four ways around it', async () => {
    const asked = await answering([['Save +12025550123 (United States) for WhatsApp?', true]])
    await run('whatsapp', '+1 202 555 0123', {}, asked)
    const said = asked.said.join('\n')
    expect(said).toContain('the handle is your phone number')
    for (const way of ['another channel', 'a dedicated number', 'a generated number', 'several channels']) {
      expect(said).toContain(way)
    }
    expect(await kept()).toEqual({ whatsapp: { handle: '+12025550123', agreedAtMs: null } })
  })

  test('names the help page of the directory', async () => {
    await setUpAgent(context, directory, {})
    const asked = await answering([['Save', true]])
    await run('whatsapp', '+12025550123', {}, asked)
    expect(asked.said[0]).toContain(`${directory.origin}/help/whatsapp`)
    await expect(run('whatsapp', '+12025550124')).rejects.toMatchObject({
      hint: expect.stringContaining(`${directory.origin}/help/whatsapp`),
    })
  })

  test('shows the country of the number, and asks for it where the number has no country code', async () => {
    const asked = await answering([
      ['Which country is it from?', 'Utopia'],
      ['Which country is it from?', 'Unted States'],
      ['Which country is it from?', 'Iceland'],
      ['Which country is it from?', 'us'],
      ['Save +12025550123 (United States) for WhatsApp?', true],
    ])
    const { show } = await run('whatsapp', '202-555-0123', {}, asked)
    expect(asked.refused).toEqual([
      'There is no country of that name that has numbers of this form.',
      expect.stringMatching(
        /^There is no country of that name that has numbers of this form\. Did you mean .*United States/,
      ),
      'Iceland has no numbers of this form.',
    ])
    expect(show(style)).toContain('WhatsApp +12025550123 (United States) is saved here')
    // Without a terminal there is nobody who knows the country.
    await expect(run('whatsapp', '202-555-0123', { yes: true })).rejects.toMatchObject({
      message: 'A WhatsApp handle must begin with + and the country code, such as +12025550123.',
      hint: expect.stringContaining('country code'),
    })
  })

  test('offers the country of the number before, then that of the area, and no other', async () => {
    const offered = async () => {
      const asked = await answering([['Which country', leaves]])
      const initial: (string | undefined)[] = []
      const { ask } = asked
      if (ask === undefined) throw new Error('There is a terminal.')
      const text: typeof ask.text = (question) => {
        initial.push(question.initial)
        return ask.text(question)
      }
      await expect(run('whatsapp', '202-555-0123', {}, { ...asked, ask: { ...ask, text } })).rejects.toThrow('You left')
      return initial
    }
    expect(await offered()).toEqual([undefined])
    await editProfile(context.home, 'dating', { ...sampleProfile, area: 'gcpv' })
    expect(await offered()).toEqual(['United Kingdom'])
    await run('whatsapp', '+1 202 555 0124', { yes: true })
    expect(await offered()).toEqual(['United States'])
  })

  test('is not kept without a yes', async () => {
    await expect(run('whatsapp', '+12025550123')).rejects.toMatchObject({ hint: expect.stringContaining('--yes') })
    await expect(run('whatsapp', '+12025550123', {}, await answering([['Save', false]]))).rejects.toThrow('Nothing')
    expect(await kept()).toBeUndefined()
    await run('whatsapp', '+12025550123', { yes: true })
    expect(await kept()).toHaveProperty('whatsapp')
  })
})

describe('a handle that is not an argument', () => {
  test('is asked for in a terminal, and each answer checked', async () => {
    const asked = await answering([
      ['Your Telegram username?', '1'],
      ['Your Telegram username?', '@alice_a'],
      ['Save alice_a', true],
    ])
    const { value } = await run('telegram', undefined, {}, asked)
    expect(value).toMatchObject({ handle: 'alice_a' })
    expect(asked.refused).toEqual([expect.stringMatching(/^It must have 5 to 32 characters\. Find or choose/)])
  })

  test('is read from standard input elsewhere', async () => {
    const piped = await createTestContext({ directory, home: context.home.path, input: '+1 202 555 0123\n' })
    await run('whatsapp', undefined, { yes: true }, piped)
    expect(await kept()).toMatchObject({ whatsapp: { handle: '+12025550123' } })
    await expect(run('whatsapp')).rejects.toMatchObject({
      code: 'invalid-argument',
      hint: expect.stringContaining('koko link whatsapp --yes < '),
    })
  })
})

describe('--forget', () => {
  test('removes the handle from this home, and sends nothing', async () => {
    await run('telegram', 'alice_a')
    const { value, show } = await run('telegram', undefined, { forget: true })
    expect(value).toEqual({ channel: 'telegram', isForgotten: true, listed: null, hasOthers: false })
    expect(show(style)).toContain('The Telegram handle is no longer saved here. Nothing was sent.')
    expect(await kept()).toEqual({})
    expect((await run('telegram', undefined, { forget: true })).value).toMatchObject({ isForgotten: false })
    await expect(run('telegram', 'alice_a', { forget: true })).rejects.toThrow('--forget takes no handle.')
    expect(directory.requests).toEqual([])
  })

  test('says that a published handle stays public, and how to stop that', async () => {
    await setUpAgent(context, directory, { telegram: 'alice_a', discord: '80351110224678912' })
    await publish(context, { agree: () => Promise.resolve(true) })
    const said = (await run('telegram', undefined, { forget: true })).show(style)
    expect(said).toContain('Telegram is still published')
    expect(said).toMatch(/`koko publish` .*`koko unlink telegram`/)
    const last = (await run('discord', undefined, { forget: true })).show(style)
    expect(last).toContain('To stop sharing it, run `koko unlink discord`.')
    expect(last).not.toContain('`koko publish`')
  })
})

test('a mistyped handle that was published is replaced by the next publish, without an unlink', async () => {
  await setUpAgent(context, directory, { telegram: 'alice_b' })
  await publish(context, { agree: () => Promise.resolve(true) })
  await run('telegram', 'alice_a')
  const published = await publish(context, { agree: () => Promise.resolve(true) })
  expect(published).toMatchObject({ listing: { channels: { telegram: 'alice_a' } }, withheld: [] })
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
        ['Save alice_a', true],
      ]),
    )
    expect(await kept()).toMatchObject({ telegram: { handle: 'alice_a' } })
  })

  test('is refused by its rule where there is nobody to ask', async () => {
    await expect(run('whatsapp', '1 202 555 0123', { yes: true })).rejects.toMatchObject({
      message: 'A WhatsApp handle must begin with + and the country code, such as +12025550123.',
    })
  })

  test('of a channel is suggested by its name', async () => {
    await expect(run('telegramm', 'alice_a')).rejects.toMatchObject({ hint: 'Did you mean telegram?' })
    await expect(run('alice_a', 'telegram')).rejects.toMatchObject({
      hint: 'The channels are whatsapp, telegram, discord, and slack.',
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
    expect(show(style)).toContain('To allow it again, open the settings page with `koko settings`.')
  })
})

test('a directory under emulators is named as such before a number is kept', async () => {
  directory = await createTestDirectory({ isEmulated: true })
  context = await createTestContext({ directory })
  await setUpAgent(context, directory)
  const asked = await answering([['Save', true]])
  const { value, show } = await run('whatsapp', '+12025550123', {}, asked)
  expect(asked.said[0]).toContain('fictional numbers only')
  expect(value).toMatchObject({ isEmulated: true })
  expect(show(style)).toContain('fictional numbers only')
})
