import { minuteMs, secondMs } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
import { consents } from '../../testing/samples.ts'
import {
  call,
  createWorld,
  openSettings,
  refusalOf,
  register,
  solution,
  storedAt,
  type World,
} from '../../testing/world.ts'
import { createAllowances } from './allowances.ts'
import { handleHttp } from './http.ts'
import { createRecentErrors } from './status.ts'
import { allowanceLimits } from './limits.ts'

const noon = Date.UTC(2026, 10, 21, 12)
const { perAgent } = allowanceLimits

/** Makes a call until it is refused, and returns how often it was answered. */
async function exhaust(work: () => Promise<unknown>) {
  for (let answered = 0; answered < 1_000; answered += 1) {
    const outcome = await work().then(
      () => null,
      (error: unknown) => error,
    )
    if (outcome !== null) return { answered, refusal: outcome }
  }
  throw new Error('this is never refused')
}

describe('an agent', () => {
  test.each(['signInAgent', 'exportAgent', 'createSettingsLink'] as const)(
    'may call %s 60 times at once, then 60 times a minute',
    async (name) => {
      const world = createWorld(noon)
      const { agentId, secret, claims } = await register(world)
      const [session, input] = name === 'signInAgent' ? [undefined, { agentId, secret }] : [claims, {}]
      const work = () => call(world, name, session, input)
      const { answered, refusal } = await exhaust(work)
      expect(answered).toBe(60)
      expect(refusal).toMatchObject({ code: 'resource-exhausted', details: { retryAfterSeconds: 1 } })
      world.clock.advance(minuteMs)
      expect(await exhaust(work)).toMatchObject({ answered: 60 })
      world.clock.advance(secondMs)
      expect(await exhaust(work)).toMatchObject({ answered: 1 })
    },
  )

  test('is not slowed down by another agent, or by what else it calls', async () => {
    const world = createWorld(noon)
    const [ada, ben] = [await register(world), await register(world)]
    await exhaust(() => call(world, 'exportAgent', ada.claims))
    await call(world, 'exportAgent', ben.claims)
    await call(world, 'signInAgent', undefined, { agentId: ada.agentId, secret: ada.secret })
    await openSettings(world, ada)
  })

  test('is not locked out by anyone who lacks its secret or whose session has ended', async () => {
    const world = createWorld(noon)
    const agent = await register(world)
    const { agentId, claims: old } = agent
    const { secret } = await call(world, 'rotateSecret', old)
    await call(world, 'signInAgent', undefined, { agentId, secret })
    for (let times = 0; times < 2 * perAgent.burst; times += 1) {
      await refusalOf(call(world, 'signInAgent', undefined, { agentId, secret: 'x'.repeat(43) }))
      for (const name of ['exportAgent', 'createSettingsLink'] as const) {
        expect(await refusalOf(call(world, name, old))).toMatchObject({ code: 'unauthenticated' })
      }
    }
    const { token } = await call(world, 'signInAgent', undefined, { agentId, secret })
    const claims = world.signIns.exchange(token)
    await call(world, 'exportAgent', claims)
    await call(world, 'createSettingsLink', claims)
  })

  test('can always begin to use a new secret, even if a thief keeps signing in with the old one', async () => {
    const world = createWorld(noon)
    const { agentId, secret: stolen, claims } = await register(world)
    const { secret } = await call(world, 'rotateSecret', claims)
    await exhaust(() => call(world, 'signInAgent', undefined, { agentId, secret: stolen }))
    await call(world, 'signInAgent', undefined, { agentId, secret })
    expect(await refusalOf(call(world, 'signInAgent', undefined, { agentId, secret: stolen }))).toMatchObject({
      code: 'unauthenticated',
    })
  })

  test('pays once for a settings link, however often its transaction is tried', async () => {
    const world = createWorld(noon)
    const { claims, agentId } = await register(world)
    const path = `accounts/${agentId}`
    for (let times = 0; times < perAgent.burst; times += 1) {
      let changes = 2
      const busy = world.through(() => {
        if ((changes -= 1) >= 0) world.store.put([[path, storedAt(world, path)]])
        return Promise.resolve()
      })
      await call({ ...world, ports: busy }, 'createSettingsLink', claims)
    }
    expect(await refusalOf(call(world, 'createSettingsLink', claims))).toMatchObject({ code: 'resource-exhausted' })
  })

  test('may always unlink', async () => {
    const world = createWorld(noon)
    const { claims } = await register(world)
    for (const name of ['exportAgent', 'createSettingsLink'] as const) await exhaust(() => call(world, name, claims))
    for (let times = 0; times < 200; times += 1) {
      await call(world, 'unlinkChannel', claims, { channel: 'whatsapp' })
    }
  })

  test('that is forgotten among many others starts anew', () => {
    const { spend } = createAllowances(() => 0, {
      ...allowanceLimits,
      perAgent: { burst: 1, intervalMs: 1 },
      maxAgents: 2,
    })
    for (const agentId of ['a', 'b']) spend('exportAgent', agentId)
    expect(() => spend('exportAgent', 'a')).toThrow('Too many calls')
    spend('exportAgent', 'c')
    spend('exportAgent', 'a')
    expect(() => spend('exportAgent', 'c')).toThrow('Too many calls')
  })
})

describe('everyone together', () => {
  /** A world with an instance that has room for few calls. */
  function createBusyWorld(): World {
    const world = createWorld(noon)
    const limits = { ...allowanceLimits, anonymous: { burst: 5, intervalMs: secondMs } }
    return { ...world, ports: { ...world.ports, allowances: createAllowances(world.clock.monotonicMs, limits) } }
  }

  test.each([
    ['createRegistrationChallenge', {}],
    ['registerAgent', { category: 'dating', consents: {}, proof: {} }],
  ] as const)('makes %s wait above what an instance serves, before anything is read', async (name, input) => {
    const world = createBusyWorld()
    for (let times = 0; times < 5; times += 1) await call(world, name, undefined, input).catch(() => undefined)
    const nothing = { ...world, ports: { ...world.ports, store: {} as never, proofs: {} as never } }
    expect(await refusalOf(call(nothing, name, undefined, input))).toMatchObject({
      code: 'resource-exhausted',
      details: { retryAfterSeconds: 1 },
    })
    world.clock.advance(secondMs)
    expect((await exhaust(() => call(world, name, undefined, input).catch(passRefusals))).answered).toBe(1)
  })

  test('cannot keep an owner from signing in, or from the settings page, with wrong secrets and codes', async () => {
    const world = createBusyWorld()
    const { agentId, secret, claims } = await register(world)
    const { url } = await call(world, 'createSettingsLink', claims)
    for (let times = 0; times < 20; times += 1) {
      const wrong = { agentId, secret: 'x'.repeat(43) }
      expect(await refusalOf(call(world, 'signInAgent', undefined, wrong))).toMatchObject({ code: 'unauthenticated' })
      const unknown = { code: 'x'.repeat(43) }
      expect(await refusalOf(call(world, 'redeemSettingsLink', undefined, unknown))).toMatchObject({
        code: 'not-found',
      })
    }
    await call(world, 'signInAgent', undefined, { agentId, secret })
    await call(world, 'redeemSettingsLink', undefined, { code: url.slice(-43) })
  })

  test('makes health wait, and nothing that an agent calls', async () => {
    const world = createBusyWorld()
    const { claims } = await register(world)
    const api = {
      ports: world.ports,
      view: world.newInstance(),
      project: { projectId: 'demo', apiKey: '' },
      recentErrors: createRecentErrors(world.clock.monotonicMs),
      onFault: () => undefined,
    }
    const health = () => {
      const request = { method: 'GET', url: '/api/v1/health', authorization: undefined, contentType: undefined }
      return handleHttp(api, { ...request, body: new Uint8Array() }, world.clock.now())
    }
    for (let times = 0; times < 5; times += 1) expect((await health()).status).toBe(503)
    expect(await health()).toMatchObject({ status: 429, headers: { 'retry-after': '1' } })
    for (let times = 0; times < 20; times += 1) await call(world, 'exportAgent', claims)
  })

  test('can register: a proof that was refused for a moment is still good', async () => {
    const world = createBusyWorld()
    const { challenge } = await call(world, 'createRegistrationChallenge')
    const input = { category: 'dating', consents, proof: { challenge, solution } }
    await exhaust(() => call(world, 'registerAgent', undefined, { ...input, consents: {} }).catch(passRefusals))
    world.clock.advance(secondMs)
    await call(world, 'registerAgent', undefined, input)
  })
})

/** Passes on only that there were too many calls. */
function passRefusals(error: unknown): void {
  if (error instanceof Error && 'code' in error && error.code === 'resource-exhausted') throw error
}
