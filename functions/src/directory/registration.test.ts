import { minuteMs } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
import { consents } from '../../../testing/samples.ts'
import { call, createWorld, refusalOf, register, solution, storedAt } from '../../../testing/world.ts'

const noon = Date.UTC(2026, 10, 21, 12)

describe('registration', () => {
  test('stores a badge and an account, and only a hash of the secret', async () => {
    const world = createWorld(noon + 5)
    const { agentId, secret, token } = await register(world)
    expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(storedAt(world, `agents/${agentId}`)).toEqual({ agentId, category: 'dating', registeredAtMs: noon + 5 })
    expect([...world.store.all().keys()].map((path) => path.split('/')[0]).sort()).toEqual([
      'accounts',
      'agents',
      'proofs',
    ])
    const stored = JSON.stringify([...world.store.all()])
    for (const secretive of [secret, token]) expect(stored).not.toContain(secretive)
  })

  test.each(['terms', 'disclaimer', 'adult'])(
    'needs consents.%s to be true, literally, and stores nothing',
    async (name) => {
      const world = createWorld(noon)
      const { challenge } = await call(world, 'createRegistrationChallenge')
      const proof = { challenge, solution }
      for (const value of ['true', 1, false, null, {}, undefined]) {
        const input = { category: 'dating', consents: { ...consents, [name]: value }, proof }
        const refusal = await refusalOf(call(world, 'registerAgent', undefined, input))
        expect(refusal.code).toBe('failed-precondition')
        expect(refusal.message).toContain(`consents.${name}`)
      }
      expect(world.store.all().size).toBe(0)
      await call(world, 'registerAgent', undefined, { category: 'dating', consents, proof })
    },
  )

  test('needs a correct, timely and unused proof, and stores nothing without one', async () => {
    const world = createWorld(noon)
    const { challenge } = await call(world, 'createRegistrationChallenge')
    const registerWith = (proof: unknown) =>
      call(world, 'registerAgent', undefined, {
        category: 'dating',
        consents,
        ...(proof === undefined ? {} : { proof }),
      })
    for (const proof of [undefined, null, {}, { challenge }, { challenge, solution: { ...solution, counter: 2 } }]) {
      expect(await refusalOf(registerWith(proof))).toMatchObject({ code: 'failed-precondition' })
    }
    world.clock.advance(10 * minuteMs)
    expect(await refusalOf(registerWith({ challenge, solution }))).toMatchObject({ code: 'failed-precondition' })
    expect(world.store.all().size).toBe(0)
  })

  test('succeeds once for a proof, even with concurrent calls', async () => {
    const world = createWorld(noon)
    const { challenge } = await call(world, 'createRegistrationChallenge')
    const input = { category: 'dating', consents, proof: { challenge, solution } }
    const racing = await Promise.allSettled(
      Array.from({ length: 12 }, () => call(world, 'registerAgent', undefined, input)),
    )
    expect(racing.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect([...world.store.all().keys()].filter((path) => path.startsWith('agents/'))).toHaveLength(1)
    expect(await refusalOf(call(world, 'registerAgent', undefined, input))).toMatchObject({
      code: 'failed-precondition',
    })
  })
})
