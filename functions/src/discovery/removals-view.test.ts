import { minuteMs, secondMs } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { unassignedNumber } from '../documents.ts'
import type { Query, Store } from '../ports.ts'
import { createRemovalsView } from './removals-view.ts'
import { republishDiscovery } from './republish.ts'
import { interleave } from '../../test/interleave.ts'
import { createMemoryStore, type MemoryStore, type OnAwait } from '../../../testing/memory-store.ts'
import {
  call,
  createWorld,
  look,
  refusalOf,
  registerListed,
  type TestAgent,
  type World,
} from '../../../testing/world.ts'

const limits = { readWholeBelow: 4, pageSize: 2, maxNewPerRead: 30, minBacklog: 2, numberBatch: 2, maxTotal: 100 }
const startMs = Date.UTC(2026, 10, 21, 12)
const now = new Date(startMs)

function removalOf(revision: number) {
  return { room: 'dating', revision, channels: ['telegram'], number: unassignedNumber }
}

function revisionsIn(store: MemoryStore): Map<string, number> {
  const removals = [...store.all()].filter(([path]) => path.startsWith('removals/'))
  return new Map(removals.map(([path, { revision }]) => [path.slice('removals/'.length), Number(revision)]))
}

/** How many documents a store is asked for. */
function counting(store: Store): Store & { read: () => number } {
  let read = 0
  return {
    ...store,
    read: () => read,
    get(paths) {
      read += paths.length
      return store.get(paths)
    },
    async query(query: Query) {
      const found = await store.query(query)
      read += Math.max(1, found.length)
      return found
    },
  }
}

type Task =
  | { kind: 'write'; id: number }
  | { kind: 'delete'; id: number }
  | { kind: 'read' | 'number'; instance: number }
  | { kind: 'wait' }

const task: fc.Arbitrary<Task> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const), id: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), id: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const), instance: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('number' as const), instance: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'wait' as const }) },
)

test('an instance knows every removal that existed when it began to read, whatever runs concurrently', async () => {
  const rounds = fc.array(
    fc.tuple(fc.array(task, { minLength: 1, maxLength: 5 }), fc.array(fc.nat(5), { minLength: 1 })),
    {
      minLength: 1,
      maxLength: 30,
      size: 'max',
    },
  )
  await fc.assert(
    fc.asyncProperty(rounds, async (steps) => {
      let [revision, nowMs] = [0, 0]
      const deletions: { id: string; isOver: boolean }[] = []
      let hook: OnAwait | null = null
      const store = createMemoryStore(() => hook?.() ?? Promise.resolve())
      const ports = { store, monotonicMs: () => nowMs }
      const views = [createRemovalsView(ports, 'dating', limits), createRemovalsView(ports, 'dating', limits)]
      const run = async (each: Task): Promise<void> => {
        switch (each.kind) {
          case 'wait':
            nowMs += minuteMs
            return
          case 'write':
            return store.transaction((transaction) => {
              transaction.set(`removals/${each.id}`, removalOf((revision += 1)))
              return Promise.resolve()
            })
          case 'delete': {
            const deletion = { id: String(each.id), isOver: false }
            deletions.push(deletion)
            await store.transaction((transaction) => {
              transaction.delete(`removals/${each.id}`)
              return Promise.resolve()
            })
            deletion.isOver = true
            return
          }
          case 'number':
            // It may lose a race.
            return views[each.instance]?.assignNumbers(now).catch(() => undefined)
          case 'read': {
            const before = revisionsIn(store)
            const over = new Set(deletions.filter(({ isOver }) => isOver))
            // Numbers above the two long-lived instances stand for a new one.
            const view = views[each.instance] ?? createRemovalsView(ports, 'dating', limits)
            const found = await view.read()
            // A removal that was deleted meanwhile need not be known, even if it was written again.
            const gone = new Set(deletions.filter((each) => !over.has(each)).map(({ id }) => id))
            for (const [id, written] of before) {
              if (!gone.has(id)) expect(found.removals.get(id)?.revision ?? 0).toBeGreaterThanOrEqual(written)
            }
          }
        }
      }
      for (const [tasks, picks] of steps) {
        let step = 0
        const outcomes = await interleave(
          tasks.map((each) => (onAwait) => {
            hook = onAwait
            return run(each)
          }),
          () => picks[(step += 1) % picks.length] ?? 0,
        )
        hook = null
        for (const each of outcomes) if (each.status === 'rejected') throw each.reason
      }
    }),
    { numRuns: 150 },
  )
}, 120_000)

test('a new instance misses no removal that is written, and numbered by another instance, at any of its awaits', async () => {
  for (let count = 1; ; count += 1) {
    const store = createMemoryStore()
    store.put(Array.from({ length: 9 }, (_, id) => [`removals/${id}`, removalOf(1)]))
    const other = createRemovalsView({ store, monotonicMs: () => 0 }, 'dating', limits)
    await other.read()
    await other.assignNumbers(now)
    let awaits = 0
    const onAwait = async () => {
      awaits += 1
      if (awaits !== count) return
      store.put(['0', '4', '8'].map((id) => [`removals/${id}`, removalOf(2)]))
      await other.read()
      await other.assignNumbers(now)
    }
    const view = createRemovalsView({ store: store.through(onAwait), monotonicMs: () => 0 }, 'dating', limits)
    await view.read()
    if (awaits < count) return
    const { removals } = await view.read()
    for (const id of ['0', '4', '8']) expect(removals.get(id)?.revision).toBe(2)
  }
})

describe('with many removals', () => {
  test('an instance reads only the new ones, once they have numbers', async () => {
    const memory = createMemoryStore()
    const store = counting(memory)
    const view = createRemovalsView({ store, monotonicMs: () => 0 }, 'dating', limits)
    memory.put(Array.from({ length: 20 }, (_, id) => [`removals/${id}`, removalOf(1)]))
    expect((await view.read()).removals.size).toBe(20)
    while ([...memory.all().values()].filter(({ number }) => number === unassignedNumber).length >= limits.minBacklog) {
      await view.assignNumbers(now)
      await view.read()
    }
    const before = store.read()
    memory.put([['removals/new', removalOf(7)]])
    const { removals } = await view.read()
    expect([removals.size, removals.get('new')?.revision]).toEqual([21, 7])
    expect(store.read() - before).toBeLessThanOrEqual(2)
    // A later instance reads all of them, with the same result.
    const late = createRemovalsView({ store, monotonicMs: () => 0 }, 'dating', limits)
    expect((await late.read()).removals.size).toBe(21)
  })

  test('there is no view while more are new than can be read in time, until they have numbers', async () => {
    const memory = createMemoryStore()
    const view = createRemovalsView({ store: memory, monotonicMs: () => 0 }, 'dating', limits)
    memory.put(Array.from({ length: 60 }, (_, id) => [`removals/${id}`, removalOf(1)]))
    expect((await refusalOf(view.read())).code).toBe('unavailable')
    for (let time = 0; time < 20; time += 1) {
      await view.assignNumbers(now)
      await view.read().catch(() => undefined)
    }
    expect((await view.read()).removals.size).toBe(60)
  })

  test('deleted ones are forgotten after a minute', async () => {
    const memory = createMemoryStore()
    let nowMs = 0
    const view = createRemovalsView({ store: memory, monotonicMs: () => nowMs }, 'dating', limits)
    const some = Array.from({ length: 20 }, (_, id) => `removals/${id}`)
    memory.put(some.map((path) => [path, removalOf(1)]))
    await view.read()
    memory.put(some.map((path) => [path, null]))
    nowMs += minuteMs
    expect((await view.read()).removals.size).toBe(0)
  })

  test('numbers continue above all assigned ones even if the counter is lost', async () => {
    const memory = createMemoryStore()
    const view = createRemovalsView({ store: memory, monotonicMs: () => 0 }, 'dating', limits)
    for (let round = 1; round <= 3; round += 1) {
      memory.put(Array.from({ length: 6 }, (_, id) => [`removals/${round}${id}`, removalOf(round)]))
      await view.read()
      await view.assignNumbers(new Date(startMs + round * secondMs))
      expect((await view.read()).removals.size).toBe(6 * round)
      memory.put([['runs/removals', null]])
    }
  })
})

test('handles unlinked during a long pause of the republish are in no answer, however many they are', async () => {
  const world = createWorld(startMs)
  const agents: TestAgent[] = []
  for (let index = 0; index < 30; index += 1) {
    const channels = { telegram: `person_${index}`, slack: `U0000000${index % 10}` }
    agents.push(await registerListed(world, channels))
  }
  await republishDiscovery(world.ports, world.clock.now)
  const instances = [0, 1].map(() => world.newInstance(world.ports, limits))
  const shown = async (looker: TestAgent | undefined) => {
    const met: string[] = []
    for (const instance of instances) {
      const { agents: page } = await look(world, instance, looker?.claims ?? { uid: '' }, { pageSize: 49 })
      met.push(...page.filter(({ channels }) => channels.telegram !== undefined).map(({ agentId }) => agentId))
    }
    return met
  }
  for (let index = 0; index < 20; index += 1) {
    const agent = agents[index]
    await call(world, 'unlinkChannel', agent?.claims, { channel: 'telegram' })
    world.clock.advance(4 * secondMs)
    const gone = new Set(agents.slice(0, index + 1).map(({ agentId }) => agentId))
    const met = await shown(agents[29 - (index % 9)])
    expect(met.filter((agentId) => gone.has(agentId))).toEqual([])
    expect(new Set(met).size).toBe(28 - index)
    if (index % 5 === 4) await refill(world, agents)
  }
  await republishDiscovery(world.ports, world.clock.now)
  await refill(world, agents)
  world.clock.advance(4 * secondMs)
  expect(new Set(await shown(agents[25])).size).toBe(9)
})

/** Gives every agent a new budget. */
function refill({ store }: World, agents: readonly TestAgent[]): Promise<void> {
  store.put(
    agents.map(({ agentId }) => [
      `accounts/${agentId}`,
      { ...store.all().get(`accounts/${agentId}`), budget: { dayMs: 0, discovered: 0, fetched: 0 } },
    ]),
  )
  return Promise.resolve()
}
