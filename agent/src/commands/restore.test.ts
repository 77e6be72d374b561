import { beforeEach, describe, expect, test } from '@jest/globals'
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { profileIn } from '../../../testing/world.ts'
import { createListed, createRegistered, replaceSecret } from '../../test/agents.ts'
import { createTestContext, freshFolder } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { directoryOf } from '../directory/session.ts'
import { agentFile, handlesFile, outboxFile, profileFile, publishedFile } from '../home/files.ts'
import { styleOf } from '../output.ts'
import { command } from './restore.ts'

const channels = { telegram: 'a_fictional_name', whatsapp: '+447700900123' }

let directory: TestDirectory
beforeEach(async () => {
  directory = await createTestDirectory()
})

/** An agent that is listed with two channels, and unlinked a third. */
async function createAgent() {
  const created = await createListed({ directory }, channels)
  await directoryOf(created.context, created.agent).client.call('unlinkChannel', { channel: 'discord' })
  return created
}

test('takes up a listed agent on another machine: the credential, the profile, the handles and what is published', async () => {
  const { agent } = await createAgent()
  const answers = [
    ['Which directory', directory.origin],
    ['id', agent.agentId],
    ['What is its secret?', `${agent.secret}\n`],
  ] as const
  const context = await createTestContext({ directory, answers })
  const { value, show } = await command.call(context, {})
  expect(value).toMatchObject({
    agentId: agent.agentId,
    registeredAtMs: agent.registeredAtMs,
    isListed: true,
    written: ['profile.json', 'handles.json', 'published.json', 'agent.json'],
  })
  expect(JSON.stringify([value, show(styleOf({}, {})), context.progress, context.asked])).not.toContain(agent.secret)

  const { home } = context
  expect(await home.read(agentFile)).toEqual({ ...agent, termsVersion: null })
  expect(await home.read(profileFile)).toEqual({
    room: 'dating',
    profile: profileIn('gcpv'),
    dealbreakers: { onlyIntents: [] },
  })
  const published = await home.read(publishedFile)
  expect(published).toMatchObject({ listing: { agentId: agent.agentId, channels }, withheld: [{ channel: 'discord' }] })
  const agreedAtMs = published?.publishedAtMs
  expect(await home.read(handlesFile)).toEqual({
    telegram: { handle: channels.telegram, agreedAtMs },
    whatsapp: { handle: channels.whatsapp, agreedAtMs },
  })
})

test('says what it waits for where nothing is piped in, and Ctrl-C ends it', async () => {
  const { agent } = await createRegistered({ directory })
  const context = await createTestContext({ directory })
  context.readInput = () => {
    setImmediate(context.stop)
    return new Promise(() => undefined)
  }
  const restoring = command.call(context, { directory: directory.origin, agent: agent.agentId })
  await expect(restoring).rejects.toThrow('Stopped.')
  expect(context.progress.at(-1)?.text).toContain('secret from standard input')
  expect(await context.home.read(agentFile)).toBeUndefined()
})

test('reads the secret from the standard input where there is no terminal', async () => {
  const { agent } = await createRegistered({ directory })
  const context = await createTestContext({ directory, input: `  ${agent.secret}\n` })
  const { value, show } = await command.call(context, { directory: directory.origin, agent: agent.agentId })
  expect(value).toMatchObject({ isListed: false, written: ['agent.json'] })
  expect(show(styleOf({}, {}))).toContain('not listed')
})

describe('nothing is written', () => {
  test.each(['', 'a secret', 'x'.repeat(44)])('where the standard input holds no secret: %j', async (input) => {
    const { agent } = await createAgent()
    const context = await createTestContext({ directory, input })
    const restored = command.call(context, { directory: directory.origin, agent: agent.agentId })
    await expect(restored).rejects.toThrow('The secret must be 43 characters')
    expect(await context.home.read(agentFile)).toBeUndefined()
  })

  test('where the secret is not the one of the agent', async () => {
    const { agent } = await createAgent()
    const context = await createTestContext({ directory, input: 'x'.repeat(43) })
    const restored = command.call(context, { directory: directory.origin, agent: agent.agentId })
    await expect(restored).rejects.toThrow('has no agent with this id and secret')
    expect(await context.home.read(agentFile)).toBeUndefined()
    expect(await readdir(context.home.path)).toEqual(['locks'])
  })

  test.each([
    [{}, 'No directory was given'],
    [{ directory: 'https://directory.example' }, 'No agent was given'],
    [{ directory: 'https://directory.example', agent: 'me' }, 'agent must be a UUID v4'],
  ])('where %j is all that is given', async (options, message) => {
    const context = await createTestContext({ directory, input: 'x'.repeat(43) })
    await expect(command.call(context, options)).rejects.toThrow(message)
  })
})

describe('a home where an agent lives', () => {
  test('gets the new secret of the same agent, and keeps its own files', async () => {
    const { context, agent } = await createAgent()
    const secret = await replaceSecret(context, agent)
    await context.home.change(async (files) => {
      await files.write(handlesFile, {})
      await files.remove(profileFile)
    })
    const piped = await createTestContext({ directory, home: context.home.path, input: secret })
    const { value } = await command.call(piped, {})
    expect(value).toMatchObject({ written: ['profile.json', 'published.json', 'agent.json'] })
    expect(await context.home.read(agentFile)).toEqual({ ...agent, secret })
    expect(await context.home.read(handlesFile)).toEqual({})
  })

  test('is not taken over by another agent without a yes', async () => {
    const { agent } = await createAgent()
    const { context, agent: resident } = await createAgent()
    const { path: home } = context.home
    const options = { directory: directory.origin, agent: agent.agentId }
    const piped = await createTestContext({ directory, home, input: agent.secret })
    await expect(command.call(piped, options)).rejects.toMatchObject({
      hint: expect.stringContaining('KOKO_HOME') as unknown,
      code: 'confirmation-required',
    })
    const refusing = await createTestContext({ directory, home, answers: [['Replace it', false]] })
    await expect(command.call(refusing, options)).rejects.toThrow('Nothing was done')
    expect(await context.home.read(agentFile)).toEqual(resident)
  })

  test('is taken over after a yes; its handles wait for a new agreement', async () => {
    const { agent } = await createAgent()
    const { context } = await createAgent()
    await context.home.change(async (files) => {
      await files.write(handlesFile, { telegram: { handle: 'another_fiction', agreedAtMs: 1 } })
      await files.write(publishedFile, { publishedAtMs: 1, listing: null, withheld: [] })
    })
    const answers = [
      ['Replace it', true],
      ['What is its secret?', agent.secret],
    ] as const
    const asking = await createTestContext({ directory, home: context.home.path, answers })
    await command.call(asking, { directory: directory.origin, agent: agent.agentId })
    expect(await context.home.read(agentFile)).toMatchObject({ agentId: agent.agentId })
    expect(await context.home.read(handlesFile)).toEqual({ telegram: { handle: 'another_fiction', agreedAtMs: null } })
    expect(await context.home.read(publishedFile)).toMatchObject({ listing: { agentId: agent.agentId } })
  })

  test.each([
    [['whatsapp'], '1 unlink (WhatsApp), and koko will no longer send it'],
    [['whatsapp', 'telegram'], '2 unlinks (WhatsApp and Telegram), and koko will no longer send them'],
  ] as const)('is taken over only after a yes that names its unlinks that wait: %j', async (waiting, words) => {
    const { agent } = await createAgent()
    const { context, agent: resident } = await createAgent()
    const outbox = {
      agentId: resident.agentId,
      isRefused: false,
      unlinks: waiting.map((channel) => ({ channel, askedAtMs: 1 })),
    }
    await context.home.change((files) => files.write(outboxFile, outbox))
    const answers = [[`The directory has not acknowledged ${words}.`, false]] as const
    const asking = await createTestContext({ directory, home: context.home.path, answers })
    const options = { directory: directory.origin, agent: agent.agentId }
    await expect(command.call(asking, options)).rejects.toThrow('Nothing was done')
    expect(await context.home.read(outboxFile)).toEqual(outbox)
  })

  test('says nothing of unlinks before it is taken over where none wait', async () => {
    const { agent } = await createAgent()
    const { context } = await createAgent()
    const asking = await createTestContext({ directory, home: context.home.path, answers: [['Replace it', false]] })
    const options = { directory: directory.origin, agent: agent.agentId }
    await expect(command.call(asking, options)).rejects.toThrow('Nothing was done')
    expect(asking.asked.join()).not.toContain('unlink')
  })

  test('is not written over where it cannot be read', async () => {
    const { context, agent } = await createAgent()
    const piped = await createTestContext({ directory, home: context.home.path, input: agent.secret })
    const newer = '{"version":99}'
    await writeFile(join(context.home.path, 'profile.json'), newer)
    const options = { directory: directory.origin, agent: agent.agentId }
    expect(await command.call(piped, options)).toMatchObject({ value: { written: ['published.json', 'agent.json'] } })
    await writeFile(join(context.home.path, 'agent.json'), newer)
    await expect(command.call(piped, options)).rejects.toThrow('newer koko')
    for (const name of ['profile.json', 'agent.json']) {
      expect(await readFile(join(context.home.path, name), 'utf8')).toBe(newer)
    }
  })

  test('sends the secret of another agent to no directory that was not named', async () => {
    const { context } = await createAgent()
    const { agent } = await createAgent()
    const piped = await createTestContext({ directory, home: context.home.path, input: agent.secret })
    await expect(command.call(piped, { agent: agent.agentId })).rejects.toThrow('No directory was given')
  })
})

test('what is listed now is told by the directory, and not by an old copy of the home', async () => {
  const { context, agent } = await createAgent()
  const piped = await createTestContext({ directory, home: context.home.path, input: agent.secret })
  await context.home.change((files) => files.write(publishedFile, { publishedAtMs: 1, listing: null, withheld: [] }))
  await command.call(piped, {})
  expect(await context.home.read(publishedFile)).toMatchObject({ listing: { channels } })
  for (const channel of ['telegram', 'whatsapp'] as const) {
    await directoryOf(context, agent).client.call('unlinkChannel', { channel })
  }
  await command.call(piped, {})
  expect(await context.home.read(publishedFile)).toBeUndefined()
})

test('a home that was copied to another machine is whole there', async () => {
  const { context, agent } = await createAgent()
  const copy = await freshFolder()
  await cp(context.home.path, copy, { recursive: true })
  const there = await createTestContext({ directory, home: copy })
  const kept = await there.home.read(agentFile)
  expect(kept).toEqual(agent)
  await directoryOf(there, agent).signIn()
  await there.home.assertWritable()
})

test('a home that cannot be written is found out before the secret is asked for', async () => {
  const { agent } = await createAgent()
  const context = await createTestContext({ directory, answers: [] })
  await mkdir(context.home.path)
  await writeFile(join(context.home.path, 'locks'), '')
  const options = { directory: directory.origin, agent: agent.agentId }
  await expect(command.call(context, options)).rejects.toThrow('a part of the path is not a folder')
})

test("takes up no listing of somebody else's, and agrees to none of its handles", async () => {
  const { agent } = await createAgent()
  directory.intercept = async ({ name }, answer) => {
    const response = await answer()
    if (name !== 'exportAgent') return response
    const text = await response.text()
    const path = `mcpDirectory/dating/agents/${agent.agentId}`
    const { result } = JSON.parse(text) as { result: { documents: Record<string, object>; signIn: object } }
    result.documents[path] = { ...result.documents[path], agentId: '6f1f7b0e-5b5c-4a53-8a4e-0123456789ab' }
    return Response.json({ result })
  }
  const context = await createTestContext({ directory, input: agent.secret })
  const { value } = await command.call(context, { directory: directory.origin, agent: agent.agentId })
  expect(value).toMatchObject({ isListed: null, written: ['agent.json'] })
  expect(await context.home.read(handlesFile)).toBeUndefined()
})

test('an old handle of this home does not come back: another home has published a newer one', async () => {
  const { context, agent } = await createAgent()
  const newer = { ...channels, telegram: 'a_newer_name' }
  const { client } = directoryOf(context, agent)
  await client.call('publishProfile', { channels: newer, profile: profileIn('gcpv') })
  const again = await createTestContext({ directory, home: context.home.path, input: agent.secret })
  expect(await command.call(again, {})).toMatchObject({
    value: { written: ['handles.json', 'published.json', 'agent.json'] },
  })
  expect(await context.home.read(handlesFile)).toEqual({
    telegram: { handle: channels.telegram, agreedAtMs: null },
    whatsapp: { handle: channels.whatsapp, agreedAtMs: expect.any(Number) },
  })
})

describe('a damaged agent.json, which may hold the only copy of a secret', () => {
  const damage = '{"version":1,"secret":"the only copy"'

  test('is kept beside the new one, also a second time', async () => {
    const { context, agent } = await createAgent()
    const path = join(context.home.path, 'agent.json')
    for (const kept of ['agent.json.damaged', 'agent.json.damaged-2']) {
      await writeFile(path, damage, { mode: 0o600 })
      const again = await createTestContext({ directory, home: context.home.path, input: agent.secret })
      const { value, show } = await command.call(again, { directory: directory.origin, agent: agent.agentId })
      expect(value).toMatchObject({ setAside: [kept] })
      expect(show(styleOf({}, {}))).toContain(`The former files are saved as ${kept}.`)
      expect(await readFile(join(context.home.path, kept), 'utf8')).toBe(damage)
      expect(await context.home.read(agentFile)).toMatchObject({ agentId: agent.agentId, secret: agent.secret })
    }
  })

  test('stays where the new secret is not accepted', async () => {
    const { context, agent } = await createAgent()
    const path = join(context.home.path, 'agent.json')
    await writeFile(path, damage, { mode: 0o600 })
    const again = await createTestContext({ directory, home: context.home.path, input: 'x'.repeat(43) })
    await expect(command.call(again, { directory: directory.origin, agent: agent.agentId })).rejects.toThrow('no agent')
    expect(await readFile(path, 'utf8')).toBe(damage)
  })

  test('and one of a newer koko is left as it is', async () => {
    const { context, agent } = await createAgent()
    const path = join(context.home.path, 'agent.json')
    await writeFile(path, '{"version":99}', { mode: 0o600 })
    const again = await createTestContext({ directory, home: context.home.path, input: agent.secret })
    await expect(command.call(again, { directory: directory.origin, agent: agent.agentId })).rejects.toThrow(
      'newer koko',
    )
    expect(await readFile(path, 'utf8')).toBe('{"version":99}')
  })
})
