import { hourMs, secondMs } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
import { republishDiscovery } from '../discovery/republish.ts'
import { interleave, killAt } from '../../test/interleave.ts'
import {
  call,
  createWorld,
  newSettingsCode,
  openSettings,
  pathsUnder,
  refusalOf,
  register,
  storedAt,
  type TestAgent,
  type World,
} from '../../../testing/world.ts'

const noon = Date.UTC(2026, 10, 21, 12)

describe('signing in', () => {
  test('accepts the secret, and refuses a wrong one and an unknown agent with the same error', async () => {
    const world = createWorld(noon)
    const { agentId, secret } = await register(world)
    const { token } = await call(world, 'signInAgent', undefined, { agentId, secret })
    await call(world, 'exportAgent', world.signIns.exchange(token))
    const wrong = await refusalOf(call(world, 'signInAgent', undefined, { agentId, secret: 'x'.repeat(43) }))
    const nobody = { agentId: world.ports.vault.uuid(), secret }
    expect(wrong.code).toBe('unauthenticated')
    expect(await refusalOf(call(world, 'signInAgent', undefined, nobody))).toEqual(wrong)
  })

  test('during a removal leaves no sign-in once its token has expired', async () => {
    let signedIn = 0
    for (let turn = 0; turn < 40; turn += 1) {
      const world = createWorld(noon)
      const { agentId, secret, claims } = await register(world)
      const tokens: string[] = []
      let step = 0
      await interleave(
        [
          async (onAwait) => {
            const slow = { ...world, ports: world.through(onAwait) }
            tokens.push((await call(slow, 'signInAgent', undefined, { agentId, secret })).token)
          },
          async (onAwait) => {
            await call({ ...world, ports: world.through(onAwait) }, 'unregisterAgent', claims)
          },
          async (onAwait) => {
            for (let times = 0; times < 3; times += 1) {
              await onAwait()
              world.clock.advance(3 * secondMs)
            }
          },
        ],
        (waiting) => ((step += 1) % 7 < turn % 5 ? waiting - 1 : step + turn),
      )
      signedIn += tokens.length
      const [departure] = [...world.store.all()].filter(([path]) => path.startsWith('departures/'))
      world.clock.advance(Number(departure?.[1].dueAtMs) - world.clock.now().getTime())
      await republishDiscovery(world.ports, world.clock.now)
      expect(pathsUnder(world, 'departures/')).toEqual([])
      expect(world.signIns.existing.size).toBe(0)
      for (const token of tokens) expect(() => world.signIns.exchange(token)).toThrow('expired')
    }
    expect(signedIn).toBeGreaterThan(5)
  })
})

describe('a new secret', () => {
  const signIn = (world: Pick<World, 'ports' | 'clock'>, { agentId }: TestAgent, secret: string) =>
    call(world, 'signInAgent', undefined, { agentId, secret })

  test('leaves the old one, every session and the open settings link as they are until it is used', async () => {
    const world = createWorld(noon)
    const agent = await register(world)
    const settings = await openSettings(world, agent)
    const code = await newSettingsCode(world, agent)
    const { secret } = await call(world, 'rotateSecret', agent.claims)
    expect(secret).not.toBe(agent.secret)
    expect(JSON.stringify([...world.store.all()])).not.toContain(secret)
    const again = await signIn(world, agent, agent.secret)
    for (const claims of [agent.claims, settings, world.signIns.exchange(again.token)]) {
      await call(world, 'exportAgent', claims)
    }
    await call(world, 'redeemSettingsLink', undefined, { code })
    expect(world.signIns.revoked).toEqual([])
  })

  test('ends the old one, every session and the open settings link when it is first used', async () => {
    const world = createWorld(noon)
    const agent = await register(world)
    const settings = await openSettings(world, agent)
    const { token: minted } = await signIn(world, agent, agent.secret)
    const code = await newSettingsCode(world, agent)
    const { secret } = await call(world, 'rotateSecret', agent.claims)
    const { token } = await signIn(world, agent, secret)
    for (const claims of [
      agent.claims,
      settings,
      world.signIns.exchange(minted),
      world.signIns.exchange(agent.token),
    ]) {
      for (const name of ['exportAgent', 'unregisterAgent'] as const) {
        expect(await refusalOf(call(world, name, claims))).toMatchObject({ code: 'unauthenticated' })
      }
    }
    expect(await refusalOf(signIn(world, agent, agent.secret))).toMatchObject({ code: 'unauthenticated' })
    const redeemed = call(world, 'redeemSettingsLink', undefined, { code })
    expect(await refusalOf(redeemed)).toMatchObject({ code: 'not-found' })
    expect(world.signIns.revoked).toEqual([agent.agentId])
    await call(world, 'exportAgent', world.signIns.exchange(token))
    const later = await signIn(world, agent, secret)
    for (const each of [token, later.token]) await call(world, 'exportAgent', world.signIns.exchange(each))
    expect(world.signIns.revoked).toEqual([agent.agentId])
    const stored = JSON.stringify([...world.store.all()])
    for (const each of [agent.secret, secret, code, world.ports.vault.hash(agent.secret)]) {
      expect(stored).not.toContain(each)
    }
  })

  test('is void after an hour, and by the next one', async () => {
    const world = createWorld(noon)
    const agent = await register(world)
    const first = await call(world, 'rotateSecret', agent.claims)
    const second = await call(world, 'rotateSecret', agent.claims)
    const wrong = await refusalOf(signIn(world, agent, 'x'.repeat(43)))
    expect(await refusalOf(signIn(world, agent, first.secret))).toEqual(wrong)
    world.clock.advance(hourMs - 1)
    const third = await call(world, 'rotateSecret', agent.claims)
    world.clock.advance(hourMs)
    for (const { secret } of [second, third]) expect(await refusalOf(signIn(world, agent, secret))).toEqual(wrong)
    await signIn(world, agent, agent.secret)
    const fourth = await call(world, 'rotateSecret', agent.claims)
    world.clock.advance(hourMs - 1)
    await signIn(world, agent, fourth.secret)
  })

  test('is refused to a session that another one ended, and changes nothing', async () => {
    const world = createWorld(noon)
    const agent = await register(world)
    const { secret } = await call(world, 'rotateSecret', agent.claims)
    await signIn(world, agent, secret)
    const before = [world.store.all(), [...world.signIns.revoked]]
    expect(await refusalOf(call(world, 'rotateSecret', agent.claims))).toMatchObject({ code: 'unauthenticated' })
    expect([world.store.all(), world.signIns.revoked]).toEqual(before)
  })

  test('is committed once by many first sign-ins, and all of their sessions hold', async () => {
    for (let turn = 0; turn < 20; turn += 1) {
      const world = createWorld(noon)
      const agent = await register(world)
      const { secret } = await call(world, 'rotateSecret', agent.claims)
      let step = 0
      const settled = await interleave(
        Array.from(
          { length: 3 },
          () => (onAwait) => signIn({ ...world, ports: world.through(onAwait) }, agent, secret),
        ),
        (waiting) => (step += 1 + turn) % Math.max(1, waiting),
      )
      const tokens = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value.token] : []))
      expect(tokens.length).toBeGreaterThan(0)
      for (const token of tokens) await call(world, 'exportAgent', world.signIns.exchange(token))
      expect(storedAt(world, `accounts/${agent.agentId}`)).toMatchObject({ generation: 1, pendingSecret: null })
    }
  })

  test('or the old one signs in, whichever await the server dies at', async () => {
    for (let count = 1; ; count += 1) {
      const world = createWorld(noon)
      const agent = await register(world)
      const onAwait = killAt(count)
      const dying = { ...world, ports: world.through(onAwait) }
      const rotated = await call(dying, 'rotateSecret', agent.claims).catch(() => null)
      if (rotated !== null) await signIn(dying, agent, rotated.secret).catch(() => null)
      const secrets = [rotated?.secret, agent.secret].filter((secret) => secret !== undefined)
      const accepted = await Promise.all(
        secrets.map((secret) =>
          signIn(world, agent, secret).then(
            () => true,
            () => false,
          ),
        ),
      )
      expect(accepted).toContain(true)
      if (!onAwait.killed()) return
    }
  })

  test('costs an unknown agent, a wrong secret and a void one the same reads and no write', async () => {
    const world = createWorld(noon)
    const agent = await register(world)
    const { secret } = await call(world, 'rotateSecret', agent.claims)
    world.clock.advance(hourMs)
    const nobody = { ...agent, agentId: world.ports.vault.uuid() }
    const before = world.store.all()
    for (const [who, tried] of [
      [nobody, secret],
      [agent, 'x'.repeat(43)],
      [agent, secret],
    ] as const) {
      let awaits = 0
      const counted = world.through(() => {
        awaits += 1
        return Promise.resolve()
      })
      expect(await refusalOf(signIn({ ...world, ports: counted }, who, tried))).toMatchObject({
        code: 'unauthenticated',
      })
      // Before and after the one read.
      expect(awaits).toBe(2)
    }
    expect(world.store.all()).toEqual(before)
  })
})

test('claims of an unknown shape are no session', async () => {
  const world = createWorld(noon)
  const { claims, agentId } = await register(world)
  const wrong = [
    undefined,
    null,
    'claims',
    {},
    { ...claims, uid: 'x' },
    { ...claims, generation: '0' },
    { ...claims, settings: 'no' },
    { ...claims, firebase: { sign_in_provider: 'password' } },
    { uid: agentId },
  ]
  for (const each of wrong) {
    expect(await refusalOf(call(world, 'exportAgent', each as never))).toMatchObject({ code: 'unauthenticated' })
  }
})
