import { beforeEach, describe, expect, test } from '@jest/globals'
import { readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createListed, createRegistered, replaceSecret } from '../../test/agents.ts'
import { createTestContext, leaves, type Answer } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { directoryOf } from '../directory/session.ts'
import { agentFile, handlesFile, profileFile } from '../home/files.ts'
import { styleOf } from '../output.ts'
import { command } from './unregister.ts'

let directory: TestDirectory
beforeEach(async () => {
  directory = await createTestDirectory()
})

const answering = (home: string, answers: readonly Answer[]) => createTestContext({ directory, home, answers })
const deletions = () => directory.requests.filter(({ name }) => name === 'unregisterAgent').length

test('removes the agent there, and here what belongs to it; the profile and the handles stay, without agreement', async () => {
  const { context, agent } = await createListed({ directory })
  const { value, show } = await command.call(await answering(context.home.path, [['delete', 'delete']]), {})
  const { agentId, origin } = agent
  expect(value).toMatchObject({ agentId, origin, wasGone: false, kept: ['profile.json', 'handles.json'] })
  expect([...directory.world.store.all().keys()].filter((path) => path.includes(agentId))).toEqual([
    `changes/${agentId}`,
    `removals/${agentId}`,
  ])
  expect((await readdir(context.home.path)).sort()).toEqual(['handles.json', 'locks', 'profile.json'])
  expect(await context.home.read(profileFile)).toMatchObject({ profile: { area: 'gcpv' } })
  expect(await context.home.read(handlesFile)).toEqual({ telegram: { handle: 'a_fictional_name', agreedAtMs: null } })
  expect(show(styleOf({}, {}))).toContain('asks you to agree to the handles again')
  expect(JSON.stringify(value) + show(styleOf({}, {}))).not.toContain('a_fictional_name')
})

describe('is confirmed', () => {
  test('by the word itself, which is asked for until it is typed or left', async () => {
    const { context } = await createRegistered({ directory })
    const asking = await answering(context.home.path, [
      ['delete', 'yes'],
      ['delete', leaves],
    ])
    await expect(command.call(asking, {})).rejects.toThrow('You left')
    expect(asking.refused).toEqual(['Type delete, or press Esc to cancel.'])
    expect(deletions()).toBe(0)
    expect(await context.home.read(agentFile)).toBeDefined()
  })

  test('by --yes where there is nobody to ask', async () => {
    const { context } = await createRegistered({ directory })
    await expect(command.call(context, {})).rejects.toMatchObject({ hint: 'Add --yes.' })
    expect(deletions()).toBe(0)
    await command.call(context, { yes: true })
    expect(deletions()).toBe(1)
  })
})

describe('an agent that the directory does not accept', () => {
  test('is explained, and stays here until a yes', async () => {
    const { context, agent } = await createListed({ directory })
    await directoryOf(context, agent).client.call('unregisterAgent', {})
    const answers = (yes: boolean): Answer[] => [
      ['delete', 'delete'],
      ['its secret was replaced elsewhere', yes],
    ]
    await expect(command.call(await answering(context.home.path, answers(false)), {})).rejects.toThrow(
      'Nothing was done',
    )
    expect(await context.home.read(agentFile)).toEqual(agent)
    const { value, show } = await command.call(await answering(context.home.path, answers(true)), {})
    expect(value).toMatchObject({ wasGone: true })
    expect(show(styleOf({}, {}))).toContain('it was removed before, or its secret was replaced elsewhere')
    expect(await context.home.read(agentFile)).toBeUndefined()
  })

  test('is never said to be gone where its secret was replaced, with --quiet too', async () => {
    const { context, agent } = await createListed({ directory })
    await replaceSecret(context, agent)
    const { show, isQuiet } = await command.call(context, { yes: true })
    expect(show(styleOf({}, {}))).toContain('its secret was replaced elsewhere and it still exists')
    expect(show(styleOf({}, {}))).not.toContain('gone')
    expect(isQuiet).toBe(false)
    expect(directory.world.store.all().has(`mcpDirectory/dating/agents/${agent.agentId}`)).toBe(true)
  })

  test('after an answer that was lost, is cleaned up by a second run', async () => {
    const { context } = await createListed({ directory })
    directory.intercept = async (request, answer) => {
      const response = await answer()
      if (request.name === 'unregisterAgent') throw new TypeError('fetch failed')
      return response
    }
    await expect(command.call(context, { yes: true })).rejects.toMatchObject({ code: 'unavailable' })
    expect(await context.home.read(agentFile)).toBeDefined()
    expect(await command.call(context, { yes: true })).toMatchObject({ value: { wasGone: true } })
    await expect(command.call(context, { yes: true })).rejects.toThrow('There is no agent')
  })
})

test('a directory that is down removes nothing anywhere', async () => {
  const { context, agent } = await createListed({ directory })
  directory.isDown = true
  await expect(command.call(context, { yes: true })).rejects.toMatchObject({ code: 'unavailable' })
  expect(await context.home.read(agentFile)).toEqual(agent)
})

test('files that cannot be removed are said to be left, with what to do', async () => {
  const { context } = await createRegistered({ directory })
  const { path } = context.home
  directory.intercept = async ({ name }, answer) => {
    const response = await answer()
    if (name === 'unregisterAgent') {
      await rename(path, `${path}.gone`)
      await writeFile(path, '')
    }
    return response
  }
  await expect(command.call(context, { yes: true })).rejects.toMatchObject({
    message: expect.stringContaining('its files are still here') as unknown,
    hint: expect.stringContaining('koko unregister') as unknown,
  })
})

describe('a home that cannot be written keeps the agent in no listing', () => {
  test('where the disk takes no lock: shows what is left here, and a second run removes it', async () => {
    const { context, agent } = await createListed({ directory })
    const { path } = context.home
    const locks = join(path, 'locks')
    await rm(locks, { recursive: true })
    await writeFile(locks, '', { mode: 0o600 })
    await expect(command.call(context, { yes: true })).rejects.toMatchObject({
      message: expect.stringContaining(
        'is gone from https://directory.example, but its files are still here',
      ) as unknown,
      hint: expect.stringContaining('Then run `koko unregister` again.') as unknown,
    })
    expect([...directory.world.store.all().keys()].filter((each) => each.startsWith('agents/'))).toEqual([])
    expect(await context.home.read(agentFile)).toEqual(agent)

    await expect(command.call(context, { yes: true })).rejects.toThrow(
      'https://directory.example does not accept the agent, but its files are still here',
    )

    await rm(locks)
    expect(await command.call(context, { yes: true })).toMatchObject({ value: { wasGone: true } })
    expect(await context.home.read(agentFile)).toBeUndefined()
  })
})
