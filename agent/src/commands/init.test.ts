import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createTestContext, leaves, type Answer, type TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { directoryOf } from '../directory/session.ts'
import { agentFile, handlesFile, peersFile, publishedFile } from '../home/files.ts'
import { styleOf } from '../output.ts'
import { register } from '../operations/register.ts'
import { command } from './init.ts'

const consents: readonly Answer[] = [
  ['terms', true],
  ['disclaimer', true],
  ['18 or older', true],
]
const flags = { acceptTerms: true, acceptDisclaimer: true, adult: true, again: false }

const style = styleOf({}, {})

let directory: TestDirectory
beforeEach(async () => {
  directory = await createTestDirectory()
})

const sent = (name: string) => directory.requests.filter((request) => request.name === name)
const registered = () => sent('registerAgent').length
const run = (context: TestContext, options: object = {}) =>
  register(context, { ...flags, directory: directory.origin, ...options })

test('registers an agent whose secret signs in, and keeps it for this user only', async () => {
  const answers: Answer[] = [['Which directory', ' directory.example/settings?x=1 '], ...consents]
  const context = await createTestContext({ directory, answers })
  const { value, show, isBad } = await command.call(context, {})
  expect(context.answers).toEqual([])
  expect(context.said.join()).toContain('https://directory.example/terms')
  expect(context.said.join()).toContain('https://directory.example/disclaimer')

  const agent = await context.home.read(agentFile)
  if (agent === undefined) throw new Error('not kept')
  const { secret, projectId, termsVersion, ...shared } = agent
  expect(shared).toMatchObject({ origin: directory.origin, isEmulated: false, room: 'dating' })
  expect([projectId, termsVersion]).toEqual(['demo-agent', '2026-11-21'])
  expect(value).toEqual({ alreadyRegistered: false, ...shared, termsVersion, secret, keptIn: context.home.path })
  expect(isBad).toBe(false)
  expect(show(style).split(secret)).toHaveLength(2)
  expect(show(style)).toContain(context.home.path)
  expect((await stat(join(context.home.path, 'agent.json'))).mode & 0o777).toBe(0o600)
  await directoryOf(context, agent).signIn()
})

test('tells how far the proof of work is, and says no secret there', async () => {
  const context = await createTestContext({ directory })
  const value = await run(context)
  const proof = context.progress.filter(({ text }) => text.includes('proof of work'))
  expect(proof.length).toBeGreaterThan(0)
  expect(proof.every(({ done }) => done !== undefined && done >= 0 && done <= 1)).toBe(true)
  if (value.alreadyRegistered) throw new Error('not registered')
  expect(JSON.stringify([context.progress, context.said, context.asked])).not.toContain(value.secret)
})

test('stops at Ctrl-C while the proof of work is solved', async () => {
  const context = await createTestContext({ directory })
  context.report = ({ text }) => {
    if (text.includes('proof of work')) context.stop()
  }
  await expect(run(context)).rejects.toThrow('Stopped.')
  expect(registered()).toBe(0)
})

describe('consent', () => {
  test.each([0, 1, 2])('number %i is needed, and its refusal sends nothing', async (refused) => {
    const answers = consents.map(([asked], index): Answer => [asked, index !== refused]).slice(0, refused + 1)
    const context = await createTestContext({ directory, answers })
    await expect(command.call(context, { directory: directory.origin })).rejects.toThrow('Nothing was sent')
    expect(sent('createRegistrationChallenge')).toEqual([])
    expect(await context.home.read(agentFile)).toBeUndefined()
  })

  test('is given by options without a terminal; those missing are named', async () => {
    const context = await createTestContext({ directory, env: { KOKO_DIRECTORY: directory.origin } })
    await expect(command.call(context, { acceptTerms: true })).rejects.toMatchObject({
      hint: expect.stringContaining('give --accept-disclaimer --adult.') as unknown,
      code: 'confirmation-required',
    })
    await command.call(context, { acceptTerms: true, acceptDisclaimer: true, adult: true })
    expect(registered()).toBe(1)
  })

  test('to a newer version of the texts is asked by a second run', async () => {
    const context = await createTestContext({ directory, answers: consents })
    await run(context)
    await context.home.change(async (files) => {
      const agent = await files.read(agentFile)
      if (agent !== undefined) await files.write(agentFile, { ...agent, termsVersion: '2020-01-01' })
    })
    const silent = await createTestContext({ directory, home: context.home.path })
    expect(await command.call(silent, {})).toMatchObject({
      value: { alreadyRegistered: true, termsVersion: '2020-01-01' },
    })
    expect(await command.call(context, {})).toMatchObject({
      value: { alreadyRegistered: true, termsVersion: '2026-11-21' },
    })
    expect(await context.home.read(agentFile)).toMatchObject({ termsVersion: '2026-11-21' })
  })
})

describe('the directory', () => {
  test('must be named where there is nobody to ask', async () => {
    const context = await createTestContext({ directory })
    await expect(command.call(context, flags)).rejects.toThrow('No directory was given')
  })

  test('under emulators is named as such', async () => {
    directory = await createTestDirectory({ origin: 'http://127.0.0.1:5000', isEmulated: true })
    const context = await createTestContext({ directory, answers: consents })
    const { value, show } = await command.call(context, { directory: '127.0.0.1:5000/' })
    expect(context.said[0]).toContain('fictional numbers only')
    expect(value).toMatchObject({ origin: 'http://127.0.0.1:5000', isEmulated: true })
    expect(show(style)).toContain('fictional numbers only')
  })

  test('that is none, or is not reached, is said to be so before any question', async () => {
    const context = await createTestContext({ directory, answers: [] })
    directory.intercept = () => Promise.resolve(new Response('<html></html>'))
    await expect(run(context)).rejects.toThrow('There is no Koko Directory at https://directory.example')
    directory.isDown = true
    directory.intercept = (_, answer) => answer()
    await expect(run(context)).rejects.toThrow('https://directory.example cannot be reached')
  })

  test('hears no secret over plain http', async () => {
    const context = await createTestContext({ directory })
    await expect(run(context, { directory: 'http://directory.example' })).rejects.toThrow('unencrypted')
    expect(directory.requests).toEqual([])
  })

  test('that was left unanswered leaves everything as it was', async () => {
    const context = await createTestContext({ directory, answers: [['Which directory', leaves]] })
    await expect(command.call(context, {})).rejects.toThrow('You left')
    expect(directory.requests).toEqual([])
  })
})

describe('a home that cannot be written', () => {
  test('is found out before anything is asked or registered', async () => {
    const context = await createTestContext({ directory, answers: [] })
    await mkdir(context.home.path)
    await writeFile(join(context.home.path, 'locks'), '')
    const { origin } = directory
    await expect(command.call(context, { directory: origin })).rejects.toThrow('a part of the path is not a folder')
    expect(context.asked).toEqual([])
    expect(registered()).toBe(0)
  })

  test('after registering shows the secret all the same, with the command that keeps it', async () => {
    const context = await createTestContext({ directory })
    const { path } = context.home
    directory.intercept = async ({ name }, answer) => {
      const response = await answer()
      if (name === 'registerAgent') {
        await rename(path, `${path}.gone`)
        await writeFile(path, '')
      }
      return response
    }
    const { value, show, isBad } = await command.call(context, { directory: directory.origin, ...flags })
    const { agentId, secret } = value as { agentId: string; secret: string }
    expect(isBad).toBe(true)
    expect(value).toMatchObject({ keptIn: null, problem: { next: expect.stringContaining(agentId) as unknown } })
    const text = show(style)
    expect(text).toContain(secret)
    expect(text).toContain(`koko restore --directory ${directory.origin} --agent ${agentId}`)
    const { origin } = directory
    await directoryOf(context, { origin, projectId: 'demo-agent', agentId, secret }).signIn()
  })
})

describe('a second run', () => {
  test('registers nothing and changes nothing', async () => {
    const context = await createTestContext({ directory })
    const first = await run(context)
    const before = await readFile(join(context.home.path, 'agent.json'), 'utf8')
    const { value, show, isBad } = await command.call(context, {})
    expect(value).toMatchObject({ alreadyRegistered: true, agentId: first.agentId })
    expect(JSON.stringify(value)).not.toContain('secret')
    expect(show(style)).toContain('koko status')
    expect(isBad).toBe(false)
    expect(registered()).toBe(1)
    expect(await readFile(join(context.home.path, 'agent.json'), 'utf8')).toBe(before)
  })

  test('is safe while the directory is down', async () => {
    const context = await createTestContext({ directory })
    await run(context)
    directory.isDown = true
    expect(await run(context)).toMatchObject({ alreadyRegistered: true })
  })

  test('for another directory is refused, and names the way to a second agent', async () => {
    const context = await createTestContext({ directory })
    await run(context)
    await expect(run(context, { directory: 'https://other.example' })).rejects.toMatchObject({
      hint: expect.stringContaining('KOKO_HOME') as unknown,
    })
  })

  test('at the same time as the first finds the agent of whoever was first', async () => {
    const context = await createTestContext({ directory })
    const both = await Promise.all([run(context), run(context)])
    expect(both.map(({ alreadyRegistered }) => alreadyRegistered).sort()).toEqual([false, true])
    expect(new Set(both.map(({ agentId }) => agentId)).size).toBe(1)
    expect(registered()).toBe(1)
  })
})

describe('--again', () => {
  test('is refused while the agent is alive, or where nobody can tell', async () => {
    const context = await createTestContext({ directory })
    await run(context)
    await expect(run(context, { again: true })).rejects.toThrow('is still registered')
    directory.isDown = true
    await expect(run(context, { again: true })).rejects.toMatchObject({ code: 'unavailable' })
    expect(registered()).toBe(1)
  })

  test('registers again where the directory has removed the agent, and forgets the old one', async () => {
    const context = await createTestContext({ directory })
    const first = await run(context)
    await context.home.change(async (files) => {
      await files.write(publishedFile, { publishedAtMs: 1, listing: null, withheld: [] })
      await files.write(handlesFile, { telegram: { handle: 'a_fictional_name', agreedAtMs: 1 } })
    })
    const agent = await context.home.read(agentFile)
    if (agent === undefined) throw new Error('not kept')
    await directoryOf(context, agent).client.call('unregisterAgent', {})
    const second = await run(context, { again: true })
    expect(second).toMatchObject({ alreadyRegistered: false, keptIn: context.home.path })
    expect(second.agentId).not.toBe(first.agentId)
    expect(await context.home.read(publishedFile)).toBeUndefined()
    expect(await context.home.read(peersFile)).toBeUndefined()
    expect(await context.home.read(handlesFile)).toEqual({ telegram: { handle: 'a_fictional_name', agreedAtMs: null } })
  })

  test('is a first run where no agent lives', async () => {
    expect(await run(await createTestContext({ directory }), { again: true })).toMatchObject({
      alreadyRegistered: false,
    })
  })
})

test('a damaged credential is not written over', async () => {
  const context = await createTestContext({ directory })
  await mkdir(context.home.path)
  await writeFile(join(context.home.path, 'agent.json'), '{"version": 1')
  await expect(run(context)).rejects.toThrow('is damaged')
  expect(await readdir(context.home.path)).toEqual(['agent.json'])
  expect(await readdir(dirname(context.home.path))).toEqual(['home'])
})

afterEach(() => {
  expect(JSON.stringify(directory.requests.map(({ url }) => url))).not.toMatch(/secret/)
})

test.each([{ cost: 1e12 }, { keyLength: 1e9 }])('a proof that would never end is not begun: %j', async (absurd) => {
  directory.intercept = async ({ name }, answer) => {
    const response = await answer()
    if (name !== 'createRegistrationChallenge') return response
    const { result } = (await response.json()) as { result: { challenge: { parameters: object; signature: string } } }
    const { parameters, signature } = result.challenge
    return Response.json({ result: { challenge: { parameters: { ...parameters, ...absurd }, signature } } })
  }
  await expect(run(await createTestContext({ directory }))).rejects.toThrow('a larger proof of work than koko accepts')
  expect(registered()).toBe(0)
})
