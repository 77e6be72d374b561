import { geohashAlphabet, minuteMs, secondMs } from '@koko/contract'
import { beforeAll, describe, expect, jest, test } from '@jest/globals'
import { setImmediate } from 'node:timers/promises'
import { codec } from '../adapters/node.ts'
import { shardsCheckedPerRun } from '../limits.ts'
import type { Fields } from '../ports.ts'
import { expectConverged, storedManifest } from '../../test/oracle.ts'
import {
  call,
  createWorld,
  look,
  pathsUnder,
  profileIn,
  refusalOf,
  registerListed,
  type TestAgent,
  type World,
} from '../../../testing/world.ts'
import { republishDiscovery } from './republish.ts'

// The tests damage every shard in turn, perhaps on a busy machine.
jest.setTimeout(60_000)

const startMs = Date.UTC(2026, 10, 21, 12)
/** One shard for each area, so that a room of few agents has many shards. */
const small = { shardAgents: 3, shardBytes: 100_000, mergeAgents: 1, batchAgents: 4, batchShards: 4 }

/** Two agents in each of so many areas. */
async function roomOf(shards: number): Promise<{ world: World; agents: TestAgent[]; looker: TestAgent }> {
  const world = createWorld(startMs)
  const agents: TestAgent[] = []
  for (let index = 0; index < 2 * shards; index += 1) {
    const area = `${geohashAlphabet[index >>> 1] ?? ''}x`
    agents.push(await registerListed(world, { telegram: `person_${index}` }, area))
  }
  await run(world)
  const [looker] = agents
  if (looker === undefined) throw new Error('somebody looks')
  return { world, agents, looker }
}

function run(world: World) {
  return republishDiscovery(world.ports, world.clock.now, small)
}

function shardPaths(world: World): string[] {
  return pathsUnder(world, 'discovery/dating/shards/')
}

function reports({ store }: World): [string, Fields][] {
  return [...store.all()].filter(([path]) => path.startsWith('damagedShards/'))
}

const damages: [string, (stored: Fields) => Fields | null][] = [
  ['is missing', () => null],
  ['is in no form of ours', () => ({ what: 'is this' })],
  ['cannot be unpacked', (stored) => ({ ...stored, entries: Uint8Array.from([1, 2, 3]) })],
  ['lacks entries', (stored) => ({ ...stored, entries: codec.pack('[]') })],
  ['is of another revision', (stored) => ({ ...stored, revision: 1_000_000 })],
]

test.each(damages)('an instance reports a shard that %s', async (_, damage) => {
  const { world, looker } = await roomOf(2)
  const [path = ''] = shardPaths(world)
  world.store.put([[path, damage(world.store.all().get(path) ?? {})]])
  await look(world, world.newInstance(), looker.claims).catch(() => null)
  await setImmediate()
  const shardId = path.slice(path.lastIndexOf('/') + 1)
  const { revision } = storedManifest(world).shards.find(({ id }) => id === shardId) ?? {}
  expect(reports(world)).toEqual([[`damagedShards/dating-${shardId}`, { room: 'dating', shardId, revision }]])
})

test('an instance reports a damaged shard once a minute, however often it is asked for', async () => {
  const { world, looker } = await roomOf(2)
  const [path = ''] = shardPaths(world)
  world.store.put([[path, null]])
  const instance = world.newInstance()
  const ask = async () => {
    expect(await refusalOf(look(world, instance, looker.claims))).toMatchObject({ code: 'unavailable' })
    await setImmediate()
  }
  await ask()
  expect(reports(world)).toHaveLength(1)
  world.store.put(reports(world).map(([reported]) => [reported, null]))
  for (let passedMs = 0; passedMs < minuteMs; passedMs += 10 * secondMs) {
    await ask()
    expect(reports(world)).toEqual([])
    world.clock.advance(10 * secondMs)
  }
  await ask()
  expect(reports(world)).toHaveLength(1)
})

test('an instance does not report a shard that was rewritten after it read the manifest', async () => {
  const { world, agents } = await roomOf(2)
  const instances = [world.newInstance(), world.newInstance()]
  for (let times = 0; times < 3; times += 1) {
    for (const instance of instances) await instance.current('dating')
    for (const [index, { claims }] of agents.entries()) {
      const channels = { telegram: `person_${index}_${times}` }
      await call(world, 'publishProfile', claims, { channels, profile: profileIn(`${'01'[index >>> 1] ?? ''}x`) })
    }
    await run(world)
    // Pages side by side find the same mismatch with the same view.
    const looks = agents.flatMap(({ claims }) => instances.map((instance) => look(world, instance, claims)))
    await Promise.allSettled(looks)
    world.clock.advance(10 * secondMs)
  }
  await setImmediate()
  expect(reports(world)).toEqual([])
})

test('a report that cannot be written changes no answer', async () => {
  const { world, looker } = await roomOf(2)
  const path = `discovery/dating/shards/${storedManifest(world).shards.at(-1)?.id ?? ''}`
  const entries = codec.pack('[]')
  world.store.put([[path, { ...world.store.all().get(path), entries }]])
  const instance = world.newInstance({
    ...world.ports,
    store: { ...world.store, transaction: () => Promise.reject(new Error('the database does not answer')) },
  })
  const { agents } = await look(world, instance, looker.claims)
  expect(agents).toHaveLength(2)
})

describe('in a room of more shards than a run checks', () => {
  let room: Awaited<ReturnType<typeof roomOf>>
  beforeAll(async () => {
    room = await roomOf(15)
  })

  test.each(damages)('the next run heals the shard that an instance reports because it %s', async (_, damage) => {
    const paths = shardPaths(room.world)
    expect(paths.length).toBeGreaterThan(shardsCheckedPerRun)
    for (const path of paths) {
      const world = room.world.fork()
      world.store.put([[path, damage(world.store.all().get(path) ?? {})]])
      await look(world, world.newInstance(), room.looker.claims).catch(() => null)
      await setImmediate()
      expect(reports(world)).toHaveLength(1)
      expect(await run(world)).toMatchObject({ finished: true, failed: 0 })
      expectConverged(world, small)
      expect(reports(world)).toEqual([])
    }
  })
})

test('a run that heals nothing rewrites no shard, and deletes a report that is out of date or unreadable', async () => {
  const { world } = await roomOf(3)
  const before = shardPaths(world).map((path) => [path, world.store.all().get(path)])
  const [first] = storedManifest(world).shards
  world.store.put([
    [`damagedShards/dating-${first?.id ?? ''}`, { room: 'dating', shardId: first?.id, revision: 1 }],
    ['damagedShards/dating-gone', { room: 'dating', shardId: 'gone', revision: 1 }],
    ['damagedShards/dating-odd', { what: 'is this' }],
  ])
  expect(await run(world)).toMatchObject({ finished: true, shardsWritten: 0 })
  expect(reports(world)).toEqual([])
  expect(shardPaths(world).map((path) => [path, world.store.all().get(path)])).toEqual(before)
})
