import { dayMs, hourMs, minuteMs } from '@koko/contract'
import { expect, jest, test } from '@jest/globals'
import { killAt } from '../../test/interleave.ts'
import { expectConverged, servedListings } from '../../test/oracle.ts'
import {
  call,
  countListingsRead,
  createWorld,
  profileIn,
  refusalOf,
  register,
  walk,
  type TestAgent,
  type World,
} from '../../../testing/world.ts'
import { republishDiscovery } from './republish.ts'

// The tests try many awaits, perhaps on a busy machine.
jest.setTimeout(60_000)

const small = { shardAgents: 3, shardBytes: 100_000, mergeAgents: 2, batchAgents: 2, batchShards: 2 }
const startMs = Date.UTC(2026, 10, 21, 12)
const areas = ['gcpv', 'u173', 'gc', 'dr5r']

function publish(world: World, { claims }: TestAgent, index: number, area = areas[index % areas.length] ?? '') {
  const channels = { telegram: `person_${index}` }
  return call(world, 'publishProfile', claims, { channels, profile: profileIn(area) })
}

function run(world: World) {
  return republishDiscovery(world.ports, world.clock.now, small)
}

async function roomOf(count: number): Promise<{ world: World; agents: TestAgent[] }> {
  const world = createWorld(startMs)
  const agents: TestAgent[] = []
  for (let index = 0; index < count; index += 1) {
    const agent = await register(world)
    agents.push(agent)
    await publish(world, agent, index)
  }
  await run(world)
  expectConverged(world, small)
  return { world, agents }
}

test.each([
  ['a little over a minute ahead', minuteMs + 1],
  ['61 hours ahead', 61 * hourMs],
  ['31 days ahead', 31 * dayMs],
  ['a little over a minute behind', -minuteMs - 1],
  ['a year behind', -365 * dayMs],
])('a run on a machine whose clock is %s changes nothing, and fails with the reason', async (_, aheadMs) => {
  const { world, agents } = await roomOf(4)
  const [first] = agents as [TestAgent]
  await publish(world, first, 3)
  const before = world.store.all()
  const wrong = () => new Date(world.clock.now().getTime() + aheadMs)
  const { code, message } = await refusalOf(republishDiscovery(world.ports, wrong, small))
  expect(code).toBe('unavailable')
  expect(message).toMatch(/the clock of the machine that runs this is .* (ahead of|behind) the database's/)
  expect(world.store.all()).toEqual(before)
  await run(world)
  expectConverged(world, small)
})

test('a run decides by the clock of the database, not by that of its machine', async () => {
  const { world } = await roomOf(4)
  // 60 hours after the day on which all were last seen.
  world.clock.advance(2 * dayMs)
  const ahead = () => new Date(world.clock.now().getTime() + minuteMs)
  expect(await republishDiscovery(world.ports, ahead, small)).toMatchObject({ finished: true })
  expect(servedListings(world).size).toBe(4)
  world.clock.advance(1)
  const behind = () => new Date(world.clock.now().getTime() - minuteMs)
  expect(await republishDiscovery(world.ports, behind, small)).toMatchObject({ finished: true })
  expect(servedListings(world).size).toBe(0)
})

test.each([61 * hourMs, 29 * dayMs])(
  'a run with a time %d ms ahead drops agents, and the next with the right time restores them',
  async (aheadMs) => {
    const { world, agents } = await roomOf(9)
    const [looker, moved, unlinked, gone, newcomer] = agents as [
      TestAgent,
      TestAgent,
      TestAgent,
      TestAgent,
      TestAgent,
      ...TestAgent[],
    ]
    await publish(world, moved, 1, 'dr5r')
    world.clock.jump(aheadMs)
    await run(world)
    expect(servedListings(world).size).toBe(0)
    world.clock.jump(-aheadMs)
    await call(world, 'unlinkChannel', unlinked.claims, { channel: 'telegram' })
    await call(world, 'unregisterAgent', gone.claims)
    await publish(world, newcomer, 4, '9q8y')
    expect(await run(world)).toMatchObject({ finished: true })
    expectConverged(world, small)
    expect(servedListings(world).size).toBe(7)
    expect(await walk(world, world.newInstance(), looker.claims, 50)).toHaveLength(6)
    expect(await run(world)).toMatchObject({ shardsWritten: 0 })
  },
)

test('agents that a wrong time dropped are restored by runs that are killed at any await', async () => {
  const { world: room } = await roomOf(7)
  room.clock.jump(61 * hourMs)
  await run(room)
  room.clock.jump(-61 * hourMs)
  for (let count = 1; ; count += 2) {
    const world = room.fork()
    const onAwait = killAt(count)
    await republishDiscovery(world.through(onAwait), world.clock.now, small).catch(() => null)
    await run(world)
    expectConverged(world, small)
    if (!onAwait.killed()) return
  }
})

test('only the ranges that lost agents to a wrong time are read again', async () => {
  const { world, agents } = await roomOf(12)
  world.clock.advance(2 * dayMs)
  const [early] = agents as [TestAgent]
  for (const agent of agents) if (agent !== early) await call(world, 'heartbeat', agent.claims)
  await run(world)
  // Two hours too late by the clock, one agent is dropped.
  world.clock.jump(2 * hourMs)
  await run(world)
  expect(servedListings(world).size).toBe(11)
  world.clock.jump(-2 * hourMs)
  const { ports, listingsRead } = countListingsRead(world)
  await republishDiscovery(ports, world.clock.now, small)
  expectConverged(world, small)
  expect(servedListings(world).size).toBe(12)
  expect(listingsRead()).toBeLessThanOrEqual(small.shardAgents + 1)
})
