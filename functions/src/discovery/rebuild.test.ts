import { secondMs } from '@koko/contract'
import { describe, expect, jest, test } from '@jest/globals'
import { codec } from '../adapters/node.ts'
import { republishDiscovery } from './republish.ts'
import type { Fields } from '../ports.ts'
import { interleave, killAt } from '../../test/interleave.ts'
import { expectConverged, storedListings, storedManifest } from '../../test/oracle.ts'
import {
  call,
  countListingsRead,
  createWorld,
  look,
  pathsUnder,
  profileIn,
  refusalOf,
  register,
  walk,
  type TestAgent,
  type World,
} from '../../../testing/world.ts'

// The tests try every await of every loss, perhaps on a busy machine.
jest.setTimeout(60_000)

/** Small enough that a dozen agents are in several shards. */
const small = { shardAgents: 3, shardBytes: 100_000, mergeAgents: 2, batchAgents: 2, batchShards: 2 }
const startMs = Date.UTC(2026, 10, 21, 12)
const areas = ['gcpv', 'u173', 'gc', 'dr5r']

async function publish(world: World, { claims }: TestAgent, index: number, area: string) {
  const channels = { telegram: `person_${index}`, whatsapp: `+4477009000${String(index).padStart(2, '0')}` }
  return call(world, 'publishProfile', claims, { channels, profile: profileIn(area) })
}

function run(world: World) {
  return republishDiscovery(world.ports, world.clock.now, small)
}

/** Nine agents, all in the shards, in four areas, of which one is crowded. */
async function settledRoom(): Promise<{ world: World; agents: TestAgent[] }> {
  const world = createWorld(startMs)
  const agents: TestAgent[] = []
  for (let index = 0; index < 9; index += 1) {
    const agent = await register(world)
    agents.push(agent)
    await publish(world, agent, index, index < 5 ? 'gcpv' : (areas[index % 4] ?? ''))
  }
  await run(world)
  await run(world)
  expectConverged(world, small)
  world.clock.advance(secondMs)
  return { world, agents }
}

const manifestPath = 'discovery/dating'

function shardPaths(world: World): string[] {
  return pathsUnder(world, `${manifestPath}/shards/`)
}

/** Ways to lose or damage the documents of discovery. */
const losses: [string, (world: World) => (readonly [path: string, fields: Fields | null])[]][] = [
  ['a shard is lost', (world) => [[shardPaths(world)[1] ?? '', null]]],
  ['every shard is lost', (world) => shardPaths(world).map((path) => [path, null])],
  ['the manifest is lost', () => [[manifestPath, null]]],
  ['the manifest and a shard are lost', (world) => [manifestPath, shardPaths(world)[0] ?? ''].map((at) => [at, null])],
  ['all of discovery is lost', (world) => [manifestPath, ...shardPaths(world)].map((path) => [path, null])],
  ['the manifest is in no form of ours', () => [[manifestPath, { what: 'is this' }]]],
  ['the manifest names no shard', () => [[manifestPath, { revision: 3, shards: [] }]]],
  ['a shard is in no form of ours', (world) => [[shardPaths(world)[0] ?? '', { what: 'is this' }]]],
  ['the entries of a shard cannot be unpacked', (world) => [withEntries(world, Uint8Array.from([1, 2, 3]))]],
  ['the entries of a shard are none', (world) => [withEntries(world, codec.pack('[]'))]],
  ['an entry of a shard cannot be read', (world) => [withEntries(world, codec.pack('[{},{},{}]'))]],
  [
    'a shard is of another revision than the manifest says',
    (world) => {
      const path = shardPaths(world)[1] ?? ''
      return [[path, { ...world.store.all().get(path), revision: 1_000_000 }]]
    },
  ],
  [
    'a shard that the manifest does not name is left over',
    (world) => [[`${manifestPath}/shards/old`, world.store.all().get(shardPaths(world)[0] ?? '') ?? {}]],
  ],
]

function withEntries(world: World, entries: Uint8Array): readonly [string, Fields] {
  const path = shardPaths(world)[0] ?? ''
  return [path, { ...world.store.all().get(path), entries }]
}

describe.each(losses)('when %s', (_, loss) => {
  test('one republish without changes later, discovery shows what the listings say', async () => {
    const { world, agents } = await settledRoom()
    world.store.put(loss(world))
    expect(await run(world)).toMatchObject({ finished: true, failed: 0 })
    expectConverged(world, small)
    const [first] = agents
    const met = await walk(world, world.newInstance(), first?.claims ?? { uid: '' }, 50)
    expect(met).toHaveLength(8)
  })

  test('changes meanwhile are not lost, and every answer is right or an error', async () => {
    const { world, agents } = await settledRoom()
    const [looker, unlinked, gone, moved, changed] = agents as [
      TestAgent,
      TestAgent,
      TestAgent,
      TestAgent,
      TestAgent,
      ...TestAgent[],
    ]
    const instances = [world.newInstance(), world.newInstance()]
    for (const instance of instances) await look(world, instance, looker.claims)
    world.store.put(loss(world))
    const expectRight = async () => {
      for (const instance of [...instances, world.newInstance()]) {
        const answer = await look(world, instance, looker.claims).catch(() => null)
        for (const { agentId, channels } of answer?.agents ?? []) {
          expect(storedListings(world).get(agentId)?.channels).toMatchObject(channels)
        }
      }
    }
    await call(world, 'unlinkChannel', unlinked.claims, { channel: 'telegram' })
    await call(world, 'unregisterAgent', gone.claims)
    await publish(world, moved, 3, 'dr5r')
    await publish(world, changed, 44, 'gcpv')
    await publish(world, await register(world), 12, 'gcpv')
    world.clock.advance(11 * secondMs)
    await expectRight()
    await run(world)
    expectConverged(world, small)
    world.clock.advance(11 * secondMs)
    await expectRight()
    for (const [index, instance] of [...instances, world.newInstance()].entries()) {
      const { agents: met } = await look(world, instance, agents[5 + index]?.claims ?? { uid: '' })
      expect(met).toHaveLength(8)
    }
  })

  test('the next run continues one that was killed at any await', async () => {
    const { world: room } = await settledRoom()
    room.store.put(loss(room))
    for (let count = 1; ; count += 2) {
      const world = room.fork()
      const onAwait = killAt(count)
      await republishDiscovery(world.through(onAwait), world.clock.now, small).catch(() => null)
      if (!onAwait.killed()) return
      await run(world)
      expectConverged(world, small)
    }
  })
})

test.each(losses.filter((_, index) => ![3, 6, 8].includes(index)))(
  'where %s, agents that come, go and move at any await of the run are served as listed',
  async (_, loss) => {
    const { world: room, agents } = await settledRoom()
    const [waiting, ...others] = agents as [TestAgent, TestAgent, TestAgent, ...TestAgent[]]
    // Listed, but not yet in any shard.
    const late = await register(room)
    await publish(room, late, 12, 'gcpv')
    room.store.put(loss(room))
    for (let count = 1; ; count += 1) {
      const world = room.fork()
      let awaits = 0
      const onAwait = async () => {
        awaits += 1
        if (awaits !== count) return
        await publish(world, waiting, 0, areas[count % 4] ?? '')
        for (const channel of ['telegram', 'whatsapp']) await call(world, 'unlinkChannel', late.claims, { channel })
        await call(world, 'unregisterAgent', others[count % 5]?.claims)
        if (count % 2 === 0) await run(world)
      }
      await republishDiscovery(world.through(onAwait), world.clock.now, small)
      if (awaits < count) return
      await run(world)
      expectConverged(world, small)
    }
  },
)

test('two runs side by side rebuild what was lost', async () => {
  for (const [, loss] of losses.slice(0, 6)) {
    const { world: room } = await settledRoom()
    room.store.put(loss(room))
    for (let switchAt = 0; switchAt < 30; switchAt += 6) {
      const world = room.fork()
      let steps = 0
      await interleave(
        [0, 1].map(() => (onAwait) => republishDiscovery(world.through(onAwait), world.clock.now, small)),
        (waiting) => {
          steps += 1
          return steps < switchAt ? 0 : steps % Math.max(1, waiting)
        },
      )
      await run(world)
      expectConverged(world, small)
    }
  }
})

test('an instance never mistakes shards cached before the manifest was lost for new ones', async () => {
  const { world, agents } = await settledRoom()
  const [looker, victim] = agents as [TestAgent, TestAgent]
  const instance = world.newInstance()
  await walk(world, instance, looker.claims, 50)
  await call(world, 'unlinkChannel', victim.claims, { channel: 'telegram' })
  await run(world)
  world.store.put([manifestPath, ...shardPaths(world)].map((path) => [path, null]))
  await run(world)
  world.clock.advance(11 * secondMs)
  for (const { agentId, channels } of await walk(world, instance, looker.claims, 50)) {
    expect(channels).toEqual(storedListings(world).get(agentId)?.channels)
  }
})

test('a walk that began before the manifest was lost ends or gets unavailable, and shows no agent twice', async () => {
  const { world, agents } = await settledRoom()
  const [looker] = agents as [TestAgent]
  const first = await look(world, world.newInstance(), looker.claims, { pageSize: 3 })
  world.store.put([manifestPath, ...shardPaths(world)].map((path) => [path, null]))
  const page = () =>
    look(world, world.newInstance(), looker.claims, { pageSize: 50, pageToken: first.nextPageToken ?? '' })
  expect((await refusalOf(page())).code).toBe('unavailable')
  await run(world)
  const { agents: met } = await page()
  const known = new Set(first.agents.map(({ agentId }) => agentId))
  expect(met.filter(({ agentId }) => known.has(agentId))).toEqual([])
})

test('a lost shard is rebuilt from the listings of its range only', async () => {
  const { world } = await settledRoom()
  const before = storedManifest(world).shards
  const [path = ''] = shardPaths(world)
  world.store.put([[path, null]])
  const { ports, listingsRead } = countListingsRead(world)
  await republishDiscovery(ports, world.clock.now, small)
  expectConverged(world, small)
  expect(listingsRead()).toBeLessThanOrEqual(small.shardAgents + 1)
  const unchanged = storedManifest(world).shards.filter(({ id, revision }) =>
    before.some((shard) => shard.id === id && shard.revision === revision),
  )
  expect(unchanged).toHaveLength(before.length - 1)
})

test('an export succeeds even if a shard cannot be read', async () => {
  const { world, agents } = await settledRoom()
  const [agent] = agents as [TestAgent]
  for (const path of shardPaths(world)) world.store.put([[path, { what: 'is this' }]])
  const { documents } = await call(world, 'exportAgent', agent.claims)
  expect(Object.keys(documents)).toContain(`agents/${agent.agentId}`)
})
