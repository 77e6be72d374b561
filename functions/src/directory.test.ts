import { expect, test } from '@jest/globals'
import { republishDiscovery } from './discovery/republish.ts'
import { sampleChannels as channels } from '../../testing/samples.ts'
import { call, createWorld, look, profileIn, register } from '../../testing/world.ts'

test('an unlinked number leaves the listing immediately, then every answer, and publishing does not bring it back', async () => {
  const world = createWorld(Date.UTC(2026, 10, 21, 12))
  const { ports, clock } = world
  const profile = profileIn('gcpv')
  const { claims: alice } = await register(world)
  const { claims: bob } = await register(world)
  await call(world, 'publishProfile', alice, { channels, profile })
  await call(world, 'publishProfile', bob, { channels: { telegram: 'bobby_b' }, profile })
  expect(await republishDiscovery(ports, clock.now)).toMatchObject({ agents: 2, finished: true })

  const instance = world.newInstance()
  const seen = async () => (await look(world, instance, bob)).agents.map((agent) => agent.channels)
  expect(await seen()).toEqual([channels])

  await call(world, 'unlinkChannel', alice, { channel: 'whatsapp' })
  clock.advance(10_001)
  expect(await seen()).toEqual([{ telegram: channels.telegram }])

  await call(world, 'publishProfile', alice, { channels, profile })
  await republishDiscovery(ports, clock.now)
  clock.advance(10_001)
  expect(await seen()).toEqual([{ telegram: channels.telegram }])
  expect(world.store.all().get(`unlinks/${alice.uid}`)).toMatchObject({
    whatsapp: { goneAtMs: clock.now().getTime() - 10_001 },
  })

  await call(world, 'unregisterAgent', alice, {})
  clock.advance(10_001)
  expect(await seen()).toEqual([])
  await republishDiscovery(ports, clock.now)
  expect(JSON.stringify([...world.store.all()])).not.toContain(alice.uid)
  await expect(call(world, 'heartbeat', alice, {})).rejects.toMatchObject({
    code: 'unauthenticated',
  })
})
