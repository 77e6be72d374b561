import { minuteMs } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
import { consents } from '../../../testing/samples.ts'
import {
  call,
  createWorld,
  pathsUnder,
  refusalOf,
  register,
  solution,
  storedAt,
  type World,
} from '../../../testing/world.ts'
import type { Ports, SignIns } from '../ports.ts'

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
    expect(pathsUnder(world, 'agents/')).toHaveLength(1)
    expect(await refusalOf(call(world, 'registerAgent', undefined, input))).toMatchObject({
      code: 'failed-precondition',
    })
  })

  test('signs one token for a proof, however often the proof is sent', async () => {
    const world = createWorld(noon)
    const { signed, ports } = countingTokens(world)
    const { challenge } = await call(world, 'createRegistrationChallenge')
    const input = { category: 'dating', consents, proof: { challenge, solution } }
    const send = () => call({ ...world, ports }, 'registerAgent', undefined, input)
    await Promise.allSettled(Array.from({ length: 12 }, send))
    for (let replay = 0; replay < 20; replay += 1) {
      expect(await refusalOf(send())).toMatchObject({ code: 'failed-precondition' })
    }
    expect(signed).toHaveLength(1)
  })

  test('that ends without a token leaves nothing, and the proof can be sent again', async () => {
    const world = createWorld(noon)
    const failing: Ports = {
      ...world.ports,
      signIns: { ...world.signIns, mint: () => Promise.reject(new Error('no signature')) },
    }
    const { challenge } = await call(world, 'createRegistrationChallenge')
    const input = { category: 'dating', consents, proof: { challenge, solution } }
    await expect(call({ ...world, ports: failing }, 'registerAgent', undefined, input)).rejects.toThrow('no signature')
    expect(world.store.all().size).toBe(0)
    await call(world, 'registerAgent', undefined, input)
  })
})

/** The same directory, and the ids of the agents for which it signed a token. */
function countingTokens({ ports, signIns }: World) {
  const signed: string[] = []
  const mint: SignIns['mint'] = (agentId, claims) => {
    signed.push(agentId)
    return signIns.mint(agentId, claims)
  }
  return { signed, ports: { ...ports, signIns: { ...signIns, mint } } satisfies Ports }
}
