import { beforeEach, describe, expect, test } from '@jest/globals'
import { rename, writeFile } from 'node:fs/promises'
import { createRegistered, keptAgent } from '../../test/agents.ts'
import { createTestContext, type Answer, type TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { directoryOf } from '../directory/session.ts'
import type { Agent } from '../home/files.ts'
import { styleOf } from '../output.ts'
import { register } from '../operations/register.ts'
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
  const { value, show, isBad } = await command.call(context, { yes: true })
  const { secret } = value as { secret: string }
  expect(secret).not.toBe(agent.secret)
  expect(await keptAgent(context)).toEqual({ ...agent, secret })
  expect(isBad).toBe(false)
  expect(show(styleOf({}, {}))).toContain(secret)
  await directoryOf(context, { ...agent, secret }).signIn()
  await expect(directoryOf(context, agent).signIn()).rejects.toMatchObject({ code: 'unauthenticated' })
})

test('asks first, and needs --yes where there is nobody to ask', async () => {
  await expect(command.call(context, {})).rejects.toMatchObject({ hint: 'Give --yes.' })
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

test('shows a secret that could not be written, with the command that keeps it', async () => {
  const { path } = context.home
  directory.intercept = async ({ name }, answer) => {
    const response = await answer()
    if (name === 'rotateSecret') {
      await rename(path, `${path}.gone`)
      await writeFile(path, '')
    }
    return response
  }
  const { value, show, isBad } = await command.call(context, { yes: true })
  const { secret } = value as { secret: string }
  expect(isBad).toBe(true)
  expect(show(styleOf({}, {}))).toContain(secret)
  expect(show(styleOf({}, {}))).toContain(`koko restore --directory ${agent.origin} --agent ${agent.agentId}`)
  await directoryOf(context, { ...agent, secret }).signIn()
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
  const lose = (isReplaced: boolean, afterwards: () => void = () => undefined) => {
    directory.intercept = async ({ name }, answer) => {
      if (name !== 'rotateSecret') return answer()
      if (isReplaced) await answer()
      afterwards()
      throw new TypeError('fetch failed')
    }
  }

  test('is told from a replaced secret by trying the old one', async () => {
    lose(false)
    await expect(rotate(context, { yes: true })).rejects.toThrow('the old secret is still valid')
    directory.intercept = (_, answer) => answer()
    await directoryOf(context, await keptAgent(context)).signIn()
  })

  test('that held the new secret leaves the agent out of reach, and the way out is named', async () => {
    lose(true)
    await expect(rotate(context, { yes: true })).rejects.toMatchObject({
      message: expect.stringContaining('lost') as unknown,
      hint: expect.stringContaining('koko init --again') as unknown,
    })
    directory.intercept = (_, answer) => answer()
    const again = { acceptTerms: true, acceptDisclaimer: true, adult: true, again: true }
    expect(await register(context, again)).toMatchObject({ alreadyRegistered: false })
  })

  test('while the directory stays down is told as not known', async () => {
    lose(true, () => {
      directory.isDown = true
    })
    await expect(rotate(context, { yes: true })).rejects.toMatchObject({
      message: expect.stringContaining('not known') as unknown,
      hint: expect.stringContaining('koko doctor') as unknown,
    })
    expect(await keptAgent(context)).toEqual(agent)
  })
})

test('a directory that is down from the start leaves all as it was', async () => {
  directory.isDown = true
  await expect(rotate(context, { yes: true })).rejects.toMatchObject({ code: 'unavailable' })
  expect(await keptAgent(context)).toEqual(agent)
})
