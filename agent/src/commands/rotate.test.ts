import { beforeEach, describe, expect, test } from '@jest/globals'
import { rename, rm, writeFile } from 'node:fs/promises'
import { createRegistered, keptAgent } from '../../test/agents.ts'
import { createTestContext, type Answer, type TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { directoryOf, openDirectory } from '../directory/session.ts'
import { UserError } from '../errors.ts'
import { agentFile, type Agent } from '../home/files.ts'
import { styleOf } from '../output.ts'
import { restore } from '../operations/restore.ts'
import { rotate } from '../operations/rotate.ts'
import { command } from './rotate.ts'

let directory: TestDirectory
let context: TestContext
let agent: Agent
beforeEach(async () => {
  directory = await createTestDirectory()
  const created = await createRegistered({ directory })
  context = created.context
  agent = created.agent
})

test('replaces the secret: the new one is kept and shown, the old one is refused', async () => {
  const { value, show } = await command.call(context, { yes: true })
  const { secret } = value as { secret: string }
  expect(secret).not.toBe(agent.secret)
  expect(await keptAgent(context)).toEqual({ ...agent, secret })
  expect(show(styleOf({}, {}))).toContain(secret)
  await directoryOf(context, { ...agent, secret }).signIn()
  await expect(directoryOf(context, agent).signIn()).rejects.toMatchObject({ code: 'unauthenticated' })
})

test('asks first, and needs --yes where there is nobody to ask', async () => {
  await expect(command.call(context, {})).rejects.toMatchObject({ hint: 'Add --yes.' })
  const answering = (answers: Answer[]) => createTestContext({ directory, home: context.home.path, answers })
  await expect(command.call(await answering([['Replace', false]]), {})).rejects.toThrow('Nothing was done')
  expect(await keptAgent(context)).toEqual(agent)
  await command.call(await answering([['Replace', true]]), {})
  expect(await keptAgent(context)).not.toEqual(agent)
})

test('two at once leave the secret that is good', async () => {
  await Promise.all([rotate(context, { yes: true }), rotate(context, { yes: true })])
  await directoryOf(context, await keptAgent(context)).signIn()
})

test('leaves the old secret valid where the new one cannot be written', async () => {
  const { path } = context.home
  directory.intercept = async ({ name }, answer) => {
    const response = await answer()
    if (name === 'rotateSecret') {
      await rename(path, `${path}.gone`)
      await writeFile(path, '')
    }
    return response
  }
  await expect(command.call(context, { yes: true })).rejects.toThrow('Your current secret stays valid')
  await rm(path)
  await rename(`${path}.gone`, path)
  expect(await keptAgent(context)).toEqual(agent)
  await directoryOf(context, agent).signIn()
})

test('is not cut off by Ctrl-C once it is sent', async () => {
  directory.intercept = (request, answer) => {
    if (request.name === 'rotateSecret') context.stop()
    return answer()
  }
  const { secret } = await rotate(context, { yes: true })
  expect(await keptAgent(context)).toEqual({ ...agent, secret })
})

describe('an answer that never comes', () => {
  /** Loses the answer of the nth call of that name, after it was made or before. */
  const lose = (lost: string, nth: number, isMade: boolean) => {
    let seen = 0
    directory.intercept = async ({ name }, answer) => {
      if (name === lost) seen += 1
      if (name !== lost || seen !== nth) return answer()
      if (isMade) await answer()
      throw new TypeError('fetch failed')
    }
  }
  const use = async () => {
    const next = await createTestContext({ directory, home: context.home.path })
    await (await openDirectory(next)).client.call('exportAgent', {})
    return next
  }

  test.each([true, false])(
    'to the rotation leaves the old secret valid, and the next one replaces it: made %p',
    async (isMade) => {
      lose('rotateSecret', 1, isMade)
      await expect(rotate(context, { yes: true })).rejects.toMatchObject({ code: 'unavailable' })
      expect(await keptAgent(context)).toEqual(agent)
      await use()
      const { secret } = await rotate(context, { yes: true })
      expect(await keptAgent(context)).toEqual({ ...agent, secret })
    },
  )

  // The first sign-in is with the old secret.
  test.each([
    ['signInAgent', true],
    ['signInAgent', false],
    ['exchange', true],
    ['exchange', false],
  ] as const)(
    'to the first sign-in with the new one is completed by the next command: %s, made %p',
    async (name, isMade) => {
      lose(name, 2, isMade)
      await expect(rotate(context, { yes: true })).rejects.toMatchObject({
        message: expect.stringContaining('Both secrets are saved') as unknown,
        hint: expect.stringContaining('koko rotate') as unknown,
      })
      const { pendingSecret, ...before } = await keptAgent(context)
      expect(before).toEqual(agent)
      const next = await use()
      expect(await keptAgent(context)).toEqual({ ...agent, secret: pendingSecret })
      expect(next.progress.filter(({ isLasting }) => isLasting)).toHaveLength(1)
      await expect(directoryOf(context, agent).signIn()).rejects.toMatchObject({ code: 'unauthenticated' })
      expect((await use()).progress).toEqual([])
      const { secret } = await rotate(context, { yes: true })
      expect(await keptAgent(context)).toEqual({ ...agent, secret })
    },
  )
})

describe('a home with two secrets', () => {
  const beginRotation = async () => {
    const { secret: pendingSecret } = await directoryOf(context, agent).client.call('rotateSecret', {})
    await context.home.change((files) => files.write(agentFile, { ...agent, pendingSecret }))
    return pendingSecret
  }

  test('keeps the old one once the new one is void', async () => {
    await beginRotation()
    directory.clock.advance(3_600_000)
    await (await openDirectory(context)).signIn()
    expect(await keptAgent(context)).toEqual(agent)
  })

  test('keeps both while the directory is down, and where neither is accepted', async () => {
    const pendingSecret = await beginRotation()
    directory.isDown = true
    await expect((await openDirectory(context)).signIn()).rejects.toMatchObject({ code: 'unavailable' })
    directory.isDown = false
    await directoryOf(context, agent).client.call('unregisterAgent', {})
    await expect((await openDirectory(context)).signIn()).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(await keptAgent(context)).toEqual({ ...agent, pendingSecret })
  })

  test('works where neither can be dropped, and drops one later', async () => {
    const pendingSecret = await beginRotation()
    const { home } = context
    const full = { ...home, change: () => Promise.reject(new UserError('The disk is full.', 'Make room.')) }
    await (await openDirectory({ ...context, home: full })).client.call('exportAgent', {})
    expect(await keptAgent(context)).toEqual({ ...agent, pendingSecret })
    await (await openDirectory(context)).signIn()
    expect(await keptAgent(context)).toEqual({ ...agent, secret: pendingSecret })
  })

  test('is completed by commands at once', async () => {
    const secret = await beginRotation()
    await Promise.all([1, 2, 3].map(async () => (await openDirectory(context)).client.call('exportAgent', {})))
    expect(await keptAgent(context)).toEqual({ ...agent, secret })
  })

  test('is not changed if another command has rotated it meanwhile', async () => {
    await beginRotation()
    const slow = await openDirectory(context)
    const { secret } = await rotate(context, { yes: true })
    await expect(slow.signIn()).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(await keptAgent(context)).toEqual({ ...agent, secret })
  })

  test('gets one from a restore', async () => {
    const pendingSecret = await beginRotation()
    const piped = await createTestContext({ directory, home: context.home.path, input: pendingSecret })
    await restore(piped, {})
    expect(await keptAgent(context)).toEqual({ ...agent, secret: pendingSecret })
  })
})

test('a new secret that the directory voids at once is not kept', async () => {
  directory.intercept = async ({ name }, answer) => {
    const response = await answer()
    if (name === 'rotateSecret') directory.clock.advance(3_600_000)
    return response
  }
  await expect(rotate(context, { yes: true })).rejects.toThrow('did not accept the new secret')
  expect(await keptAgent(context)).toEqual(agent)
})

test('a directory that is down from the start leaves all as it was', async () => {
  directory.isDown = true
  await expect(rotate(context, { yes: true })).rejects.toMatchObject({ code: 'unavailable' })
  expect(await keptAgent(context)).toEqual(agent)
})
