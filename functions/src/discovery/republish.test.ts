import { dayMs, hourMs, minuteMs } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
import type { Listing } from '@koko/contract'
import type { Change, Entry } from '../documents.ts'
import { republishLimits } from '../limits.ts'
import type { Fields } from '../ports.ts'
import { planBatches, planMerges, planTidying } from './plan-republish.ts'
import { republishDiscovery } from './republish.ts'
import { entryKey, keyOf, packShards, shardAt, unpackEntries, type ShardInfo } from './shards.ts'
import { codec } from '../adapters/node.ts'
import { interleave, killAt } from '../../test/interleave.ts'
import { expectConverged, servedListings, storedListings, storedManifest } from '../../test/oracle.ts'
import {
  call,
  createWorld,
  openSettings,
  pathsUnder,
  profileIn,
  register,
  storedAt,
  walk,
  type TestAgent,
  type World,
} from '../../../testing/world.ts'

/** Small enough that a dozen agents split and merge shards and need several transactions. */
const small = { shardAgents: 3, shardBytes: 100_000, mergeAgents: 2, batchAgents: 2, batchShards: 2 }

const startMs = Date.UTC(2026, 10, 21, 12)
const areas = ['gcpv', 'u173', '9q8y', 'gc', 'dr5r']

async function publish(world: World, { claims }: TestAgent, index: number, area: string, handle = `person_${index}`) {
  const channels = { telegram: handle, whatsapp: `+4477009000${String(index).padStart(2, '0')}` }
  return call(world, 'publishProfile', claims, { channels, profile: profileIn(area) })
}

/** A room with every kind of pending work for a republish. */
async function busyRoom(): Promise<{ world: World; agents: TestAgent[] }> {
  const world = createWorld(startMs - 31 * dayMs)
  const { ports, clock } = world
  const forgotten = await register(world)
  await publish(world, forgotten, 50, 'gcpv')
  await register(world)
  clock.advance(27 * dayMs)

  const agents: TestAgent[] = []
  for (let index = 0; index < 10; index += 1) {
    const agent = await register(world)
    agents.push(agent)
    await publish(world, agent, index, areas[index % 3] ?? 'gcpv')
  }
  await republishDiscovery(ports, clock.now, small)
  clock.advance(2 * dayMs)
  const [moved, unlinked, relinked, gone, withdrawn, changed, expired, ...kept] = agents as [
    TestAgent,
    TestAgent,
    TestAgent,
    TestAgent,
    TestAgent,
    TestAgent,
    TestAgent,
    ...TestAgent[],
  ]
  for (const agent of agents) if (agent !== expired) await call(world, 'heartbeat', agent.claims)
  const departing = await register(world)
  await call(world, 'unregisterAgent', departing.claims)
  world.signIns.exchange(departing.token)
  await run(world)
  clock.advance(2 * dayMs)
  for (const agent of kept) await call(world, 'heartbeat', agent.claims)
  await publish(world, moved, 0, 'dr5r')
  await call(world, 'unlinkChannel', unlinked.claims, { channel: 'telegram' })
  await publish(world, unlinked, 1, 'gc')
  await call(world, 'unlinkChannel', relinked.claims, { channel: 'telegram' })
  await call(world, 'relinkChannel', await openSettings(world, relinked), { channel: 'telegram' })
  await publish(world, relinked, 2, 'u173', 'again_back')
  await call(world, 'unregisterAgent', gone.claims)
  await call(world, 'unlinkChannel', withdrawn.claims, { channel: 'telegram' })
  await call(world, 'unlinkChannel', withdrawn.claims, { channel: 'whatsapp' })
  await publish(world, changed, 5, 'u173', 'another_one')
  await publish(world, await register(world), 11, 'gcpv')
  return { world, agents }
}

function run(world: World) {
  return republishDiscovery(world.ports, world.clock.now, small)
}

describe('the republish, in a room with every kind of pending work', () => {
  test('updates the shards, removes inactive agents and deletes departed sign-ins in one run', async () => {
    const { world } = await busyRoom()
    const signedIn = world.signIns.existing.size
    expect(await run(world)).toMatchObject({ finished: true, removedForRetention: 2 })
    expectConverged(world, small)
    expect(servedListings(world).size).toBe(8)
    expect(world.signIns.existing.size).toBe(signedIn - 3)
    expect(pathsUnder(world, 'departures/')).toHaveLength(3)
  })

  test('is continued by the next run after being killed at any await', async () => {
    const { world: room } = await busyRoom()
    for (let count = 1; ; count += 1) {
      const world = room.fork()
      const onAwait = killAt(count)
      const killed = republishDiscovery(world.through(onAwait), world.clock.now, small)
      if (
        await killed.then(
          ({ finished }) => finished,
          () => false,
        )
      ) {
        expect(onAwait.killed()).toBe(false)
        expect(count).toBeGreaterThan(30)
        return
      }
      expect(onAwait.killed()).toBe(true)
      await run(world)
      expectConverged(world, small)
    }
  })

  test('serves what is listed beside a second run, in every order of their awaits', async () => {
    const { world: room } = await busyRoom()
    for (let switchAt = 0; switchAt < 60; switchAt += 2) {
      for (const stride of [1, 2, 3]) {
        const world = room.fork()
        let steps = 0
        const runs = await interleave(
          [0, 1].map(() => (onAwait) => republishDiscovery(world.through(onAwait), world.clock.now, small)),
          (waiting) => {
            steps += 1
            return steps < switchAt ? 0 : Math.floor(steps / stride) % Math.max(1, waiting)
          },
        )
        // A run that loses too many races counts as killed.
        expect(runs.some(({ status }) => status === 'fulfilled')).toBe(true)
        if (runs.some(({ status }) => status === 'rejected')) await run(world)
        expectConverged(world, small)
      }
    }
  }, 60_000)
})

describe('during concurrent changes', () => {
  test('loses no change that is committed at any of its awaits', async () => {
    const room = createWorld(startMs)
    const agents = [await register(room), await register(room), await register(room), await register(room)]
    for (const [index, agent] of agents.entries()) await publish(room, agent, index, 'gcpv')
    await run(room)
    const [alice, bob, carol, dave] = agents as [TestAgent, TestAgent, TestAgent, TestAgent]
    await publish(room, alice, 0, 'u173')
    for (let count = 1; ; count += 1) {
      const world = room.fork()
      let awaits = 0
      const onAwait = async () => {
        awaits += 1
        if (awaits !== count) return
        await publish(world, alice, 0, '9q8y', 'moved_on')
        await call(world, 'unlinkChannel', bob.claims, { channel: 'telegram' })
        await call(world, 'unregisterAgent', carol.claims)
      }
      expect(await republishDiscovery(world.through(onAwait), world.clock.now, small)).toMatchObject({ finished: true })
      if (awaits < count) return
      // Removals hide what the run has not applied yet.
      for (const { agentId, channels } of await walk(world, world.newInstance(), dave.claims, 50)) {
        expect(storedListings(world).get(agentId)?.channels).toMatchObject(channels)
      }
      await run(world)
      expectConverged(world, small)
      expect(servedListings(world).get(alice.agentId)).toMatchObject({ channels: { telegram: 'moved_on' } })
    }
  })

  test('serves what is listed when a change and a whole other run come in at any of its awaits', async () => {
    const { world: room, agents } = await busyRoom()
    const newcomer = await register(room)
    for (let count = 1; ; count += 1) {
      const world = room.fork()
      let awaits = 0
      const onAwait = async () => {
        awaits += 1
        if (awaits !== count) return
        await publish(world, newcomer, 12, areas[count % areas.length] ?? '')
        await call(world, 'unregisterAgent', agents[7 + (count % 3)]?.claims)
        await run(world)
      }
      await republishDiscovery(world.through(onAwait), world.clock.now, small)
      if (awaits < count) return
      await run(world)
      expectConverged(world, small)
    }
  })

  test('stops when its time is over, reports it, and the next run continues', async () => {
    const world = createWorld(startMs)
    for (let index = 0; index < 6; index += 1)
      await publish(world, await register(world), index, areas[index % 5] ?? '')
    const slow = world.through(() => {
      world.clock.advance(6_000)
      return Promise.resolve()
    })
    const { agents, finished } = await republishDiscovery(slow, world.clock.now, small)
    expect(finished).toBe(false)
    expect(agents).toBeLessThan(4)
    expect(storedAt(world, 'runs/republishDiscovery')).toEqual({ finishedAtMs: null, cutOffRuns: 0 })
    expect(await run(world)).toMatchObject({ finished: true })
    const finishedAtMs = world.clock.now().getTime()
    expect(storedAt(world, 'runs/republishDiscovery')).toEqual({ finishedAtMs, cutOffRuns: 0 })
    expectConverged(world, small)
  })

  test('writes no shard when nothing is pending', async () => {
    const { world } = await busyRoom()
    await run(world)
    const before = storedManifest(world)
    expect(await run(world)).toEqual({
      agents: 0,
      shardsWritten: 0,
      removedForRetention: 0,
      failed: 0,
      finished: true,
    })
    expect(storedManifest(world)).toEqual(before)
  })
})

describe('as time passes', () => {
  test('an agent leaves the shards 60 hours after the day it was last seen, and returns with its next heartbeat', async () => {
    const world = createWorld(startMs)
    const [alice, bob] = [await register(world), await register(world)]
    await publish(world, alice, 0, 'gcpv')
    await publish(world, bob, 1, 'u173')
    world.clock.advance(2 * dayMs)
    await call(world, 'heartbeat', bob.claims)
    await run(world)
    expect(servedListings(world).size).toBe(2)
    world.clock.advance(1)
    await run(world)
    expect([...servedListings(world).keys()]).toEqual([bob.agentId])
    expectConverged(world, small)
    await call(world, 'heartbeat', alice.claims)
    await run(world)
    expect(servedListings(world).size).toBe(2)
    expectConverged(world, small)
  })

  test('an agent not seen for 30 days is removed completely, listed or not, with its sign-in', async () => {
    const world = createWorld(startMs)
    const agents = [await register(world), await register(world), await register(world)]
    const [listed, withdrawn, kept] = agents as [TestAgent, TestAgent, TestAgent]
    for (const agent of agents) await publish(world, agent, 0, 'gcpv')
    await call(world, 'unlinkChannel', withdrawn.claims, { channel: 'telegram' })
    await call(world, 'unlinkChannel', withdrawn.claims, { channel: 'whatsapp' })
    await call(world, 'createSettingsLink', listed.claims)
    world.clock.advance(29 * dayMs + 11 * hourMs)
    await call(world, 'heartbeat', kept.claims)
    expect(await run(world)).toMatchObject({ removedForRetention: 0 })
    world.clock.advance(dayMs)
    expect(await run(world)).toMatchObject({ removedForRetention: 2 })
    const stored = JSON.stringify([...world.store.all()])
    for (const { agentId } of [listed, withdrawn]) expect(stored).not.toContain(agentId)
    expect([...world.signIns.existing]).toEqual([kept.agentId])
    expectConverged(world, small)
  })

  test('a removed agent may sign in again with an old token until the token expires', async () => {
    const world = createWorld(startMs)
    const agent = await register(world)
    world.clock.advance(10_000)
    await call(world, 'unregisterAgent', agent.claims)
    world.clock.advance(hourMs - 10_001)
    world.signIns.exchange(agent.token)
    await run(world)
    expect(world.signIns.existing.size).toBe(1)
    world.clock.advance(10_001 + minuteMs)
    expect(() => world.signIns.exchange(agent.token)).toThrow('expired')
    await run(world)
    expect(world.signIns.existing.size).toBe(0)
    expect(pathsUnder(world, 'departures/')).toEqual([])
  })
})

describe('shards', () => {
  test('a crowded cell is split by agent, at production size, and merged after most have left', async () => {
    const world = createWorld(startMs)
    const present = seed(world, 1_100, () => 'gcpv')
    expect(await republishDiscovery(world.ports, world.clock.now)).toMatchObject({ agents: 1_100, finished: true })
    expectConverged(world, republishLimits)
    const split = storedManifest(world).shards
    expect(split).toHaveLength(2)
    expect(split.slice(1).every(({ start }) => start.startsWith('gcpv/0'))).toBe(true)

    world.store.put(
      present.slice(100).flatMap((agentId) => [
        [`mcpDirectory/dating/agents/${agentId}`, null],
        [`changes/${agentId}`, { room: 'dating', revision: 2, from: 'gcpv', to: null, unlinked: false }],
      ]),
    )
    await republishDiscovery(world.ports, world.clock.now)
    expectConverged(world, republishLimits)
    expect(storedManifest(world).shards).toHaveLength(1)
  })

  test('a run touches no shard without changes', async () => {
    const world = createWorld(startMs)
    const present = seed(world, 40, (index) => ['9q8y', 'dr5r', 'gcpv', 'u173'][index % 4] ?? '')
    await run(world)
    const before = storedManifest(world).shards
    expect(before.length).toBeGreaterThan(10)
    const [moved = ''] = present
    world.store.put([
      [`mcpDirectory/dating/agents/${moved}`, listingOf(moved, 'u173')],
      [`changes/${moved}`, { room: 'dating', revision: 2, from: '9q8y', to: 'u173', unlinked: false }],
    ])
    await run(world)
    const after = storedManifest(world).shards
    const unchanged = after.filter(({ revision }) => before.some((shard) => shard.revision === revision))
    expect(after.length - unchanged.length).toBeLessThanOrEqual(3)
    expectConverged(world, small)
  })
})

describe('planning', () => {
  const shards = ['', 'b', 'd', 'f', 'h'].map((start, index) => shardInfo({ id: `s${index}`, start }))
  const manifest = { revision: 7, shards }
  const change = (agentId: string, to: string, from: string | null = null) => ({
    agentId,
    change: { room: 'dating', revision: 1, from, to, unlinked: false } satisfies Change,
  })
  const limits = { ...republishLimits, batchAgents: 3, batchShards: 2 }

  test('batches have every changed agent once, neighbours together, within the limits', () => {
    const changes = [change('1', 'bb'), change('2', 'hh', 'bb'), change('3', 'b0'), change('4', 'dd'), change('5', 'c')]
    const batches = planBatches('dating', manifest, [...changes, change('6', 'b1'), change('7', '00')], limits)
    expect(batches.map(({ agentIds }) => agentIds)).toEqual([
      ['7', '1'],
      ['2', '3', '5'],
      ['6', '4'],
    ])
    for (const { agentIds } of batches) {
      const touched = [...changes].filter(({ agentId }) => agentIds.includes(agentId))
      const indexes = touched.flatMap(({ agentId, change: { from, to } }) =>
        [from ?? to, to].map((area) => shardAt(shards, keyOf(area, agentId))),
      )
      expect(new Set(indexes).size).toBeLessThanOrEqual(limits.batchShards)
      expect(agentIds.length).toBeLessThanOrEqual(limits.batchAgents)
    }
  })

  test('an agent that touches more shards than a batch may has a separate batch', () => {
    const narrow = { ...limits, batchShards: 1 }
    const batches = planBatches('dating', manifest, [change('1', '00', 'bb'), change('2', '00')], narrow)
    expect(batches.map(({ agentIds }) => agentIds)).toEqual([['1'], ['2']])
  })

  test('without changes there are no batches, and without shards one batch', () => {
    expect(planBatches('dating', manifest, [], limits)).toEqual([])
    expect(planBatches('dating', { revision: 0, shards: [] }, [change('1', 'b'), change('2', 'h')], limits)).toEqual([
      { room: 'dating', agentIds: ['1', '2'] },
    ])
  })

  test('small neighbours are merged in pairs, and a shard with an agent offline is rewritten', () => {
    const sizes = [300, 200, 200, 501, 0]
    const sized = shards.map((shard, index) => ({ ...shard, agents: sizes[index] ?? 0, oldestSeenAtMs: 10 * dayMs }))
    const ids = (due: ShardInfo[][]) => due.map((group) => group.map(({ id }) => id))
    expect(ids(planTidying({ revision: 1, shards: sized }, 10 * dayMs, republishLimits))).toEqual([['s0', 's1']])
    expect(ids(planTidying({ revision: 1, shards: sized }, 10 * dayMs + 1, republishLimits))).toEqual([
      ['s0', 's1'],
      ['s2'],
      ['s3'],
      ['s4'],
    ])
  })

  test('neighbours whose bytes would soon split them again are not merged', () => {
    const heavy = shards.slice(0, 2).map((shard) => ({ ...shard, bytes: 100_001 }))
    expect(planMerges(heavy, republishLimits)).toEqual([])
    expect(planMerges(shards.slice(0, 2), republishLimits)).toHaveLength(1)
  })

  test('a packed range keeps its start, its entries and their order, and no shard is too large', () => {
    const entries = Array.from({ length: 1_001 }, (_, index) => entryOf(agentIdOf(index), 'gcpv'))
    const packed = packShards(codec, 'a', entries, republishLimits)
    expect(packed.map(({ start, entries: { length } }) => [start, length])).toEqual([
      ['a', 500],
      [keyOf('gcpv', agentIdOf(500)).slice(0, -2), 501],
    ])
    expect(packed.flatMap(({ bytes }) => unpackEntries(codec, bytes))).toEqual(entries)
    const light = packShards(codec, '', entries.slice(0, 40), { ...republishLimits, shardBytes: 300 })
    expect(light.length).toBeGreaterThan(1)
    expect(light.every(({ bytes, entries: { length } }) => bytes.length <= 300 || length === 1)).toBe(true)
    expect(packShards(codec, 'a', [], republishLimits)).toMatchObject([{ start: 'a', entries: [] }])
  })

  test('the shard of a key is the last that starts at or before it', () => {
    expect(shardAt([], 'x')).toBe(-1)
    expect(['', 'a', 'b', 'bz', 'd', 'zz'].map((key) => shardAt(shards, key))).toEqual([0, 0, 1, 1, 2, 4])
    expect(entryKey(entryOf(agentIdOf(1), 'gc'))).toBe(`gc/${agentIdOf(1)}`)
  })
})

function shardInfo(shard: Pick<ShardInfo, 'id' | 'start'>): ShardInfo {
  return { revision: 7, agents: 10, bytes: 1_000, oldestSeenAtMs: null, newestSeenAtMs: null, ...shard }
}

function agentIdOf(index: number): string {
  return `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
}

function listingOf(agentId: string, area: string): Listing {
  const presence = {
    registeredAtMs: startMs - 12 * hourMs,
    publishedAtMs: startMs,
    lastSeenAtMs: startMs - 12 * hourMs,
  }
  const channels = { telegram: `person_${agentId.slice(-6)}` }
  return { agentId, category: 'dating', channels, profile: profileIn(area), presence }
}

function entryOf(agentId: string, area: string): Entry {
  return { revision: 1, placedAt: 1, listing: listingOf(agentId, area) }
}

/** Puts listings straight into the store, each with the change that the republish will find. */
function seed(world: World, count: number, areaOf: (index: number) => string): string[] {
  const agentIds = Array.from({ length: count }, (_, index) => agentIdOf(index))
  const documents = agentIds.flatMap((agentId, index): [string, Fields][] => [
    [`mcpDirectory/dating/agents/${agentId}`, listingOf(agentId, areaOf(index))],
    [`changes/${agentId}`, { room: 'dating', revision: 1, from: null, to: areaOf(index), unlinked: false }],
  ])
  world.store.put(documents)
  return agentIds
}
