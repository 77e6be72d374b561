import { secondMs } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
import { republishDiscovery } from '../discovery/republish.ts'
import { interleave } from '../../test/interleave.ts'
import { call, createWorld, openSettings, refusalOf, register } from '../../../testing/world.ts'

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
      expect([...world.store.all().keys()].filter((path) => path.startsWith('departures/'))).toEqual([])
      expect(world.signIns.existing.size).toBe(0)
      for (const token of tokens) expect(() => world.signIns.exchange(token)).toThrow('expired')
    }
    expect(signedIn).toBeGreaterThan(5)
  })
})

describe('a new secret', () => {
  test('ends the old one, every session and the open settings link, and opens new sessions', async () => {
    const world = createWorld(noon)
    const agent = await register(world)
    const { agentId } = agent
    const settings = await openSettings(world, agent)
    const { token: minted } = await call(world, 'signInAgent', undefined, { agentId, secret: agent.secret })
    const { secret } = await call(world, 'rotateSecret', agent.claims)
    expect(secret).not.toBe(agent.secret)
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
    expect(await refusalOf(call(world, 'signInAgent', undefined, { agentId, secret: agent.secret }))).toMatchObject({
      code: 'unauthenticated',
    })
    const { token } = await call(world, 'signInAgent', undefined, { agentId, secret })
    await call(world, 'exportAgent', world.signIns.exchange(token))
    expect(JSON.stringify([...world.store.all()])).not.toContain(secret)
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
