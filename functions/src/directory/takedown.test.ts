import { describe, expect, test } from '@jest/globals'
import type { Channels } from '@koko/contract'
import fc from 'fast-check'
import { createVault } from '../adapters/node.ts'
import { republishDiscovery } from '../discovery/republish.ts'
import type { Fields } from '../ports.ts'
import { removeAgent } from './removal.ts'
import { channelsOf, liftTakedown, takeDownAgent, takeDownHandle, takeDownListing, type Handle } from './takedown.ts'
import { interleave, killAt } from '../../test/interleave.ts'
import {
  call,
  createWorld,
  pathsUnder,
  profileIn,
  refusalOf,
  register,
  registerListed,
  walk,
  type TestAgent,
  type World,
} from '../../../testing/world.ts'

const noon = Date.UTC(2026, 10, 21, 12)
const profile = profileIn('gcpv')
const number: Handle = { channel: 'whatsapp', handle: '+447700900123' }
const numberSpellings = ['+447700900123', '+4407700900123']
const nameSpellings = ['alice_a', 'Alice_A', 'ALICE_A', 'aLiCe_a']

function publish(world: Pick<World, 'ports' | 'clock'>, { claims }: TestAgent, channels: Channels) {
  return call(world, 'publishProfile', claims, { channels, profile })
}

/** The handles of each listing that is stored. */
function listed({ store }: World): unknown[] {
  return [...store.all()].filter(([path]) => path.startsWith('mcpDirectory/')).map(([, { channels }]) => channels)
}

/** Everything stored, and everything that discovery answers, as text. */
async function everything(world: World, looker: TestAgent): Promise<string> {
  const seen = await walk(world, world.newInstance(), looker.claims, 50)
  const shards = [...world.store.all()].map(([, { entries }]) =>
    entries instanceof Uint8Array ? world.ports.codec.unpack(entries) : '',
  )
  return JSON.stringify([[...world.store.all()], shards, seen])
}

describe('a handle that is taken down', () => {
  test('leaves every listing that has it, in any spelling, and other channels stay', async () => {
    const world = createWorld(noon)
    await registerListed(world, { whatsapp: '+447700900123', telegram: 'first_one' })
    await registerListed(world, { whatsapp: '+4407700900123', discord: '100000000000000001' })
    await registerListed(world, { whatsapp: '+447700900123' })
    await registerListed(world, { whatsapp: '+447700900124' })
    expect(await takeDownHandle(world.ports, number, world.clock.now())).toEqual({ listings: 3 })
    expect(listed(world)).toEqual(
      expect.arrayContaining([
        { telegram: 'first_one' },
        { discord: '100000000000000001' },
        { whatsapp: '+447700900124' },
      ]),
    )
    expect(listed(world)).toHaveLength(3)
  })

  test('is in no answer of a new instance, and stored nowhere after the republish', async () => {
    const world = createWorld(noon)
    await registerListed(world, { whatsapp: '+4407700900123', telegram: 'first_one' })
    const looker = await registerListed(world, { telegram: 'somebody_else' })
    await republishDiscovery(world.ports, world.clock.now)
    expect(await everything(world, looker)).toContain('7700900123')
    await takeDownHandle(world.ports, number, world.clock.now())
    const seen = await walk(world, world.newInstance(), looker.claims, 50)
    expect(seen.map(({ channels }) => channels)).toEqual([{ telegram: 'first_one' }])
    await republishDiscovery(world.ports, world.clock.now)
    expect(await everything(world, looker)).not.toContain('7700900123')
  })

  test('is refused in any spelling, at its field, without quoting the value and at no cost', async () => {
    const world = createWorld(noon)
    const agent = await registerListed(world, { telegram: 'before_that' })
    await takeDownHandle(world.ports, number, world.clock.now())
    await takeDownHandle(world.ports, { channel: 'telegram', handle: 'Alice_A' }, world.clock.now())
    const before = world.store.all()
    for (const whatsapp of numberSpellings) {
      expect(await refusalOf(publish(world, agent, { whatsapp, slack: 'U0FICTION1' }))).toEqual({
        code: 'invalid-argument',
        message: 'channels.whatsapp must not be published here.',
        details: [{ path: 'channels.whatsapp', message: 'must not be published here' }],
      })
    }
    for (const telegram of nameSpellings) {
      const { details } = await refusalOf(publish(world, agent, { whatsapp: '+447700900123', telegram }))
      expect(details).toEqual([
        { path: 'channels.whatsapp', message: 'must not be published here' },
        { path: 'channels.telegram', message: 'must not be published here' },
      ])
    }
    expect(world.store.all()).toEqual(before)
    await publish(world, agent, { whatsapp: '+447700900124', telegram: 'alice_b' })
  })

  // Numbers of these plans cannot be reserved for fiction; the repeated digits are meant to show that they are made up.
  const accounts: [today: string, other: string][] = [
    ['+5592980000000', '+559280000000'],
    ['+5491150000000', '+541150000000'],
    ['+525500000000', '+5215500000000'],
    ['+2250707000000', '+22507000000'],
  ]

  test.each(accounts.flatMap((spellings) => spellings.map((spelling) => [spelling, spellings] as const)))(
    'is taken down as %s under every number that reaches the WhatsApp account',
    async (handle, spellings) => {
      const world = createWorld(noon)
      for (const whatsapp of spellings) {
        const { agentId } = await registerListed(world, { whatsapp: '+12025550123', telegram: 'somebody' })
        // Today's rules refuse some of these numbers, but an earlier version may have stored them.
        const path = `mcpDirectory/dating/agents/${agentId}`
        const channels = { whatsapp, telegram: 'somebody' }
        world.store.put([[path, { ...world.store.all().get(path), channels }]])
      }
      expect(await takeDownHandle(world.ports, { channel: 'whatsapp', handle }, world.clock.now())).toEqual({
        listings: spellings.length,
      })
      expect(listed(world)).toEqual(spellings.map(() => ({ telegram: 'somebody' })))
      const publisher = await register(world)
      for (const whatsapp of spellings) {
        const refusal = await refusalOf(publish(world, publisher, { whatsapp }))
        expect(refusal).toMatchObject({ code: 'invalid-argument', details: [{ path: 'channels.whatsapp' }] })
      }
      for (const spelling of spellings) {
        await takeDownHandle(world.ports, { channel: 'whatsapp', handle: spelling }, world.clock.now())
      }
      expect(pathsUnder(world, 'takedowns/')).toHaveLength(1)
    },
  )

  test.each(accounts)(
    'is refused under every spelling if an earlier version hashed one: %s, %s',
    async (today, other) => {
      for (const hashed of [today, other]) {
        const world = createWorld(noon)
        const agent = await register(world)
        const { keyedHashes } = world.ports.vault
        const stored = `takedowns/${keyedHashes('takedown', `whatsapp\n${hashed}`)[0]}`
        world.store.put([[stored, { sinceMs: 0 }]])
        expect(await refusalOf(publish(world, agent, { whatsapp: today }))).toMatchObject({
          details: [{ path: 'channels.whatsapp', message: 'must not be published here' }],
        })
        await takeDownHandle(world.ports, { channel: 'whatsapp', handle: other }, world.clock.now())
        const taken = [...world.store.all()].filter(([path]) => path.startsWith('takedowns/'))
        expect(taken).toEqual([[stored, { sinceMs: 0 }]])
        expect(await liftTakedown(world.ports, { channel: 'whatsapp', handle: other })).toBe(true)
        await publish(world, agent, { whatsapp: today })
      }
    },
  )

  test('is stored as a keyed hash and a day, whatever its spelling and however often it is taken down', async () => {
    const world = createWorld(noon)
    for (const handle of numberSpellings) {
      await takeDownHandle(world.ports, { channel: 'whatsapp', handle }, world.clock.now())
      world.clock.advance(86_400_000)
    }
    const stored = [...world.store.all()]
    expect(stored).toEqual([[expect.stringMatching(/^takedowns\/[0-9a-f]{64}$/), { sinceMs: noon - 43_200_000 }]])
    expect(JSON.stringify(stored)).not.toContain('7700900123')
    const other = createWorld(noon)
    const { vault } = other.ports
    expect(stored[0]?.[0]).not.toContain(vault.hash('whatsapp\n+447700900123'))
  })

  test('may be published again once the takedown is lifted', async () => {
    const world = createWorld(noon)
    const agent = await register(world)
    await takeDownHandle(world.ports, number, world.clock.now())
    expect(await liftTakedown(world.ports, { channel: 'whatsapp', handle: '+4407700900123' })).toBe(true)
    expect(await liftTakedown(world.ports, number)).toBe(false)
    expect(await publish(world, agent, { whatsapp: '+447700900123' })).toMatchObject({ withheld: [] })
  })

  test('stays refused after the server gets a new key, and can be lifted under either key', async () => {
    const world = createWorld(noon)
    const agent = await register(world)
    await takeDownHandle(world.ports, number, world.clock.now())
    const withKeys = (secrets: string) => ({ ...world, ports: { ...world.ports, vault: createVault(secrets) } })
    const rotated = withKeys('a new secret of the tests\na secret of the tests\n')
    expect(await refusalOf(publish(rotated, agent, { whatsapp: '+447700900123' }))).toMatchObject({
      details: [{ path: 'channels.whatsapp', message: 'must not be published here' }],
    })
    await takeDownHandle(rotated.ports, number, world.clock.now())
    const renewed = withKeys('a new secret of the tests')
    expect(await refusalOf(publish(renewed, agent, { whatsapp: '+447700900123' }))).toMatchObject({
      code: 'invalid-argument',
    })
    expect(await liftTakedown(rotated.ports, number)).toBe(true)
    for (const each of [world, rotated, renewed]) await publish(each, agent, { whatsapp: '+447700900123' })
    expect(pathsUnder(world, 'takedowns/')).toEqual([])
  })

  test('is found in a listing that cannot be read, and in one whose agent is gone', async () => {
    const world = createWorld(noon)
    const unreadable = await registerListed(world, { whatsapp: '+447700900123' })
    const gone = await registerListed(world, { whatsapp: '+447700900123' })
    const fields = world.store.all().get(`mcpDirectory/dating/agents/${unreadable.agentId}`)
    world.store.put([
      [`mcpDirectory/dating/agents/${unreadable.agentId}`, { ...fields, profile: 'of another version' }],
      [`agents/${gone.agentId}`, null],
      [`accounts/${gone.agentId}`, null],
    ])
    expect(await takeDownHandle(world.ports, number, world.clock.now())).toEqual({ listings: 2 })
    expect(listed(world)).toEqual([])
  })

  test('is found beyond the first page of listings', async () => {
    const world = createWorld(noon)
    const agent = await registerListed(world, { telegram: 'somebody' })
    const path = `mcpDirectory/dating/agents/${agent.agentId}`
    const fields = world.store.all().get(path) ?? {}
    world.store.put([[path, null]])
    world.store.put(
      Array.from({ length: 1_100 }, (_, index) => {
        const agentId = `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
        const channels = { telegram: index === 1_050 ? 'Alice_A' : 'somebody' }
        return [`mcpDirectory/dating/agents/${agentId}`, { ...fields, agentId, channels }] as const
      }),
    )
    const handle: Handle = { channel: 'telegram', handle: 'alice_a' }
    expect(await takeDownHandle(world.ports, handle, world.clock.now())).toEqual({ listings: 1 })
    expect(listed(world)).toHaveLength(1_099)
  })
})

describe('a takedown beside publishes', () => {
  /** Agents, each with a spelling it had published, or none, and one that it publishes meanwhile. */
  const spelling = fc.constantFrom<Channels>(
    ...numberSpellings.map((whatsapp) => ({ whatsapp, telegram: 'somebody' })),
    ...numberSpellings.map((whatsapp) => ({ whatsapp })),
    { telegram: 'somebody' },
  )
  const agents = fc.array(fc.record({ before: fc.option(spelling), meanwhile: spelling }), {
    minLength: 1,
    maxLength: 4,
  })

  test('leaves no listing with the handle, whichever step comes first', async () => {
    await fc.assert(
      fc.asyncProperty(agents, fc.infiniteStream(fc.nat()), async (given, picks) => {
        const world = createWorld(noon)
        const registered = await Promise.all(given.map(() => register(world)))
        for (const [index, { before }] of given.entries()) {
          const agent = registered[index]
          if (before !== null && agent !== undefined) await publish(world, agent, before)
        }
        const pick = () => Number(picks.next().value)
        const [takedown] = await interleave<unknown>(
          [
            (onAwait) => takeDownHandle(world.through(onAwait), number, world.clock.now()),
            ...registered.map(
              (agent, index) => (onAwait: () => Promise<void>) =>
                publish({ ...world, ports: world.through(onAwait) }, agent, given[index]?.meanwhile ?? {}),
            ),
          ],
          pick,
        )
        // If it lost too many races, it reports that and is run again.
        if (takedown?.status === 'rejected') await takeDownHandle(world.ports, number, world.clock.now())
        expect(JSON.stringify(listed(world))).not.toContain('7700900123')
        const looker = await registerListed(world, { telegram: 'looker' })
        await republishDiscovery(world.ports, world.clock.now)
        expect(await everything(world, looker)).not.toContain('7700900123')
      }),
      { numRuns: 150 },
    )
  }, 60_000)

  test('is completed by a second run after being killed at any await', async () => {
    for (let count = 1; ; count += 1) {
      const world = createWorld(noon)
      const first = await registerListed(world, { whatsapp: '+447700900123', telegram: 'first_one' })
      const second = await registerListed(world, { whatsapp: '+4407700900123' })
      const onAwait = killAt(count)
      const isKilled = await takeDownAgent(world.through(onAwait), first.agentId, world.clock.now()).then(
        () => false,
        () => true,
      )
      await takeDownAgent(world.ports, first.agentId, world.clock.now())
      expect(listed(world)).toEqual([])
      expect(await refusalOf(publish(world, second, { telegram: 'First_One' }))).toMatchObject({
        code: 'invalid-argument',
      })
      if (!isKilled) return
    }
  })
})

describe('an agent that is taken down', () => {
  test('loses its listing, and its handles are refused to everybody and leave every listing', async () => {
    const world = createWorld(noon)
    const agent = await registerListed(world, { whatsapp: '+447700900123', telegram: 'first_one' })
    await registerListed(world, { telegram: 'First_One', slack: 'U0FICTION1' })
    expect(await takeDownAgent(world.ports, agent.agentId, world.clock.now())).toEqual({ listings: 2, handles: 2 })
    expect(listed(world)).toEqual([{ slack: 'U0FICTION1' }])
    for (const channels of [{ whatsapp: '+4407700900123' }, { telegram: 'first_one' }]) {
      expect(await refusalOf(publish(world, agent, channels))).toMatchObject({ code: 'invalid-argument' })
    }
    expect(await takeDownAgent(world.ports, agent.agentId, world.clock.now())).toEqual({ listings: 0, handles: 0 })
  })

  test('can lose only its listing', async () => {
    const world = createWorld(noon)
    const agent = await registerListed(world, { whatsapp: '+447700900123' })
    expect(await takeDownListing(world.ports, agent.agentId, world.clock.now())).toBe(true)
    expect(await takeDownListing(world.ports, agent.agentId, world.clock.now())).toBe(false)
    expect(listed(world)).toEqual([])
    await publish(world, agent, { whatsapp: '+447700900123' })
  })

  test('is removed completely if the listing has no account', async () => {
    const world = createWorld(noon)
    const agent = await registerListed(world, { whatsapp: '+447700900123' })
    world.store.put([
      [`agents/${agent.agentId}`, null],
      [`accounts/${agent.agentId}`, null],
    ])
    expect(await takeDownAgent(world.ports, agent.agentId, world.clock.now())).toEqual({ listings: 1, handles: 1 })
    expect(listed(world)).toEqual([])
  })
})

describe('an agent whose account is missing or damaged', () => {
  const damages = [
    ['missing', () => null],
    ['unreadable', (account: Fields) => ({ ...account, revision: 'lost' })],
    ['unreadable, without its area', ({ secretHash }: Fields) => ({ secretHash })],
  ] as const

  /** An agent with many changes behind it, in a shard, and one that looks for it. */
  async function damaged(damage: (account: Fields) => Fields | null) {
    const world = createWorld(noon)
    const agent = await register(world)
    for (let times = 0; times < 5; times += 1) await publish(world, agent, { whatsapp: '+447700900123' })
    const looker = await registerListed(world, { telegram: 'somebody_else' })
    await republishDiscovery(world.ports, world.clock.now)
    const path = `accounts/${agent.agentId}`
    world.store.put([[path, damage(world.store.all().get(path) ?? {})]])
    const seen = async () => (await walk(world, world.newInstance(), looker.claims, 50)).map(({ agentId }) => agentId)
    expect(await seen()).toEqual([agent.agentId])
    return { world, agent, seen }
  }

  test.each(damages)('is in no answer after a takedown: %s, paused or republished', async (_which, damage) => {
    const takedowns = [
      (world: World) => takeDownHandle(world.ports, number, world.clock.now()),
      (world: World, { agentId }: TestAgent) => takeDownAgent(world.ports, agentId, world.clock.now()),
      (world: World, { agentId }: TestAgent) => takeDownListing(world.ports, agentId, world.clock.now()),
    ]
    for (const takeDown of takedowns) {
      const { world, agent, seen } = await damaged(damage)
      await takeDown(world, agent)
      expect(await seen()).toEqual([])
      await republishDiscovery(world.ports, world.clock.now)
      expect(await seen()).toEqual([])
      expect(await everything(world, await registerListed(world, { telegram: 'another_one' }))).not.toContain(
        agent.agentId,
      )
    }
  })

  test.each(damages)('is in no answer after its retention ends: %s', async (_which, damage) => {
    const { world, agent, seen } = await damaged(damage)
    const stillDue = () => Promise.resolve(true)
    expect(await removeAgent(world.ports, agent.agentId, stillDue, { room: 'dating' })).toBe(true)
    expect(await seen()).toEqual([])
  })

  test('stays out of answers if nothing says where the shards hold it', async () => {
    const { world, agent, seen } = await damaged(() => null)
    const path = `mcpDirectory/dating/agents/${agent.agentId}`
    world.store.put([[path, { ...world.store.all().get(path), profile: 'of another version' }]])
    await takeDownHandle(world.ports, number, world.clock.now())
    await republishDiscovery(world.ports, world.clock.now)
    expect(await seen()).toEqual([])
  })
})

test('a text is matched to every channel of which it can be a handle', () => {
  expect(channelsOf('+447700900123')).toEqual(['whatsapp'])
  expect(channelsOf('alice_a')).toEqual(['telegram'])
  expect(channelsOf('100000000000000001')).toEqual(['discord'])
  expect(channelsOf('U0FICTION1')).toEqual(['telegram', 'slack'])
  expect(channelsOf('447700900123')).toEqual([])
})
