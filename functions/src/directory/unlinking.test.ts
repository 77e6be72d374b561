import { dayMs, hourMs, minuteMs, secondMs, type Channel } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
import { interleave } from '../../test/interleave.ts'
import { sampleChannels as channels } from '../../../testing/samples.ts'
import {
  call,
  createWorld,
  openSettings,
  profileIn,
  refusalOf,
  register,
  registerListed,
  storedAt,
} from '../../../testing/world.ts'
import { republishDiscovery } from '../discovery/republish.ts'

const noon = Date.UTC(2026, 10, 21, 12)
const profile = profileIn('gcpv')

describe('an unlink', () => {
  test('keeps the first unlink’s times, however often it is repeated, and writes once', async () => {
    const world = createWorld(noon)
    const { claims, agentId } = await registerListed(world, channels)
    const first = await call(world, 'unlinkChannel', claims, { channel: 'whatsapp' })
    expect(first).toEqual({ channel: 'whatsapp', unlinkedAtMs: noon, goneByMs: noon + 10_000 })
    const stored = world.store.all()
    for (let times = 0; times < 40; times += 1) {
      world.clock.advance(secondMs)
      expect(await call(world, 'unlinkChannel', claims, { channel: 'whatsapp' })).toEqual(first)
    }
    expect(world.store.all()).toEqual(stored)
    expect(storedAt(world, `unlinks/${agentId}`)).toEqual({ whatsapp: { unlinkedAtMs: noon, goneAtMs: null } })
  })

  test('removes the channel from the listing at once, and the listing with its last channel', async () => {
    const world = createWorld(noon)
    const { claims, agentId } = await register(world)
    const { published } = await call(world, 'publishProfile', claims, { channels, profile })
    await call(world, 'unlinkChannel', claims, { channel: 'whatsapp' })
    const path = `mcpDirectory/dating/agents/${agentId}`
    expect(storedAt(world, path)).toEqual({ ...published, channels: { telegram: channels.telegram } })
    await call(world, 'unlinkChannel', claims, { channel: 'telegram' })
    expect(world.store.all().has(path)).toBe(false)
  })

  test('holds for a channel that was never published', async () => {
    const world = createWorld(noon)
    const { claims } = await register(world)
    await call(world, 'unlinkChannel', claims, { channel: 'telegram' })
    world.clock.advance(minuteMs)
    const { published, withheld } = await call(world, 'publishProfile', claims, { channels, profile })
    expect(published?.channels).toEqual({ whatsapp: channels.whatsapp })
    expect(withheld).toEqual([{ channel: 'telegram', unlinkedAtMs: noon }])
  })

  test('is finished at once if no listing and no shard holds the channel, and only then', async () => {
    const world = createWorld(noon)
    const { claims, agentId } = await register(world)
    const unlink = async (channel: Channel) => {
      await call(world, 'unlinkChannel', claims, { channel })
      return storedAt(world, `unlinks/${agentId}`)[channel]
    }
    const finished = { unlinkedAtMs: noon, goneAtMs: noon }
    expect(await unlink('slack')).toEqual(finished)
    await republishDiscovery(world.ports, world.clock.now)
    await call(world, 'publishProfile', claims, { channels, profile })
    expect(await unlink('discord')).toEqual(finished)
    await republishDiscovery(world.ports, world.clock.now)

    // The shards still hold what this publish omits.
    await call(world, 'publishProfile', claims, { channels: { telegram: channels.telegram }, profile })
    expect(await unlink('whatsapp')).toEqual({ unlinkedAtMs: noon, goneAtMs: null })
    expect(await unlink('telegram')).toEqual({ unlinkedAtMs: noon, goneAtMs: null })
  })

  test('and an unregistration are not refused while others keep changing the agent, as other calls are', async () => {
    for (const name of ['heartbeat', 'unlinkChannel', 'unregisterAgent'] as const) {
      const world = createWorld(noon)
      const { claims, agentId } = await registerListed(world, channels)
      world.clock.advance(dayMs)
      let changes = 200
      const busy = world.through(() => {
        const path = `accounts/${agentId}`
        if ((changes -= 1) > 0) world.store.put([[path, storedAt(world, path)]])
        return Promise.resolve()
      })
      const called = call(
        { ...world, ports: busy },
        name,
        claims,
        name === 'unlinkChannel' ? { channel: 'whatsapp' } : {},
      )
      if (name === 'heartbeat') expect(await refusalOf(called)).toMatchObject({ code: 'aborted' })
      else await called
      expect(JSON.stringify([...world.store.all()]).includes(channels.whatsapp)).toBe(name === 'heartbeat')
    }
  })

  test('survives a concurrent publish of the same channel, in every order of their awaits', async () => {
    for (let turn = 0; turn < 40; turn += 1) {
      const world = createWorld(noon)
      const { claims, agentId } = await registerListed(world, channels)
      let step = 0
      await interleave<unknown>(
        [
          (onAwait) =>
            call({ ...world, ports: world.through(onAwait) }, 'publishProfile', claims, { channels, profile }),
          (onAwait) =>
            call({ ...world, ports: world.through(onAwait) }, 'unlinkChannel', claims, { channel: 'whatsapp' }),
        ],
        () => ((step += 1) < turn ? turn % 2 : step),
      )
      expect(storedAt(world, `mcpDirectory/dating/agents/${agentId}`).channels).toEqual({ telegram: channels.telegram })
      expect(storedAt(world, `unlinks/${agentId}`)).toMatchObject({ whatsapp: { unlinkedAtMs: noon } })
    }
  })
})

describe('a relink', () => {
  test('is allowed to a settings session only', async () => {
    const world = createWorld(noon)
    const agent = await register(world)
    await call(world, 'unlinkChannel', agent.claims, { channel: 'whatsapp' })
    const relink = (claims: typeof agent.claims) => call(world, 'relinkChannel', claims, { channel: 'whatsapp' })
    expect(await refusalOf(relink(agent.claims))).toMatchObject({ code: 'permission-denied' })
    const settings = await openSettings(world, agent)
    world.clock.advance(hourMs / 2)
    expect(await refusalOf(relink(settings))).toMatchObject({ code: 'permission-denied' })
    expect(storedAt(world, `unlinks/${agent.agentId}`)).toHaveProperty('whatsapp')
    expect(await relink(await openSettings(world, agent))).toEqual({ channel: 'whatsapp' })
    expect(world.store.all().has(`unlinks/${agent.agentId}`)).toBe(false)
  })

  test('allows one channel again without publishing its handle, and succeeds if the channel was not unlinked', async () => {
    const world = createWorld(noon)
    const agent = await registerListed(world, channels)
    await call(world, 'unlinkChannel', agent.claims, { channel: 'whatsapp' })
    await call(world, 'unlinkChannel', agent.claims, { channel: 'slack' })
    const settings = await openSettings(world, agent)
    for (let times = 0; times < 2; times += 1) {
      expect(await call(world, 'relinkChannel', settings, { channel: 'whatsapp' })).toEqual({ channel: 'whatsapp' })
    }
    expect(Object.keys(storedAt(world, `unlinks/${agent.agentId}`))).toEqual(['slack'])
    const path = `mcpDirectory/dating/agents/${agent.agentId}`
    expect(storedAt(world, path).channels).toEqual({ telegram: channels.telegram })
    await call(world, 'publishProfile', agent.claims, { channels, profile })
    expect(storedAt(world, path).channels).toEqual(channels)
  })
})
