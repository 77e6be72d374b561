import { dayMs, minuteMs, secondMs } from '@koko/contract'
import { describe, expect, jest, test } from '@jest/globals'
import type { Fields, Ports, Store } from '../ports.ts'
import { killAt } from '../../test/interleave.ts'
import { expectConverged } from '../../test/oracle.ts'
import { sampleChannels as channels } from '../../../testing/samples.ts'
import {
  call,
  createWorld,
  pathsUnder,
  profileIn,
  register,
  type TestAgent,
  type World,
} from '../../../testing/world.ts'
import { republishDiscovery } from './republish.ts'

// The tests kill hundreds of runs, perhaps on a busy machine.
jest.setTimeout(120_000)

const small = { shardAgents: 3, shardBytes: 100_000, mergeAgents: 2, batchAgents: 2, batchShards: 2 }
const startMs = Date.UTC(2026, 10, 21, 12)
const areas = ['gcpv', 'u173', '9q8y', 'dr5r']

async function publish(world: World, { claims }: TestAgent, index: number): Promise<void> {
  await call(world, 'publishProfile', claims, { channels, profile: profileIn(areas[index % areas.length] ?? '') })
}

/**
 * A room with work of every kind: changes to apply, a shard to rebuild, agents to drop, shards to merge, agents to remove
 * and a sign-in to delete again.
 */
async function neglectedRoom(): Promise<World> {
  const world = createWorld(startMs - 31 * dayMs)
  for (let index = 0; index < 3; index += 1) await publish(world, await register(world), index)
  await register(world)
  world.clock.advance(28 * dayMs)
  const agents: TestAgent[] = []
  for (let index = 0; index < 9; index += 1) {
    const agent = await register(world)
    agents.push(agent)
    await publish(world, agent, index)
  }
  await republishDiscovery(world.ports, world.clock.now, small)
  const [offline, leaving, departing] = agents as [TestAgent, TestAgent, TestAgent]
  await call(world, 'unregisterAgent', departing.claims)
  world.signIns.exchange(departing.token)
  world.clock.advance(3 * dayMs)
  for (const [index, agent] of agents.entries()) {
    if (![offline, leaving, departing].includes(agent)) await publish(world, agent, index + 1)
  }
  await call(world, 'unlinkChannel', leaving.claims, { channel: 'telegram' })
  const lost = [...world.store.all().keys()].filter((path) => path.includes('/shards/')).at(1) ?? ''
  world.store.put([[lost, null]])
  return world
}

/** Whether no work of any kind is left. */
function isConverged(world: World): boolean {
  try {
    expectConverged(world, small)
  } catch {
    return false
  }
  const nowMs = world.clock.now().getTime()
  const isDue = (path: string, { unlistedSinceMs, dueAtMs }: Fields) =>
    (path.startsWith('accounts/') && typeof unlistedSinceMs === 'number' && unlistedSinceMs <= nowMs - 30 * dayMs) ||
    (path.startsWith('departures/') && Number(dueAtMs) <= nowMs)
  return ![...world.store.all()].some(([path, fields]) => isDue(path, fields))
}

test('runs that are all killed at the same await do all the work together', async () => {
  const room = await neglectedRoom()
  expect(isConverged(room)).toBe(false)
  // Before the 22nd await, no step of any kind of work is done.
  for (let count = 22; ; count += 1) {
    const world = room.fork()
    let runs = 0
    let isKilled = true
    while (runs < 120 && !isConverged(world)) {
      const onAwait = killAt(count)
      await republishDiscovery(world.through(onAwait), world.clock.now, small).catch(() => null)
      runs += 1
      isKilled = onAwait.killed()
    }
    expect([count, runs < 120]).toEqual([count, true])
    if (!isKilled) return
  }
})

describe('on a slow database, where every run is cut off after four seconds', () => {
  const limits = { ...small, shardAgents: 50, mergeAgents: 25, batchAgents: 100, batchShards: 8 }
  const perDocumentMs = 40

  /** The directory on a database that takes its time for each document. A run stops where its time is over. */
  function slow({ ports, clock }: World, runMs: number): Ports {
    const endMs = clock.monotonicMs() + runMs
    const spend = (documents: number) => {
      clock.advance(documents * perDocumentMs)
      if (clock.monotonicMs() >= endMs) throw new Error('killed')
    }
    const store: Store = {
      async get(paths) {
        spend(paths.length)
        return ports.store.get(paths)
      },
      async query(query) {
        const found = await ports.store.query(query)
        spend(1 + found.length)
        return found
      },
      async count(collection) {
        spend(1)
        return ports.store.count(collection)
      },
      transaction: (work) =>
        ports.store.transaction(async (transaction) => {
          let writes = 0
          const result = await work({
            ...transaction,
            get(paths) {
              spend(paths.length)
              return transaction.get(paths)
            },
            set(path, fields) {
              writes += 1
              transaction.set(path, fields)
            },
            delete(path) {
              writes += 1
              transaction.delete(path)
            },
          })
          spend(writes)
          return result
        }),
    }
    return { ...ports, store }
  }

  /** How many runs it takes until nothing is left to do. */
  async function runsNeeded(world: World): Promise<number> {
    for (let runs = 1; runs <= 200; runs += 1) {
      await republishDiscovery(slow(world, 4 * secondMs), world.clock.now, limits).catch(() => null)
      try {
        expectConverged(world, limits)
        return runs
      } catch {
        world.clock.advance(minuteMs - 4 * secondMs)
      }
    }
    return Infinity
  }

  /** Lists so many agents, each with a change that waits. Returns the paths of their listings. */
  function seed(world: World, from: number, count: number): string[] {
    const lastSeenAtMs = Math.floor(world.clock.now().getTime() / dayMs) * dayMs
    const presence = { registeredAtMs: lastSeenAtMs, publishedAtMs: lastSeenAtMs, lastSeenAtMs }
    return Array.from({ length: count }, (_, index) => {
      const agentId = `00000000-0000-4000-8000-${String(from + index).padStart(12, '0')}`
      const area = areas[index % areas.length] ?? ''
      const path = `mcpDirectory/dating/agents/${agentId}`
      world.store.put([
        [path, { agentId, category: 'dating', channels, profile: profileIn(area), presence }],
        [`changes/${agentId}`, { room: 'dating', revision: 1, from: null, to: area, unlinked: false }],
        [`agents/${agentId}`, { agentId, category: 'dating', registeredAtMs: lastSeenAtMs }],
      ])
      return path
    })
  }

  function roomOf(count: number): World {
    const world = createWorld(startMs)
    seed(world, 0, count)
    return world
  }

  test('a large backlog of changes is applied', async () => {
    const world = roomOf(200)
    expect(await runsNeeded(world)).toBeLessThan(100)
  })

  test('a lost room is rebuilt', async () => {
    const world = roomOf(200)
    await republishDiscovery(world.ports, world.clock.now, limits)
    for (const path of world.store.all().keys()) {
      if (path.startsWith('discovery/')) world.store.put([[path, null]])
    }
    expect(await runsNeeded(world)).toBeLessThan(100)
  })

  test('a stream of changes and agents to remove do not hold up each other', async () => {
    const world = roomOf(20)
    await republishDiscovery(world.ports, world.clock.now, limits)
    const forgotten = pathsUnder(world, 'mcpDirectory/')
    world.clock.advance(31 * dayMs)
    let runs = 0
    for (; runs < 100 && forgotten.some((path) => world.store.all().has(path)); runs += 1) {
      // More changes than a run applies before it is cut off.
      seed(world, 1_000, 50)
      await republishDiscovery(slow(world, 4 * secondMs), world.clock.now, limits).catch(() => null)
      world.clock.advance(minuteMs - 4 * secondMs)
    }
    expect(runs).toBeLessThan(100)
    expect(await runsNeeded(world)).toBeLessThan(100)
  })
})
