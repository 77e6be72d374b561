import { Channel, DirectoryError } from '@koko/contract'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { call, profileIn } from '../../../testing/world.ts'
import { takeDownHandle } from '../../../functions/src/directory/takedown.ts'
import { keepHandles, openSettings, setUpAgent } from '../../test/agents.ts'
import { createTestContext, type Answer, type TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { openDirectory } from '../directory/session.ts'
import { handlesFile, profileFile, publishedFile } from '../home/files.ts'
import { withoutAgreement } from '../operations/agreements.ts'
import { forgetAgent } from '../operations/keep-agent.ts'
import { styleOf } from '../output.ts'
import { previewPublish, publish } from '../operations/publish.ts'
import { command } from './publish.ts'

const telegram = 'alice_a'
const whatsapp = '+12025550123'
const style = styleOf({}, {})
const yes = { agree: () => Promise.resolve(true) }
const never = { agree: () => Promise.resolve(false) }

let directory: TestDirectory
let context: TestContext
let agentId: string
beforeEach(async () => {
  directory = await createTestDirectory()
  context = await createTestContext({ directory })
  agentId = await setUpAgent(context, directory, { telegram, whatsapp })
})

const answering = (answers: readonly Answer[]) => createTestContext({ directory, home: context.home.path, answers })
const sent = (name: string) => directory.requests.filter((request) => request.name === name)
const stored = () => directory.world.store.all().get(`mcpDirectory/dating/agents/${agentId}`)
const listed = () => stored()?.channels
const agreements = async () => {
  const handles = (await context.home.read(handlesFile)) ?? {}
  return Channel.options.filter((channel) => typeof handles[channel]?.agreedAtMs === 'number')
}
const filesOf = async () => {
  const names = (await readdir(context.home.path)).filter((name) => name.endsWith('.json'))
  return Promise.all(names.map((name) => readFile(join(context.home.path, name), 'utf8')))
}

test('publishes the profile and the handles once the operator agreed to them, and then without asking', async () => {
  const asked = await answering([['Publish WhatsApp and Telegram?', true]])
  const { value, show } = await command.call(asked, {})
  expect(value).toMatchObject({ state: 'published', withheld: [], listing: { channels: { telegram, whatsapp } } })
  expect(asked.said.join('\n')).toContain(whatsapp)
  expect(asked.said.join('\n')).toContain('Reveals your phone number')
  expect(show(style)).toContain('Peers see WhatsApp and Telegram')
  expect(stored()).toMatchObject({ channels: { telegram, whatsapp }, profile: profileIn('gcpv') })
  expect(await context.home.read(publishedFile)).toMatchObject({ listing: { agentId }, withheld: [] })
  expect(await agreements()).toEqual(['whatsapp', 'telegram'])

  expect((await command.call(context, {})).value).toMatchObject({ state: 'published', changes: [] })
  expect(sent('publishProfile')).toHaveLength(2)
})

test('a dry run shows the very bytes that a publish then sends, asks nobody, and writes nothing', async () => {
  const before = await filesOf()
  const requests = directory.requests.length
  directory.isDown = true
  const { value, show } = await command.call(context, { dryRun: true })
  const { bytes } = value as { bytes: string }
  expect(show(style)).toContain(bytes)
  expect(value).toMatchObject({ newHandles: ['whatsapp', 'telegram'], isUnchanged: false, asOfMs: null })
  expect(directory.requests).toHaveLength(requests)
  expect(await filesOf()).toEqual(before)

  directory.isDown = false
  let body: unknown
  const fetch: TestContext['fetch'] = (url, init) => {
    if (url.endsWith('/publishProfile')) body = init.body
    return directory.fetch(url, init)
  }
  await publish({ ...context, fetch }, yes)
  expect(body).toBe(bytes)
  expect((await command.call(context, { dryRun: true })).value).toMatchObject({ isUnchanged: true, newHandles: [] })
})

test('a dry run needs no agent, but a profile and a handle', async () => {
  const fresh = await createTestContext({ directory })
  await expect(previewPublish(fresh)).rejects.toMatchObject({ hint: 'Run `koko profile edit`.' })
  await fresh.home.change((files) =>
    files.write(profileFile, { room: 'dating', profile: profileIn('gcpv'), dealbreakers: { onlyIntents: [] } }),
  )
  await expect(previewPublish(fresh)).rejects.toMatchObject({ hint: 'Run `koko link <channel>`.' })
  await keepHandles(fresh, { telegram })
  expect(await previewPublish(fresh)).toMatchObject({ newHandles: ['telegram'] })
  await expect(publish(fresh, yes)).rejects.toMatchObject({ hint: expect.stringContaining('koko init') })
})

describe('without a yes', () => {
  test('nothing is sent where there is nobody to ask and no --yes', async () => {
    await expect(command.call(context, {})).rejects.toMatchObject({ hint: expect.stringContaining('--yes') })
    await expect(command.call(await answering([['Publish', false]]), {})).rejects.toThrow(
      'you have not agreed to any handle',
    )
    expect(sent('publishProfile')).toHaveLength(0)
    await command.call(context, { yes: true })
    expect(listed()).toEqual({ telegram, whatsapp })
  })

  test('a new handle is left out, and what was agreed to is published all the same', async () => {
    await keepHandles(context, { telegram })
    await publish(context, yes)
    await context.home.change(async (files) => {
      const handles = (await files.read(handlesFile)) ?? {}
      await files.write(handlesFile, { ...handles, whatsapp: { handle: whatsapp, agreedAtMs: null } })
      await files.write(profileFile, {
        room: 'dating',
        profile: { ...profileIn('gcpv'), age: 31 },
        dealbreakers: { onlyIntents: [] },
      })
    })
    expect(await publish(context, never)).toMatchObject({
      state: 'published',
      withheld: [{ channel: 'whatsapp', because: 'not agreed' }],
      changes: [{ at: 'profile.age', kind: 'changed' }],
    })
    expect(stored()).toMatchObject({ channels: { telegram }, profile: { age: 31 } })
    expect(JSON.stringify(sent('publishProfile'))).not.toContain(whatsapp)
    expect(await agreements()).toEqual(['telegram'])
  })

  test('a pending handle does not keep the others from being published, and the output says so', async () => {
    await keepHandles(context, { telegram })
    await publish(context, yes)
    await context.home.change(async (files) => {
      const handles = (await files.read(handlesFile)) ?? {}
      await files.write(handlesFile, { ...handles, whatsapp: { handle: whatsapp, agreedAtMs: null } })
    })
    const { value, show, isQuiet } = await command.call(context, {})
    expect(value).toMatchObject({ state: 'published', withheld: [{ channel: 'whatsapp', because: 'not agreed' }] })
    expect(show(style)).toContain('WhatsApp is left out: you have not agreed to its handle.')
    expect(isQuiet).toBe(false)
    expect(listed()).toEqual({ telegram })
  })

  test('a channel whose handle was replaced stays listed: leaving it out would take it away', async () => {
    await publish(context, yes)
    await keepHandles(context, { telegram: 'alice_b', whatsapp })
    await context.home.change(async (files) => {
      const handles = (await files.read(handlesFile)) ?? {}
      await files.write(handlesFile, { ...handles, whatsapp: { handle: whatsapp, agreedAtMs: 1 } })
    })
    expect(await publish(context, never)).toEqual({ state: 'would remove channels', channels: ['telegram'] })
    expect(listed()).toEqual({ telegram, whatsapp })
    expect((await publish(context, yes)).state).toBe('published')
    expect(listed()).toEqual({ telegram: 'alice_b', whatsapp })
  })
})

test('a home that lacks a handle which is listed takes it out of the listing only when the operator says so', async () => {
  await publish(context, yes)
  await context.home.change((files) => files.write(handlesFile, { telegram: { handle: telegram, agreedAtMs: 1 } }))
  await expect(command.call(context, {})).rejects.toThrow('it would have removed WhatsApp from your listing')
  await expect(command.call(await answering([['This removes WhatsApp from your listing', false]]), {})).rejects.toThrow(
    'would have removed',
  )
  expect(listed()).toEqual({ telegram, whatsapp })
  await command.call(await answering([['This removes WhatsApp from your listing', true]]), {})
  expect(listed()).toEqual({ telegram })
})

describe('--only', () => {
  test('publishes the named channels, and says what it leaves out and what it replaces', async () => {
    await publish(context, yes)
    const { value, show } = await command.call(context, { only: 'telegram' })
    expect(value).toMatchObject({
      state: 'published',
      listing: { channels: { telegram } },
      withheld: [{ channel: 'whatsapp', because: 'not chosen' }],
      changes: [{ at: 'channels.whatsapp', kind: 'removed', before: whatsapp }],
    })
    expect(show(style)).toContain('Published, in place of the former listing. Peers see Telegram,')
    expect(show(style)).toContain('WhatsApp is left out because of --only.')
    expect(listed()).toEqual({ telegram })
  })

  test('takes several channels, and asks for the new handles among them only', async () => {
    const asked = await answering([['Publish Telegram?', true]])
    await command.call(asked, { only: 'tg' })
    expect(asked.said.join('\n')).not.toContain(whatsapp)
    expect(JSON.stringify(directory.requests)).not.toContain(whatsapp)
    await command.call(context, { only: 'telegram,whatsapp', yes: true })
    expect(listed()).toEqual({ telegram, whatsapp })
  })

  test('lasts: nothing that was left out is published again without a new yes, whatever the outcome', async () => {
    await publish(context, yes)
    directory.isDown = true
    await expect(command.call(context, { only: 'telegram' })).rejects.toThrow('cannot be reached')
    expect(await agreements()).toEqual(['whatsapp', 'telegram'])
    directory.isDown = false
    directory.intercept = ({ name }, answer) => (name === 'publishProfile' ? Promise.reject(new TypeError()) : answer())
    await expect(command.call(context, { only: 'telegram' })).rejects.toThrow()
    expect(await agreements()).toEqual(['telegram'])
    directory.intercept = (_, answer) => answer()
    expect(await publish(context, never)).toEqual({ state: 'would remove channels', channels: ['whatsapp'] })
    await command.call(context, { only: 'telegram' })
    expect(await publish(context, never)).toMatchObject({ listing: { channels: { telegram } } })
    await publish(context, yes)
    expect(listed()).toEqual({ telegram, whatsapp })
  })

  test('shows with --dry-run what would be sent', async () => {
    const { value, show } = await command.call(context, { only: 'telegram', dryRun: true })
    expect(JSON.parse((value as { bytes: string }).bytes)).toMatchObject({ data: { channels: { telegram } } })
    expect(show(style)).not.toContain(whatsapp)
    const { show: showAll } = await command.call(context, { dryRun: true })
    expect(showAll(style)).toContain('Country of the WhatsApp number: United States.')
  })

  test('names a channel that has a handle here and is not unlinked', async () => {
    await expect(command.call(context, { only: 'slack' })).rejects.toMatchObject({
      message: 'No Slack handle is saved here.',
      hint: 'Run `koko link slack`.',
    })
    await expect(command.call(context, { only: 'telegramm' })).rejects.toMatchObject({ hint: 'Did you mean telegram?' })
    await publish(context, yes)
    await (await openDirectory(context)).client.call('unlinkChannel', { channel: 'whatsapp' })
    await expect(command.call(context, { only: 'whatsapp' })).rejects.toThrow('WhatsApp is unlinked')
    expect(listed()).toEqual({ telegram })
  })
})

describe('an unlinked channel', () => {
  const calls = async () => (await openDirectory(context)).client

  test('is withheld and said to be, and its handle returns once the settings page allows it', async () => {
    await publish(context, yes)
    await (await calls()).call('unlinkChannel', { channel: 'whatsapp' })
    const { value, show } = await command.call(context, {})
    expect(value).toMatchObject({ withheld: [{ channel: 'whatsapp', because: 'unlinked' }], changes: [] })
    expect(show(style)).toContain('To allow it again, open the settings page with `koko settings`.')
    expect(await context.home.read(publishedFile)).toMatchObject({
      listing: { channels: { telegram } },
      withheld: [{ channel: 'whatsapp' }],
    })
    await call(directory.world, 'relinkChannel', await openSettings(context, directory), { channel: 'whatsapp' })
    expect(await publish(context, never)).toMatchObject({ changes: [{ at: 'channels.whatsapp', kind: 'added' }] })
    expect(listed()).toEqual({ telegram, whatsapp })
  })

  test('is the only one: nothing is listed, and the publish says so', async () => {
    await keepHandles(context, { telegram })
    await publish(context, yes)
    await (await calls()).call('unlinkChannel', { channel: 'telegram' })
    const { value, show } = await command.call(context, {})
    expect(value).toMatchObject({ listing: null })
    expect(show(style)).toContain('nothing is listed')
    expect(await previewPublish(context)).toMatchObject({ isUnchanged: true })
  })
})

test('an agreement counts only once it is published', async () => {
  directory.intercept = async ({ name }, answer) => {
    if (name === 'publishProfile') throw new TypeError('fetch failed')
    return answer()
  }
  await expect(publish(context, yes)).rejects.toBeInstanceOf(DirectoryError)
  expect(await agreements()).toEqual([])
})

test('where the answer is lost nobody says what is listed, and the next run publishes again', async () => {
  await publish(context, yes)
  await context.home.change((files) =>
    files.write(profileFile, {
      room: 'dating',
      profile: { ...profileIn('gcpv'), age: 31 },
      dealbreakers: { onlyIntents: [] },
    }),
  )
  directory.intercept = async ({ name }, answer) => {
    const response = await answer()
    if (name === 'publishProfile') throw new TypeError('terminated')
    return response
  }
  await expect(publish(context, yes)).rejects.toMatchObject({ code: 'unavailable' })
  expect(await context.home.read(publishedFile)).toBeUndefined()
  expect(await previewPublish(context)).toMatchObject({ isUnchanged: false, asOfMs: null })
  directory.intercept = (_request, answer) => answer()
  expect(await publish(context, never)).toMatchObject({ state: 'published', changes: [] })
  expect(await context.home.read(publishedFile)).toMatchObject({ listing: { profile: { age: 31 } } })
})

test('where the directory refuses, or cannot be asked, what was known of the listing stays known', async () => {
  await publish(context, yes)
  const before = await context.home.read(publishedFile)
  directory.intercept = (request, answer) =>
    request.name === 'publishProfile'
      ? Promise.resolve(Response.json({ error: { status: 'ABORTED', message: 'Try again.' } }, { status: 409 }))
      : answer()
  await expect(publish(context, yes)).rejects.toMatchObject({ code: 'aborted' })
  expect(await context.home.read(publishedFile)).toEqual(before)
  directory.isDown = true
  directory.intercept = (_request, answer) => answer()
  await expect(publish(context, yes)).rejects.toMatchObject({ code: 'unavailable' })
  expect(await context.home.read(publishedFile)).toEqual(before)
})

test('a handle that the host took down is named by its channel, with two ways on', async () => {
  await takeDownHandle(directory.world.ports, { channel: 'whatsapp', handle: whatsapp }, directory.clock.now())
  await expect(publish(context, yes)).rejects.toMatchObject({
    name: 'UserError',
    message: expect.stringMatching(/^(?!.*2025550123).*WhatsApp/),
    hint: expect.stringContaining('koko unlink whatsapp'),
  })
})

test('a handle that was linked while the operator was asked is not published by that yes', async () => {
  const agree = async () => {
    await keepHandles(context, { telegram: 'alice_b', whatsapp })
    return true
  }
  expect(await publish(context, { agree })).toMatchObject({ state: 'published' })
  expect(listed()).toEqual({ whatsapp })
  expect(await agreements()).toEqual(['whatsapp'])
})

test('two at once both publish, one after the other', async () => {
  await Promise.all([publish(context, yes), publish(context, yes)])
  expect(sent('publishProfile')).toHaveLength(2)
  expect(await context.home.read(publishedFile)).toMatchObject({ listing: { channels: { telegram, whatsapp } } })
})

test('a directory under emulators is named as such, before and after', async () => {
  directory = await createTestDirectory({ isEmulated: true })
  context = await createTestContext({ directory })
  await setUpAgent(context, directory, { telegram })
  expect((await command.call(context, { dryRun: true })).show(style)).toContain('fictional numbers only')
  expect((await command.call(context, { yes: true })).show(style)).toContain('fictional numbers only')
})

test('an answer that comes once the agent is gone from here leaves no agreement for another one', async () => {
  directory.intercept = async ({ name }, answer) => {
    const response = await answer()
    if (name === 'publishProfile') await context.home.change(forgetAgent)
    return response
  }
  await publish(context, yes)
  expect(await agreements()).toEqual([])
  expect(await context.home.read(publishedFile)).toBeUndefined()
})

test('a yes that is withdrawn while a publish is under way stays withdrawn', async () => {
  await publish(context, yes)
  directory.intercept = async ({ name }, answer) => {
    const response = await answer()
    if (name === 'publishProfile') {
      await context.home.change(async (files) => {
        await files.write(handlesFile, withoutAgreement((await files.read(handlesFile)) ?? {}, ['whatsapp']))
      })
    }
    return response
  }
  await publish(context, yes)
  expect(await agreements()).toEqual(['telegram'])
})
