import { expect, jest, test } from '@jest/globals'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hostingOrigin } from '../../scripts/stack/addresses.ts'
import { pauseSchedule, republishNow } from '../../testing/schedule.ts'
import { consents, createOperator, profileOptions, type Operator } from './operator.ts'

jest.setTimeout(240_000)

const number = '+447700900611'

async function setUp(operator: Operator, handles: readonly [channel: string, handle: string][]): Promise<string> {
  const { agentId } = (await operator.value('init', ...consents)) as { agentId: string }
  await operator.value('profile', 'edit', ...profileOptions)
  for (const [channel, handle] of handles) await operator.value('link', channel, handle, '--yes')
  await operator.value('publish', '--yes')
  return agentId
}

interface Look {
  matches: { agentId: string; channels: { channel: string; handle?: string }[] }[]
}

async function lookFor(operator: Operator, agentId: string): Promise<Look['matches'][number] | undefined> {
  const { matches } = (await operator.value('discover')) as Look
  return matches.find((match) => match.agentId === agentId)
}

/** A publish is discoverable within 90 s; an instance looks at the shards anew every few seconds. */
async function lookUntilFound(operator: Operator, agentId: string): Promise<Look['matches'][number]> {
  for (let tries = 0; tries < 10; tries += 1) {
    const found = await lookFor(operator, agentId)
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 1_500))
  }
  throw new Error('the peer was not found')
}

async function filesOf(home: string): Promise<string> {
  const names = (await readdir(home, { withFileTypes: true })).filter((each) => each.isFile())
  return (await Promise.all(names.map(({ name }) => readFile(join(home, name), 'utf8')))).join('\n')
}

test('two agents set up with commands find each other, and an unlinked handle is gone after one look', async () => {
  await using ada = await createOperator(hostingOrigin)
  await using bea = await createOperator(hostingOrigin)
  const adaId = await setUp(ada, [
    ['whatsapp', '+44 7700 900611'],
    ['telegram', '@ada_of_the_agents'],
  ])
  const beaId = await setUp(bea, [['whatsapp', '+447700900612']])
  await republishNow()

  expect(await lookUntilFound(bea, adaId)).toMatchObject({ channels: [{ channel: 'whatsapp', handle: number }] })
  expect(await lookUntilFound(ada, beaId)).toMatchObject({
    channels: [{ channel: 'whatsapp', handle: '+447700900612' }],
  })
  expect(await bea.value('peer', adaId)).toMatchObject({
    found: true,
    match: { channels: [{ channel: 'whatsapp', handle: number }] },
  })
  expect(await filesOf(bea.home)).toContain(number)

  // While nothing rewrites the shards.
  await using paused = await pauseSchedule()
  await ada.value('unlink', 'whatsapp', '--yes', '--no-wait')
  await new Promise((resolve) => setTimeout(resolve, 10_000))
  expect(await lookFor(bea, adaId)).toBeUndefined()
  expect(await filesOf(bea.home)).not.toContain(number)
  const asked = await bea.run(['peer', adaId])
  expect(`${asked.stdout}${asked.stderr}`).not.toContain(number)

  // Waits until it is gone, once the shards are written again.
  await paused.resume()
  const unlinking = ada.value('unlink', 'whatsapp', '--yes')
  await republishNow()
  expect(await unlinking).toMatchObject({ channel: 'whatsapp', goneAtMs: expect.any(Number) })

  // Publishing does not bring it back.
  expect(await ada.value('publish', '--yes')).toMatchObject({ withheld: [{ channel: 'whatsapp' }] })
  expect(JSON.stringify(await ada.value('export'))).not.toContain(number)

  // A peer that is gone is forgotten.
  await ada.value('unregister', '--yes')
  expect(await bea.value('peer', adaId)).toMatchObject({ found: false })
  expect(await filesOf(bea.home)).not.toContain('ada_of_the_agents')
})

test('an agent continues on another machine, with its secret or a copy of its home', async () => {
  await using ada = await createOperator(hostingOrigin)
  const { agentId, secret } = (await ada.value('init', ...consents)) as { agentId: string; secret: string }
  await ada.value('profile', 'edit', ...profileOptions)
  await ada.value('link', 'telegram', 'ada_of_the_machines', '--yes')
  await ada.value('publish', '--yes')

  await using laptop = await createOperator(hostingOrigin)
  const restored = await laptop.run(['restore', '--agent', agentId, '--json'], { input: `${secret}\n` })
  expect(restored).toMatchObject({ exitCode: 0 })
  expect(restored.stdout).not.toContain(secret)
  expect(await laptop.value('publish', '--dry-run')).toMatchObject({ isUnchanged: true })
  expect(await laptop.value('status')).toMatchObject({ agent: { agentId } })

  // The old machine learns that the secret was replaced.
  await laptop.value('rotate', '--yes')
  const refused = await ada.run(['publish', '--yes'])
  expect(refused.exitCode).toBe(1)
  expect(refused.stderr).toContain('koko restore')
})
