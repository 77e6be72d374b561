import { dayMs } from '@koko/contract'
import { beforeAll, describe, expect, test } from '@jest/globals'
import type { DiscoverInput } from '@koko/contract'
import { createPrepaid } from './prepaid.ts'
import { republishDiscovery } from './republish.ts'
import { createWorld, look, registerListed, type TestAgent, type World } from '../../../testing/world.ts'

const startMs = Date.UTC(2026, 10, 21, 12)

/** A room of 130 agents; the first discovers the others. */
async function crowd(): Promise<{ world: World; caller: TestAgent }> {
  const world = createWorld(startMs)
  const caller = await registerListed(world, { telegram: 'person_0' })
  for (let index = 1; index < 130; index += 1) await registerListed(world, { telegram: `person_${index}` })
  await republishDiscovery(world.ports, world.clock.now)
  return { world, caller }
}

describe('the budget of a newcomer, 100 listings a day', () => {
  let room: Awaited<ReturnType<typeof crowd>>
  beforeAll(async () => {
    room = await crowd()
  })

  /** How many listings a caller gets in this way until it is refused. */
  async function served(ask: (pageToken: string | undefined) => DiscoverInput, instances = 1): Promise<number> {
    const world = room.world.fork()
    const views = Array.from({ length: instances }, () => world.newInstance())
    let total = 0
    let pageToken: string | undefined
    for (let times = 0; times < 60; times += 1) {
      const view = views[times % views.length]
      if (view === undefined) break
      try {
        const page = await look(world, view, room.caller.claims, ask(pageToken))
        total += page.agents.length
        pageToken = page.nextPageToken ?? undefined
      } catch (error) {
        expect(error).toMatchObject({ code: 'resource-exhausted' })
        return total
      }
    }
    throw new Error('the budget has no end')
  }

  const next = (pageToken: string | undefined) => (pageToken === undefined ? {} : { pageToken })

  test.each([10, 50, 60, 200])('is used up completely by a walk of pages of %d', async (pageSize) => {
    expect(await served((pageToken) => ({ pageSize, ...next(pageToken) }))).toBe(100)
  })

  test.each([10, 50, 60, 200])('is used up completely by first pages of %d', async (pageSize) => {
    expect(await served(() => ({ pageSize }))).toBe(100)
  })

  test('is not exceeded by asking for the same page again and again', async () => {
    let first: string | undefined
    expect(await served((pageToken) => ({ pageSize: 50, ...next((first ??= pageToken)) }))).toBe(100)
  })

  test.each([2, 3, 7])('is not exceeded by asking %d instances in turn', async (instances) => {
    const total = await served((pageToken) => ({ pageSize: 50, ...next(pageToken) }), instances)
    expect(total).toBeLessThanOrEqual(100)
    expect(total).toBeGreaterThanOrEqual(75)
  })
})

test('later pages of a walk cost their caller no write', async () => {
  const { world, caller } = await crowd()
  world.store.put([
    [`agents/${caller.agentId}`, { agentId: caller.agentId, category: 'dating', registeredAtMs: startMs - 4 * dayMs }],
  ])
  const view = world.newInstance()
  const account = () => JSON.stringify(world.store.all().get(`accounts/${caller.agentId}`))
  const first = await look(world, view, caller.claims, { pageSize: 50 })
  const paid = account()
  const second = await look(world, view, caller.claims, { pageSize: 50, pageToken: first.nextPageToken ?? '' })
  const third = await look(world, view, caller.claims, { pageSize: 50, pageToken: second.nextPageToken ?? '' })
  expect([first, second, third].map(({ agents }) => agents.length)).toEqual([50, 50, 29])
  expect(account()).toBe(paid)
})

test('yesterday’s prepaid listings expire, and what two pages return is added up', () => {
  const prepaid = createPrepaid()
  const today = new Date(startMs)
  prepaid.put('a', 3, today)
  prepaid.put('a', 4, today)
  expect(prepaid.take('a', today)).toBe(7)
  expect(prepaid.take('a', today)).toBe(0)
  prepaid.put('a', 3, today)
  expect(prepaid.take('a', new Date(startMs + dayMs))).toBe(0)
})
