import { describe, expect, test } from '@jest/globals'
import { callables, type CallableName } from '@koko/contract'
import { departureDelayMs } from '../limits.ts'
import { republishDiscovery } from '../discovery/republish.ts'
import { killAt } from '../../test/interleave.ts'
import { sampleChannels as channels } from '../../../testing/samples.ts'
import {
  call,
  createWorld,
  openSettings,
  pathsUnder,
  profileIn,
  refusalOf,
  register,
  registerListed,
  type World,
} from '../../../testing/world.ts'

const noon = Date.UTC(2026, 10, 21, 12)

async function settled(world: World) {
  const agent = await registerListed(world, channels)
  await republishDiscovery(world.ports, world.clock.now)
  await call(world, 'unlinkChannel', agent.claims, { channel: 'whatsapp' })
  const settings = await openSettings(world, agent)
  await call(world, 'createSettingsLink', agent.claims)
  return { agent, settings }
}

describe('unregistering', () => {
  test('deletes everything of the agent, by its own session or its settings session', async () => {
    for (const by of ['agent', 'settings'] as const) {
      const world = createWorld(noon)
      const { agent, settings } = await settled(world)
      const answer = await call(world, 'unregisterAgent', by === 'agent' ? agent.claims : settings)
      expect(answer).toEqual({ agentId: agent.agentId, deleted: true })
      expect(world.signIns.existing.size).toBe(0)
      const kinds = [...world.store.all().keys()].filter((path) => path.includes(agent.agentId))
      expect(kinds.map((path) => path.split('/')[0]).sort()).toEqual(['changes', 'removals'])
      await republishDiscovery(world.ports, world.clock.now)
      const stored = JSON.stringify([...world.store.all()])
      for (const trace of [agent.agentId, ...Object.values(channels)]) expect(stored).not.toContain(trace)
    }
  })

  test('is idempotent, and racing calls agree', async () => {
    const world = createWorld(noon)
    const { agent } = await settled(world)
    const answer = { agentId: agent.agentId, deleted: true }
    const racing = await Promise.allSettled(
      Array.from({ length: 12 }, () => call(world, 'unregisterAgent', agent.claims)),
    )
    for (const each of racing) if (each.status === 'fulfilled') expect(each.value).toEqual(answer)
    expect(racing.some(({ status }) => status === 'fulfilled')).toBe(true)
    world.signIns.exchange(agent.token)
    expect(await call(world, 'unregisterAgent', agent.claims)).toEqual(answer)
    expect(world.signIns.existing.size).toBe(0)
    expect(pathsUnder(world, 'departures/')).toHaveLength(1)
  })

  test('makes the agent’s tokens, old and new, useless', async () => {
    const world = createWorld(noon)
    const { agent, settings } = await settled(world)
    await call(world, 'unregisterAgent', agent.claims)
    const inputs: Partial<Record<CallableName, unknown>> = {
      publishProfile: { channels, profile: profileIn('gcpv') },
      unlinkChannel: { channel: 'whatsapp' },
      relinkChannel: { channel: 'whatsapp' },
    }
    const owned = (Object.keys(callables) as CallableName[]).filter(
      (name) => callables[name].caller !== 'anyone' && name !== 'unregisterAgent',
    )
    const before = world.store.all()
    for (const name of owned) {
      const claims = callables[name].caller === 'settings' ? settings : world.signIns.exchange(agent.token)
      const refusal = await refusalOf(call(world, name, claims, inputs[name] ?? {}))
      expect([name, refusal.code]).toEqual([name, 'unauthenticated'])
    }
    const { agentId, secret } = agent
    expect(await refusalOf(call(world, 'signInAgent', undefined, { agentId, secret }))).toMatchObject({
      code: 'unauthenticated',
    })
    expect(world.store.all()).toEqual(before)
  })

  test('is completed by the schedule after being killed at any await', async () => {
    for (let count = 1; ; count += 1) {
      const world = createWorld(noon)
      const { agent } = await settled(world)
      const onAwait = killAt(count)
      await call({ ...world, ports: world.through(onAwait) }, 'unregisterAgent', agent.claims).catch(() => null)
      const isRemoved = !world.store.all().has(`agents/${agent.agentId}`)
      if (isRemoved) {
        world.clock.advance(departureDelayMs)
        await republishDiscovery(world.ports, world.clock.now)
        expect(world.signIns.existing.size).toBe(0)
        expect(JSON.stringify([...world.store.all()])).not.toContain(agent.agentId)
      } else await call(world, 'exportAgent', agent.claims)
      if (!onAwait.killed()) return
    }
  })
})

describe('an export', () => {
  test('shows every document of the agent, its entry of a shard and its sign-in, and nothing of others', async () => {
    const world = createWorld(noon)
    const others: string[] = []
    for (let count = 0; count < 6; count += 1) {
      const { claims, agentId } = await register(world)
      others.push(agentId)
      await call(world, 'publishProfile', claims, {
        channels: { telegram: 'somebody_else' },
        profile: profileIn('gcpv'),
      })
    }
    const { agent } = await settled(world)
    const { agentId } = agent
    const { documents, signIn } = await call(world, 'exportAgent', agent.claims)
    expect(signIn).toEqual({ uid: agentId })
    const own = [...world.store.all()].filter(
      ([path, fields]) => path.includes(agentId) || JSON.stringify(fields).includes(agentId),
    )
    const shard = Object.keys(documents).filter((path) => path.includes('#'))
    expect(shard).toEqual([expect.stringMatching(new RegExp(`^discovery/dating/shards/[^/#]+#${agentId}$`))])
    expect(documents[shard[0] ?? '']).toMatchObject({ listing: { agentId, channels } })
    expect(Object.keys(documents).sort()).toEqual([...own.map(([path]) => path), ...shard].sort())
    for (const [path, fields] of own) expect(documents[path]).toEqual(JSON.parse(JSON.stringify(fields)))
    const shown = JSON.stringify(documents)
    for (const trace of [...others, 'somebody_else']) expect(shown).not.toContain(trace)
  })

  test('shows an entry that a shard still has after a move or an unlink', async () => {
    const world = createWorld(noon)
    const { claims, agentId } = await register(world)
    await call(world, 'publishProfile', claims, { channels, profile: profileIn('gcpv') })
    await republishDiscovery(world.ports, world.clock.now)
    await call(world, 'publishProfile', claims, { channels, profile: profileIn('u173') })
    const entries = async () => {
      const { documents } = await call(world, 'exportAgent', claims)
      return Object.entries(documents).filter(([path]) => path.includes('#'))
    }
    expect(await entries()).toMatchObject([[expect.anything(), { listing: { profile: { area: 'gcpv' } } }]])
    for (const channel of ['whatsapp', 'telegram']) await call(world, 'unlinkChannel', claims, { channel })
    expect(await entries()).toHaveLength(1)
    await republishDiscovery(world.ports, world.clock.now)
    expect(await entries()).toEqual([])
    expect((await call(world, 'exportAgent', claims)).documents).toHaveProperty([`unlinks/${agentId}`])
  })
})
