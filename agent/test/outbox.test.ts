import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTestDirectory, type TestDirectory } from '../../testing/directory.ts'
import { commands } from '../src/cli.ts'
import { runDaemon } from '../src/daemon/daemon.ts'
import { openDirectory } from '../src/directory/session.ts'
import { userErrorOf } from '../src/errors.ts'
import { agentFile, daemonFile, handlesFile, outboxFile, profileFile, publishedFile } from '../src/home/files.ts'
import { link } from '../src/operations/link.ts'
import { publish } from '../src/operations/publish.ts'
import { status } from '../src/operations/status.ts'
import { unlink } from '../src/operations/unlink.ts'
import { styleOf } from '../src/output.ts'
import { createListed } from './agents.ts'
import { createTestContext, type Answer, type TestContext } from './context.ts'

jest.setTimeout(60_000)

const telegram = 'a_fictional_name'
const whatsapp = '+12025550123'
const still = 'still visible to peers'
const day = 24 * 3_600_000

let directory: TestDirectory
let context: TestContext
let agentId: string
beforeEach(async () => {
  directory = await createTestDirectory()
  ;({
    context,
    agent: { agentId },
  } = await createListed({ directory }, { telegram, whatsapp }))
})

/** What a command shows, and its failure. */
async function run(name: string, options: object = {}, on: TestContext = context): Promise<string> {
  const command = await commands.get(name)?.()
  if (command === undefined) throw new Error(`There is no command ${name}.`)
  try {
    return (await command.call(on, options)).show(styleOf({}, {}))
  } catch (error) {
    const { message, hint } = userErrorOf(error) ?? { message: String(error), hint: '' }
    return `${message} ${hint}`
  }
}

const fails = (name: string, status = 'UNAVAILABLE', http = 503) => {
  directory.intercept = (request, answer) =>
    request.name === name
      ? Promise.resolve(Response.json({ error: { status, message: 'Later.' } }, { status: http }))
      : answer()
}
const works = () => {
  directory.isDown = false
  directory.intercept = (_request, answer) => answer()
}
/** An unlink of WhatsApp that found no directory. */
async function unlinkInVain(): Promise<string> {
  directory.isDown = true
  const said = await run('unlink', { channel: 'whatsapp', yes: true })
  works()
  return said
}
const listed = () =>
  (directory.world.store.all().get(`mcpDirectory/dating/agents/${agentId}`) as { channels: object } | undefined)
    ?.channels
const unlinked = () => Object.keys(directory.world.store.all().get(`unlinks/${agentId}`) ?? {})
const waiting = async () => (await context.home.read(outboxFile))?.unlinks.map(({ channel }) => channel) ?? []
const answering = (answers: readonly Answer[]) => createTestContext({ directory, home: context.home.path, answers })

test('an unlink that cannot be sent is kept, and said to be neither lost nor done', async () => {
  const said = await unlinkInVain()
  expect(said).toContain(`WhatsApp is ${still}: the directory has not acknowledged its unlink.`)
  expect(said).toContain('The unlink is saved here. `koko run` sends it again')
  expect(await waiting()).toEqual(['whatsapp'])
  expect((await context.home.read(handlesFile))?.whatsapp?.agreedAtMs).toBeNull()
})

test.each([
  ['UNAVAILABLE', 503],
  ['UNAUTHENTICATED', 401],
])('an unlink that fails says once how the channel stands: %s', async (status, http) => {
  fails('unlinkChannel', status, http)
  await run('unlink', { channel: 'slack', yes: true })
  context.progress.length = 0
  const said = await run('unlink', { channel: 'whatsapp', yes: true })
  const lines = [...context.progress.map(({ text }) => text), said]
  expect(lines.filter((line) => /WhatsApp (?:is|could not)/.test(line))).toEqual([said])
  expect(lines.filter((line) => /^Slack (?:is|could not)/.test(line))).toHaveLength(1)
})

test('an answer that is lost is no acknowledgement', async () => {
  directory.intercept = async (request, answer) => {
    const response = await answer()
    if (request.name === 'unlinkChannel') throw new TypeError('terminated')
    return response
  }
  expect(await run('unlink', { channel: 'whatsapp', yes: true })).toContain(still)
  expect(await waiting()).toEqual(['whatsapp'])
  works()
  expect(await run('unlink', { channel: 'whatsapp', yes: true })).toContain('Unlinking is finished')
  expect(await waiting()).toEqual([])
})

test.each([
  ['channels', {}],
  ['publish', { yes: true }],
  ['discover', {}],
  ['peer', { peer: '6f1f7b0e-5b5c-4a53-8a4e-0123456789ab' }],
  ['settings', { open: false }],
  ['export', {}],
  ['doctor', {}],
  ['init', { again: true }],
  ['unlink', { channel: 'slack', yes: true, wait: false }],
])('the next command sends it before anything else: %s', async (name, options) => {
  await unlinkInVain()
  directory.requests.length = 0
  context.progress.length = 0
  const said = await run(name, options)
  const calls = directory.requests.map((request) => request.name)
  expect(
    calls.filter((each) => !['config', 'health', 'createRegistrationChallenge'].includes(each)).slice(0, 3),
  ).toEqual(['signInAgent', 'exchange', 'unlinkChannel'])
  expect(await waiting()).toEqual([])
  expect(listed()).toEqual({ telegram })
  expect(unlinked()).toContain('whatsapp')
  expect(said).not.toContain(still)
  expect((await context.home.read(publishedFile))?.listing?.channels).toEqual({ telegram })
})

describe('until it is acknowledged', () => {
  beforeEach(async () => {
    await unlinkInVain()
    fails('unlinkChannel')
  })

  test('the status says that the channel is still visible, and not how to publish it', async () => {
    const said = await run('status')
    expect(said).toMatch(/WhatsApp +is still visible to peers: the directory has not acknowledged its unlink\./)
    expect(said).toMatch(/not published yet +nothing/)
    expect(said).not.toContain('koko publish')
  })

  test.each(['channels', 'doctor'])('so does %s', async (name) => {
    expect(await run(name)).toContain(still)
    expect(await run(name)).not.toContain('koko publish')
    directory.isDown = true
    expect(await run(name)).toContain(still)
    expect(await run(name)).not.toContain('koko publish')
  })

  test('every other command says so on the way', async () => {
    context.progress.length = 0
    await run('export')
    expect(context.progress).toContainEqual({ text: expect.stringContaining(`WhatsApp is ${still}`), isLasting: true })
    expect(JSON.stringify(context.progress)).not.toContain(whatsapp)
  })

  test('a publish leaves the channel out without a question, and that is no unlink', async () => {
    const asked = await answering([])
    const said = await run('publish', {}, asked)
    expect(said).toContain('WhatsApp is left out: you unlinked it. The directory has not acknowledged the unlink yet')
    expect(listed()).toEqual({ telegram })
    expect(unlinked()).toEqual([])
    expect(await waiting()).toEqual(['whatsapp'])
    expect(await run('status')).toMatch(/WhatsApp +is not in your listing, but the directory has not acknowledged/)
    works()
    await run('export')
    expect(unlinked()).toEqual(['whatsapp'])
    expect(await waiting()).toEqual([])
  })

  test('the preview of a publish leaves it out too', async () => {
    expect(await run('publish', { dryRun: true })).not.toContain('"whatsapp"')
    expect(await run('publish', { dryRun: true })).toContain('WhatsApp is left out: you unlinked it.')
  })

  test('an edit of the profile says that the daemon publishes it', async () => {
    expect(await run('profile', { age: '44' })).toContain('so does `koko run` when you start it')
    await run('run', { once: true })
    expect(listed()).toEqual({ telegram })
    expect(await run('profile', { age: '44' })).toContain('so there is nothing to publish')
  })

  test('linking the channel again cancels the unlink, after a yes that knows of it', async () => {
    const given = { channel: 'whatsapp', handle: whatsapp }
    expect(await run('link', given)).toContain('Linking it again cancels the unlink. Give --yes')
    await expect(link(context, { channel: 'whatsapp', typed: whatsapp, yes: false })).rejects.toMatchObject({
      code: 'confirmation-required',
    })
    expect(await run('link', given, await answering([['has not acknowledged that yet', false]]))).toContain(
      'koko still sends the unlink',
    )
    expect(await waiting()).toEqual(['whatsapp'])
    expect(await run('link', { ...given, yes: true })).toContain('The unlink of WhatsApp is cancelled.')
    expect(await waiting()).toEqual([])
    works()
    await run('export')
    expect(unlinked()).toEqual([])
    expect((await context.home.read(handlesFile))?.whatsapp).toEqual({ handle: whatsapp, agreedAtMs: null })
  })

  test('it is of this agent alone, and ends with it', async () => {
    const outbox = await context.home.read(outboxFile)
    if (outbox === undefined) throw new Error('nothing waits')
    const stranger = '00000000-0000-4000-8000-000000000001'
    await context.home.change((files) => files.write(outboxFile, { ...outbox, agentId: stranger }))
    works()
    await run('export')
    expect(unlinked()).toEqual([])
    expect(await run('status')).not.toContain(still)
    await context.home.change((files) => files.write(outboxFile, outbox))
    fails('unlinkChannel')
    await run('unregister', { yes: true })
    expect(await context.home.read(outboxFile)).toBeUndefined()
  })
})

describe('where the directory does not accept the agent', () => {
  beforeEach(unlinkInVain)

  test('because it was removed, nothing says that the handle is still visible, and the truth is told', async () => {
    fails('unlinkChannel')
    const { client } = await openDirectory(context)
    await client.call('unregisterAgent', {})
    works()
    expect(await run('export')).toContain('does not accept this agent')
    const said = await run('status')
    expect(said).toContain('If the agent was removed, its handles are gone with it.')
    expect(said).not.toContain(`is ${still}: the`)
    expect(await run('doctor')).not.toContain('koko publish')
  })

  test('because its secret was replaced, a restore with the new one sends the unlink', async () => {
    const agent = await context.home.read(agentFile)
    if (agent === undefined) throw new Error('no agent is kept')
    fails('unlinkChannel')
    const { client } = await openDirectory(context)
    const { secret } = await client.call('rotateSecret', {})
    const other = await createTestContext({ directory })
    await other.home.change((files) => files.write(agentFile, { ...agent, secret }))
    await (await openDirectory(other)).signIn()
    works()
    await run('export')
    expect(await status(context)).toMatchObject({ channels: [{ channel: 'whatsapp', state: 'unlink refused' }, {}] })
    const restoring = await createTestContext({ directory, home: context.home.path, input: secret })
    expect(await run('restore', { directory: directory.origin, agent: agentId }, restoring)).toContain(
      'The agent is now in',
    )
    expect(unlinked()).toEqual(['whatsapp'])
    expect(await waiting()).toEqual([])
  })
})

describe('the daemon', () => {
  const log = () => context.progress.map(({ text }) => text).join('\n')

  /** Runs it until so many pauses have passed, each of the length that it asks for. */
  async function live(pauses: number, meanwhile: (pause: number) => void = () => undefined) {
    let count = 0
    const { pause } = context
    const stopping: TestContext = {
      ...context,
      async pause(ms) {
        count += 1
        meanwhile(count)
        if (count > pauses) context.stop()
        await pause(ms)
      },
    }
    return runDaemon(stopping, { discoverAtMinutes: 540, once: false, timeZone: 'UTC' })
  }

  test('sends it first, says until then that the channel is still visible, and tries less and less often', async () => {
    await unlinkInVain()
    fails('unlinkChannel')
    context.progress.length = 0
    directory.requests.length = 0
    const tries = () => directory.requests.filter(({ name }) => name === 'unlinkChannel').length
    await live(2 * 60 * 4, (pause) => {
      if (pause === 2 * 60 * 3) works()
    })
    expect(log().match(/WhatsApp is still visible to peers/g)).toHaveLength(1)
    expect(log()).toContain('The unlink failed and will be retried: The directory says: "Later."')
    expect(log()).toMatch(/Unlinked WhatsApp: out of the listing\./)
    expect(tries()).toBeGreaterThan(8)
    expect(tries()).toBeLessThan(60)
    expect(unlinked()).toEqual(['whatsapp'])
    expect(await waiting()).toEqual([])
    expect(log()).not.toContain(whatsapp)
    expect((await context.home.read(daemonFile))?.failures).toEqual([])
  })

  test('keeps the channel out of what it publishes meanwhile', async () => {
    await unlinkInVain()
    fails('unlinkChannel')
    await context.home.change(async (files) => {
      const kept = await files.read(profileFile)
      if (kept !== undefined) await files.write(profileFile, { ...kept, profile: { ...kept.profile, age: 44 } })
    })
    await live(3)
    expect(listed()).toEqual({ telegram })
    expect(await waiting()).toEqual(['whatsapp'])
  })

  test('with --once sends it, and fails where it cannot', async () => {
    await unlinkInVain()
    fails('unlinkChannel')
    expect(await run('run', { once: true })).toContain('✗ unlink: The directory says: "Later."')
    works()
    expect(await run('run', { once: true })).not.toContain('✗')
    expect(unlinked()).toEqual(['whatsapp'])
  })
})

test('a channel that was never listed is not said to be visible', async () => {
  directory.isDown = true
  await run('unlink', { channel: 'slack', yes: true })
  expect(await run('status')).toMatch(
    /Slack +is not in your listing, but the directory has not acknowledged its unlink\./,
  )
})

test('once a publish has left it out, nothing says that it is still visible', async () => {
  await unlinkInVain()
  fails('unlinkChannel')
  await run('publish', { only: 'telegram', yes: true })
  context.progress.length = 0
  const said = await run('unlink', { channel: 'whatsapp', yes: true })
  expect(said).toContain('WhatsApp is not in your listing, but the directory has not acknowledged its unlink.')
  expect(`${said} ${JSON.stringify(context.progress)}`).not.toContain(still)
})

describe('where outbox.json is damaged', () => {
  const damage = () => writeFile(join(context.home.path, outboxFile.name), '{"version": 1, "unlinks": [{"chan')

  test('nothing advises to publish what may have been unlinked, or says that it is not published', async () => {
    await unlinkInVain()
    await damage()
    const said = await run('doctor')
    expect(said).toContain('`koko unlink <channel>` for each channel that you unlinked and that is still listed')
    expect(said).toContain('It is listed, and you do not agree to that now.')
    expect(said).not.toContain('koko publish')
    expect(said).not.toContain('not published')
  })

  test('another unlink keeps the damaged file, and says what may be lost', async () => {
    await unlinkInVain()
    await damage()
    context.progress.length = 0
    await run('unlink', { channel: 'telegram', yes: true, wait: false })
    expect(await readFile(join(context.home.path, 'outbox.json.damaged'), 'utf8')).toContain('[{"chan')
    const said = context.progress.filter(({ isLasting }) => isLasting === true).map(({ text }) => text)
    expect(said.join('\n')).toContain('Unlinks that waited in outbox.json are lost: the file is damaged')
    expect(unlinked()).toEqual(['telegram'])
    expect(await run('doctor')).not.toContain('koko publish')
  })
})

test('an unlink waits for no other, and one that fails does not stop the others', async () => {
  await unlinkInVain()
  let count = 0
  directory.intercept = (request, answer) => {
    if (request.name !== 'unlinkChannel') return answer()
    count += 1
    return count === 1 ? Promise.resolve(Response.json({}, { status: 503 })) : answer()
  }
  expect(await unlink(context, { channel: 'telegram', wait: false })).toMatchObject({ channel: 'telegram' })
  expect(unlinked()).toEqual(['telegram'])
  expect(await waiting()).toEqual(['whatsapp'])
})

test('a publish that began before the unlink does not put the channel into what is sent', async () => {
  await unlinkInVain()
  fails('unlinkChannel')
  await directory.pass(day / 24)
  expect(await publish(context, { agree: () => Promise.resolve(true) })).toMatchObject({
    state: 'published',
    withheld: [{ channel: 'whatsapp', because: 'unlink pending' }],
  })
})
