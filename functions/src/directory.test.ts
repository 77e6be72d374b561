import { expect, test } from '@jest/globals'
import { runCallable } from './calls.ts'
import { discover } from './discovery.ts'
import { republishDiscovery } from './republish.ts'
import { sessionOf } from './sessions.ts'
import { createWorld, type World } from '../test/world.ts'

const profile = {
  gender: 'woman',
  seeking: [],
  age: 30,
  ageMin: 25,
  ageMax: 40,
  area: 'gcpv',
  maxDistanceKm: null,
  intent: 'open',
}

async function register({ ports, clock, signIns }: World) {
  const { challenge } = (await runCallable(ports, 'createRegistrationChallenge', undefined, {}, clock.now())) as never
  const { token } = (await runCallable(
    ports,
    'registerAgent',
    undefined,
    {
      category: 'dating',
      consents: { terms: true, disclaimer: true, adult: true },
      proof: { challenge, solution: { counter: 1, derivedKey: '00' } },
    },
    clock.now(),
  )) as { token: string }
  return signIns.exchange(token)
}

test('an unlinked number leaves the listing at once and every answer, and publishing does not bring it back', async () => {
  const world = createWorld(Date.UTC(2026, 10, 21, 12))
  const { ports, clock } = world
  const alice = await register(world)
  const bob = await register(world)
  const channels = { whatsapp: '+447700900123', telegram: 'alice_a' }
  await runCallable(ports, 'publishProfile', alice, { channels, profile }, clock.now())
  await runCallable(ports, 'publishProfile', bob, { channels: { telegram: 'bobby_b' }, profile }, clock.now())
  expect(await republishDiscovery(ports, clock.now)).toMatchObject({ agents: 2, finished: true })

  const instance = world.newInstance()
  const look = async () => {
    const session = sessionOf(bob)
    if (session === null) throw new Error('bob has a session')
    return (await discover(ports, instance, session, 'dating', {}, clock.now())).agents.map((agent) => agent.channels)
  }
  expect(await look()).toEqual([channels])

  await runCallable(ports, 'unlinkChannel', alice, { channel: 'whatsapp' }, clock.now())
  clock.advance(10_001)
  expect(await look()).toEqual([{ telegram: 'alice_a' }])

  await runCallable(ports, 'publishProfile', alice, { channels, profile }, clock.now())
  await republishDiscovery(ports, clock.now)
  clock.advance(10_001)
  expect(await look()).toEqual([{ telegram: 'alice_a' }])
  expect(world.store.all().get(`unlinks/${String(alice.uid)}`)).toMatchObject({
    whatsapp: { goneAtMs: clock.now().getTime() - 10_001 },
  })

  await runCallable(ports, 'unregisterAgent', alice, {}, clock.now())
  clock.advance(10_001)
  expect(await look()).toEqual([])
  await republishDiscovery(ports, clock.now)
  expect(JSON.stringify([...world.store.all()])).not.toContain(alice.uid)
  await expect(runCallable(ports, 'heartbeat', alice, {}, clock.now())).rejects.toMatchObject({
    code: 'unauthenticated',
  })
})
