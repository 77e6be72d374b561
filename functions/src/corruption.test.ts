import { expect, test } from '@jest/globals'
import { dayMs, hourMs, minuteMs, secondMs, DirectoryError } from '@koko/contract'
import { codec } from './adapters/node.ts'
import { republishDiscovery } from './discovery/republish.ts'
import { sampleChannels as channels } from '../../testing/samples.ts'
import { call, createWorld, look, profileIn, registerListed, type TestAgent, type World } from '../../testing/world.ts'

const startMs = Date.UTC(2026, 10, 21, 12)

/** Two listed agents, both in the shards; the tests damage documents of the first. */
async function pair() {
  const world = createWorld(startMs)
  const victim = await registerListed(world, channels)
  const peer = await registerListed(world, channels)
  await republishDiscovery(world.ports, world.clock.now)
  const seen = async () => {
    world.clock.advance(11 * secondMs)
    const { agents } = await look(world, world.newInstance(), peer.claims)
    return agents.find(({ agentId }) => agentId === victim.agentId)?.channels
  }
  return { world, victim, peer, seen }
}

/** Changes a stored document by hand, as a host can. */
function tamper({ store }: World, path: string, change: (fields: Record<string, unknown>) => Record<string, unknown>) {
  const fields = store.all().get(path)
  if (fields === undefined) throw new Error('there is such a document')
  store.put([[path, change(fields)]])
}

test.each([
  ['holds a field that is not ours', (fields: Record<string, unknown>) => ({ ...fields, note: 'planted' })],
  ['has no channels', (fields: Record<string, unknown>) => ({ ...fields, channels: {} })],
  ['has lost its profile', (fields: Record<string, unknown>) => ({ ...fields, profile: {} })],
  [
    'lacks the channel that peers still see',
    (fields: Record<string, unknown>) => ({ ...fields, channels: { telegram: channels.telegram } }),
  ],
])('an unlink holds, before and after the republish, though the stored listing %s', async (_, change) => {
  const { world, victim, seen } = await pair()
  expect(await seen()).toEqual(channels)
  tamper(world, `mcpDirectory/dating/agents/${victim.agentId}`, change)
  await call(world, 'unlinkChannel', victim.claims, { channel: 'whatsapp' })
  expect((await seen()) ?? {}).not.toHaveProperty('whatsapp')
  await republishDiscovery(world.ports, world.clock.now)
  expect((await seen()) ?? {}).not.toHaveProperty('whatsapp')
})

test('unregistering deletes everything even if the stored listing cannot be read', async () => {
  const { world, victim, seen } = await pair()
  tamper(world, `mcpDirectory/dating/agents/${victim.agentId}`, (fields) => ({ ...fields, profile: 'gone' }))
  await call(world, 'unregisterAgent', victim.claims)
  expect(await seen()).toBeUndefined()
  await republishDiscovery(world.ports, world.clock.now)
  expect(await seen()).toBeUndefined()
  expect(JSON.stringify([...world.store.all().keys()])).not.toContain(victim.agentId)
})

test('an unlink stored in an unknown shape still withholds its channel', async () => {
  const { world, victim } = await pair()
  await call(world, 'unlinkChannel', victim.claims, { channel: 'whatsapp' })
  tamper(world, `unlinks/${victim.agentId}`, () => ({ whatsapp: 'yes' }))
  const { published } = await call(world, 'publishProfile', victim.claims, { channels, profile: profileIn('gcpv') })
  expect(published?.channels).toEqual({ telegram: channels.telegram })
})

test('an account with a field of another version can still unlink and unregister', async () => {
  const { world, victim, seen } = await pair()
  tamper(world, `accounts/${victim.agentId}`, (fields) => ({ ...fields, addedLater: 1 }))
  await call(world, 'unlinkChannel', victim.claims, { channel: 'whatsapp' })
  expect(await seen()).toEqual({ telegram: channels.telegram })
})

test('a removal of an unknown shape hides its own agent only', async () => {
  const { world, victim, seen } = await pair()
  await registerListed(world, channels)
  await republishDiscovery(world.ports, world.clock.now)
  world.store.put([[`removals/${victim.agentId}`, { what: 'is this' }]])
  expect(await seen()).toBeUndefined()
})

test('an entry that cannot be read is not served, and all others are', async () => {
  const { world, victim, peer } = await pair()
  const third = await registerListed(world, channels, 'u173')
  await republishDiscovery(world.ports, world.clock.now)
  for (const [path, fields] of world.store.all()) {
    if (!path.includes('/shards/') || !(fields.entries instanceof Uint8Array)) continue
    const entries = JSON.parse(codec.unpack(fields.entries)) as { listing: { agentId: string; profile: object } }[]
    for (const { listing } of entries) {
      if (listing.agentId === victim.agentId) listing.profile = { ...listing.profile, age: 'thirty' }
    }
    world.store.put([[path, { ...fields, entries: codec.pack(JSON.stringify(entries)) }]])
  }
  world.clock.advance(11 * secondMs)
  const { agents } = await look(world, world.newInstance(), peer.claims)
  expect(agents.map(({ agentId }) => agentId)).toEqual([third.agentId])
  expect(await republishDiscovery(world.ports, world.clock.now)).toMatchObject({ finished: true })
})

test('a change that cannot be applied blocks no other change, and the run reports it', async () => {
  const { world, victim, seen } = await pair()
  const late = await registerListed(world, channels, 'u173')
  await call(world, 'unlinkChannel', victim.claims, { channel: 'whatsapp' })
  const faults: unknown[] = []
  const { store } = world
  const refusing: World['ports'] = {
    ...world.ports,
    store: {
      ...store,
      transaction: (work) =>
        store.transaction((transaction) => {
          const get: typeof transaction.get = (asked) =>
            asked.includes(paths(late))
              ? Promise.reject(new DirectoryError('internal', 'The database refuses this.'))
              : transaction.get(asked)
          return work({ ...transaction, get })
        }),
    },
  }
  const report = await republishDiscovery(refusing, world.clock.now, undefined, (error) => faults.push(error))
  expect(report).toMatchObject({ agents: 1, finished: false, failed: 1 })
  expect(faults.length).toBeGreaterThan(0)
  expect(await seen()).toEqual({ telegram: channels.telegram })
  expect(store.all().has(`changes/${victim.agentId}`)).toBe(false)
  expect(store.all().has(`changes/${late.agentId}`)).toBe(true)
})

test('a failing sign-in service blocks no republish, and is asked again', async () => {
  const { world, victim, seen } = await pair()
  await call(world, 'unregisterAgent', victim.claims)
  world.clock.advance(2 * hourMs)
  const late = await registerListed(world, channels)
  const failing = { ...world.ports, signIns: { ...world.signIns, remove: () => Promise.reject(new Error('busy')) } }
  expect(await republishDiscovery(failing, world.clock.now)).toMatchObject({ agents: 2, finished: true })
  expect(await seen()).toBeUndefined()
  expect([...world.store.all().keys()].some((path) => path.startsWith('departures/'))).toBe(true)
  await republishDiscovery(world.ports, world.clock.now)
  expect([...world.store.all().keys()].some((path) => path.startsWith('departures/'))).toBe(false)
  expect(world.store.all().has(paths(late))).toBe(true)
})

test('a publish does not wait for many agents that are due for retention', async () => {
  const world = createWorld(startMs)
  for (let count = 0; count < 20; count += 1) await registerListed(world, channels)
  await republishDiscovery(world.ports, world.clock.now)
  world.clock.advance(31 * dayMs)
  const peer = await registerListed(world, channels)
  let isListed = false
  const slow = {
    ...world.ports,
    signIns: {
      ...world.signIns,
      remove: (agentId: string) => {
        isListed ||= [...world.store.all().keys()].every((path) => !path.startsWith(`changes/${peer.agentId}`))
        world.clock.advance(minuteMs)
        return world.signIns.remove(agentId)
      },
    },
  }
  const report = await republishDiscovery(slow, world.clock.now)
  expect(isListed).toBe(true)
  expect(report.removedForRetention).toBeLessThan(20)
})

test('a new secret signs in again after its first sign-in failed half-way', async () => {
  const { world, victim } = await pair()
  const { secret } = await call(world, 'rotateSecret', victim.claims)
  const busy = () => Promise.reject(new Error('busy'))
  for (const failing of [{ revoke: busy }, { mint: busy }]) {
    const ports = { ...world.ports, signIns: { ...world.signIns, ...failing } }
    const signingIn = call({ ...world, ports }, 'signInAgent', undefined, { agentId: victim.agentId, secret })
    await expect(signingIn).rejects.toThrow('busy')
  }
  const { token } = await call(world, 'signInAgent', undefined, { agentId: victim.agentId, secret })
  await call(world, 'heartbeat', world.signIns.exchange(token))
})

function paths({ agentId }: TestAgent): string {
  return `mcpDirectory/dating/agents/${agentId}`
}
