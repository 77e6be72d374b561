import { dayMs, hourMs, minuteMs, secondMs, utcDay } from '@koko/contract'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import type { BatchGetInput, DiscoverOutput } from '@koko/contract'
import * as fc from 'fast-check'
import { batchGet } from './discover.ts'
import { discoverDeadlineMs, maxPagesPerMinute, republishLimits } from '../limits.ts'
import { OutcomeUnknown } from '../ports.ts'
import { republishDiscovery } from './republish.ts'
import { sessionOf } from '../sessions.ts'
import {
  call,
  createWorld,
  look,
  openSettings,
  profileIn,
  refusalOf,
  register,
  replaceSecret,
  storedAt,
  walk,
  type Claims,
  type TestAgent,
  type World,
} from '../../../testing/world.ts'

const small = { ...republishLimits, shardAgents: 3, mergeAgents: 2 }
const startMs = Date.UTC(2026, 10, 21, 12)
const areas = ['9q8y', 'dr5r', 'gc', 'gcpv', 'u173']

async function publish(world: World, { claims, agentId }: TestAgent, area: string): Promise<void> {
  const channels = { telegram: `person_${agentId.slice(0, 8)}` }
  await call(world, 'publishProfile', claims, { channels, profile: profileIn(area) })
}

function run({ ports, clock }: World) {
  return republishDiscovery(ports, clock.now, small)
}

/** A room of listed agents, spread over the areas, in shards of three. */
async function roomOf(count: number): Promise<{ world: World; agents: TestAgent[]; caller: TestAgent }> {
  const world = createWorld(startMs)
  const agents: TestAgent[] = []
  for (let index = 0; index < count; index += 1) {
    const agent = await register(world)
    agents.push(agent)
    await publish(world, agent, areas[index % areas.length] ?? 'gc')
  }
  await run(world)
  const caller = agents[0]
  if (caller === undefined) throw new Error('a room has somebody in it')
  return { world, agents, caller }
}

function idsOf(agents: DiscoverOutput['agents']): string[] {
  return agents.map(({ agentId }) => agentId).sort()
}

function othersThan(caller: TestAgent, agents: readonly TestAgent[]): string[] {
  return agents.flatMap(({ agentId }) => (agentId === caller.agentId ? [] : [agentId])).sort()
}

/** Sets what the agent has used of today's budget, and when it registered. */
function setBudget(world: World, { agentId }: TestAgent, budget: { discovered?: number; fetched?: number }): void {
  const path = `accounts/${agentId}`
  const account = world.store.all().get(path)
  world.store.put([
    [
      path,
      { ...account, budget: { dayMs: utcDay(world.clock.now().getTime()), discovered: 0, fetched: 0, ...budget } },
    ],
  ])
}

describe('a walk', () => {
  test.each([1, 2, 7, 200])('of pages of %d holds every peer once, and never the caller', async (pageSize) => {
    const { world, agents } = await roomOf(17)
    for (const caller of agents.slice(0, 5)) {
      const met = await walk(world, world.newInstance(), caller.claims, pageSize)
      expect(idsOf(met)).toEqual(othersThan(caller, agents))
      setBudget(world, caller, {})
    }
  })

  test('ends with the page of the last peer, and with the first page in an empty room', async () => {
    const { world, agents, caller } = await roomOf(5)
    const page = await look(world, world.newInstance(), caller.claims, { pageSize: 4 })
    expect(page).toMatchObject({ room: 'dating', nextPageToken: null, asOfMs: world.clock.now().getTime() })
    expect(idsOf(page.agents)).toEqual(othersThan(caller, agents))

    const { world: empty, caller: alone } = await roomOf(1)
    expect(await look(empty, empty.newInstance(), alone.claims)).toMatchObject({ agents: [], nextPageToken: null })
    const unpublished = createWorld(startMs)
    const first = await register(unpublished)
    await publish(unpublished, first, 'gc')
    expect(await look(unpublished, unpublished.newInstance(), first.claims)).toMatchObject({ agents: [] })
  })

  test('starts elsewhere for each caller and day, and at the same place on the same day', async () => {
    const { world, agents } = await roomOf(12)
    const firstOf = async (agent: TestAgent) =>
      (await look(world, world.newInstance(), agent.claims, { pageSize: 1 })).agents[0]?.agentId
    const today = new Map<TestAgent, string | undefined>()
    for (const agent of agents) today.set(agent, await firstOf(agent))
    expect(new Set(today.values()).size).toBeGreaterThan(2)
    for (const agent of agents) expect(await firstOf(agent)).toBe(today.get(agent))
    world.clock.advance(dayMs)
    let moved = 0
    for (const agent of agents) if ((await firstOf(agent)) !== today.get(agent)) moved += 1
    expect(moved).toBeGreaterThan(2)
  })

  test('shows no agent twice and misses none that stays, while shards split and merge and others move', async () => {
    const { world: room, agents, caller } = await roomOf(14)
    const movers = agents.slice(1, 8)
    const turn = fc.record({
      instance: fc.nat(2),
      pageSize: fc.integer({ min: 1, max: 4 }),
      changes: fc.array(
        fc.record({
          who: fc.nat(agents.length - 2),
          area: fc.nat(areas.length - 1),
          leaves: fc.nat(9).map((n) => n === 0),
        }),
        { maxLength: 3 },
      ),
      republish: fc.boolean(),
      passMs: fc.constantFrom(0, secondMs, 2 * secondMs, 4 * secondMs),
    })
    const turns = fc.array(turn, { minLength: 3, maxLength: 12, size: 'max' })
    // The number of turns before the walk starts decides how much each instance knows by then.
    const property = fc.asyncProperty(turns, fc.nat(4), async (schedule, beginsAt) => {
      const world = room.fork()
      const instances = [world.newInstance(), world.newInstance(), world.newInstance()]
      for (const instance of instances) await look(world, instance, caller.claims, { pageSize: 1 })
      setBudget(world, caller, {})
      const met: string[] = []
      const left = new Set<string>()
      let pageToken: string | null = null
      for (let index = 0; index <= beginsAt || pageToken !== null; index += 1) {
        const { instance, pageSize, changes, republish, passMs } = schedule[index % schedule.length] ?? {
          ...{ instance: 0, pageSize: 4, changes: [], republish: true, passMs: 0 },
        }
        const page: DiscoverOutput = await look(world, instances[instance] ?? world.newInstance(), caller.claims, {
          pageSize,
          ...(pageToken === null ? {} : { pageToken }),
        })
        if (index >= beginsAt) {
          met.push(...page.agents.map(({ agentId }) => agentId))
          pageToken = page.nextPageToken
        }
        for (const { who, area, leaves } of changes) {
          const agent = agents[who + 1]
          if (agent === undefined || left.has(agent.agentId)) continue
          // Agents that stay publish too, in their own area.
          const isMover = movers.includes(agent)
          if (isMover && leaves) {
            left.add(agent.agentId)
            await call(world, 'unregisterAgent', agent.claims)
          } else await publish(world, agent, areas[isMover ? area : (who + 1) % areas.length] ?? '')
        }
        if (republish) await run(world)
        world.clock.advance(passMs)
      }
      expect(met).toHaveLength(new Set(met).size)
      expect(met).toEqual(expect.arrayContaining(othersThan(caller, agents.slice(8))))
    })
    await fc.assert(property, { numRuns: 150 })
  })

  test('skips agents that are offline or have unlinked every channel', async () => {
    const { world, agents, caller } = await roomOf(6)
    const instance = world.newInstance()
    const [, taken, ...rest] = agents as [TestAgent, TestAgent, ...TestAgent[]]
    await call(world, 'unlinkChannel', taken.claims, { channel: 'telegram' })
    expect(idsOf(await walk(world, instance, caller.claims, 2))).toEqual(othersThan(caller, rest))
    world.clock.advance(2 * dayMs)
    for (const { claims } of [caller, ...rest.slice(1)]) await call(world, 'heartbeat', claims)
    world.clock.advance(secondMs)
    expect(idsOf(await walk(world, instance, caller.claims, 2))).toEqual([])
    await run(world)
    world.clock.advance(5 * secondMs)
    expect(idsOf(await walk(world, instance, caller.claims, 2))).toEqual(othersThan(caller, rest.slice(1)))
  })
})

describe('a page token', () => {
  async function firstPage() {
    const { world, agents, caller } = await roomOf(8)
    const instance = world.newInstance()
    const { nextPageToken } = await look(world, instance, caller.claims, { pageSize: 2 })
    if (nextPageToken === null) throw new Error('there is a second page')
    const next = (pageToken: string, claims: Claims = caller.claims) =>
      look(world, instance, claims, { pageSize: 2, pageToken })
    return { world, agents, caller, nextPageToken, next }
  }
  const wrongToken = { code: 'invalid-argument', details: [{ path: 'pageToken' }] }

  test('is valid for ten minutes, on any instance and more than once', async () => {
    const { world, caller, nextPageToken, next } = await firstPage()
    world.clock.advance(10 * minuteMs - 1)
    const page = await next(nextPageToken)
    expect(page.agents).toHaveLength(2)
    const again = await look(world, world.newInstance(), caller.claims, { pageSize: 2, pageToken: nextPageToken })
    expect(again.agents).toEqual(page.agents)
    world.clock.advance(1)
    expect(await refusalOf(next(nextPageToken))).toMatchObject(wrongToken)
  })

  test('is bound to its caller', async () => {
    const { agents, nextPageToken, next } = await firstPage()
    expect(await refusalOf(next(nextPageToken, agents[1]?.claims))).toMatchObject(wrongToken)
  })

  test('is refused when one character is changed, removed or added', async () => {
    const { nextPageToken, next } = await firstPage()
    for (let index = 0; index < nextPageToken.length; index += 7) {
      const other = nextPageToken[index] === 'A' ? 'B' : 'A'
      const changed = nextPageToken.slice(0, index) + other + nextPageToken.slice(index + 1)
      expect(await refusalOf(next(changed))).toMatchObject(wrongToken)
    }
    for (const changed of [nextPageToken.slice(0, -1), `${nextPageToken}A`, `${nextPageToken}=`, '', 'x', '{}']) {
      expect(await refusalOf(next(changed))).toMatchObject(wrongToken)
    }
  })

  test('of another shape or for another purpose is refused like any wrong one', async () => {
    const { world, caller, next } = await firstPage()
    const { vault } = world.ports
    const other = vault.seal(`page of ${caller.agentId} in dating`, JSON.stringify({ start: '', version: 0 }))
    expect(await refusalOf(next(other))).toMatchObject(wrongToken)
    expect(await refusalOf(next(vault.seal('departure', caller.agentId)))).toMatchObject(wrongToken)
  })

  test('reveals nothing to its holder', async () => {
    const { agents, nextPageToken } = await firstPage()
    const bytes = Buffer.from(nextPageToken, 'base64url').toString('latin1')
    for (const { agentId } of agents) expect(bytes).not.toContain(agentId.slice(0, 8))
    for (const area of areas.filter(({ length }) => length > 2)) expect(bytes).not.toContain(area)
  })

  test('costs nothing when it is refused', async () => {
    const { world, caller, next } = await firstPage()
    const before = world.store.all().get(`accounts/${caller.agentId}`)
    await refusalOf(next('x'))
    expect(world.store.all().get(`accounts/${caller.agentId}`)).toEqual(before)
  })
})

describe('a discovery that is refused', () => {
  /** The paths and queries that the work reads from the database. */
  async function readsOf(world: World, work: (counted: World) => Promise<unknown>): Promise<string[]> {
    const reads: string[] = []
    const { store } = world
    const counted: World = {
      ...world,
      ports: {
        ...world.ports,
        store: {
          get(asked) {
            reads.push(...asked)
            return store.get(asked)
          },
          query(query) {
            reads.push(query.collection)
            return store.query(query)
          },
          count(collection) {
            reads.push(collection)
            return store.count(collection)
          },
          transaction: (inside) =>
            store.transaction((transaction) =>
              inside({
                ...transaction,
                get(asked) {
                  reads.push(...asked)
                  return transaction.get(asked)
                },
              }),
            ),
        },
      },
    }
    await work(counted)
    return reads
  }

  const own = ({ agentId }: TestAgent) => [
    `agents/${agentId}`,
    `accounts/${agentId}`,
    `mcpDirectory/dating/agents/${agentId}`,
  ]
  const lookOnce = (caller: TestAgent, code: string) => async (counted: World) => {
    const refusal = await refusalOf(look(counted, counted.newInstance(counted.ports), caller.claims))
    expect(refusal.code).toBe(code)
  }

  test.each<[string, string, (world: World, caller: TestAgent) => unknown]>([
    ['whose budget is used', 'resource-exhausted', (world, caller) => setBudget(world, caller, { discovered: 100 })],
    [
      'that is not listed',
      'failed-precondition',
      (world, { claims }) => call(world, 'unlinkChannel', claims, { channel: 'telegram' }),
    ],
    ['that is offline', 'failed-precondition', (world) => world.clock.advance(3 * dayMs)],
    ['that was removed', 'unauthenticated', (world, { claims }) => call(world, 'unregisterAgent', claims)],
    [
      'whose session has ended',
      'unauthenticated',
      ({ store }, { agentId }) => {
        const path = `accounts/${agentId}`
        store.put([[path, { ...store.all().get(path), generation: 1 }]])
      },
    ],
  ])('because of a caller %s reads only documents of that caller', async (_, code, prepare) => {
    const { world, caller } = await roomOf(6)
    await prepare(world, caller)
    const reads = await readsOf(world, lookOnce(caller, code))
    expect(reads.filter((path) => !own(caller).includes(path))).toEqual([])
    expect(reads).toHaveLength(3)
  })

  test('because of too many pages in a minute reads nothing, and costs no other caller', async () => {
    const { world, agents, caller } = await roomOf(6)
    const instance = world.newInstance()
    const next = agents[1]?.claims ?? { uid: '' }
    for (let pages = 0; pages < maxPagesPerMinute; pages += 1) {
      setBudget(world, caller, {})
      await look(world, instance, caller.claims)
      world.clock.advance(secondMs)
    }
    const again = (counted: World) => refusalOf(look(counted, instance, caller.claims))
    expect(await again(world)).toMatchObject({ code: 'resource-exhausted', details: { retryAfterSeconds: 30 } })
    expect(await readsOf(world, again)).toEqual([])
    await look(world, instance, next)
    await look(world, world.newInstance(), caller.claims)
    world.clock.advance(30 * secondMs - 1)
    expect(await again(world)).toMatchObject({ details: { retryAfterSeconds: 1 } })
    world.clock.advance(1)
    await look(world, instance, caller.claims)
    expect(await again(world)).toMatchObject({ details: { retryAfterSeconds: 1 } })
  })

  test('because a session has ended uses up no page of the agent', async () => {
    const { world, caller } = await roomOf(6)
    const instance = world.newInstance()
    const { agentId, claims: ended } = caller
    const { secret } = await call(world, 'rotateSecret', ended)
    const { token } = await call(world, 'signInAgent', undefined, { agentId, secret })
    for (let pages = 0; pages < 2 * maxPagesPerMinute; pages += 1) {
      expect(await refusalOf(look(world, instance, ended))).toMatchObject({ code: 'unauthenticated' })
    }
    await look(world, instance, world.signIns.exchange(token))
  })

  test('because its agent is not listed counts as a page', async () => {
    const { world, caller } = await roomOf(6)
    const instance = world.newInstance()
    await call(world, 'unlinkChannel', caller.claims, { channel: 'telegram' })
    const refusals: string[] = []
    for (let pages = 0; pages <= maxPagesPerMinute; pages += 1) {
      refusals.push((await refusalOf(look(world, instance, caller.claims))).code)
    }
    expect([refusals[0], refusals.at(-2), refusals.at(-1)]).toEqual([
      'failed-precondition',
      'failed-precondition',
      'resource-exhausted',
    ])
  })
})

describe('the budget of discovery', () => {
  test('shortens the last page to what is left, and the next is refused until midnight', async () => {
    const { world, agents, caller } = await roomOf(9)
    setBudget(world, caller, { discovered: 95 })
    const first = await look(world, world.newInstance(), caller.claims, { pageSize: 3 })
    expect(first.agents).toHaveLength(3)
    const token = first.nextPageToken ?? ''
    const second_ = await look(world, world.newInstance(), caller.claims, { pageSize: 3, pageToken: token })
    expect(second_.agents).toHaveLength(2)
    expect(second_.nextPageToken).not.toBeNull()
    const refusal = { code: 'resource-exhausted', details: { retryAfterSeconds: 12 * 3_600 } }
    const third = { pageSize: 3, pageToken: second_.nextPageToken ?? '' }
    expect(await refusalOf(look(world, world.newInstance(), caller.claims, third))).toMatchObject(refusal)
    world.clock.advance(11 * hourMs + 59 * minuteMs + 59 * secondMs + 1)
    expect(await refusalOf(look(world, world.newInstance(), caller.claims))).toMatchObject({
      details: { retryAfterSeconds: 1 },
    })
    world.clock.advance(secondMs - 1)
    const tomorrow = await look(world, world.newInstance(), caller.claims)
    expect(idsOf(tomorrow.agents)).toEqual(othersThan(caller, agents))
  })

  test('is charged for listings, not for pages: an empty answer costs nothing', async () => {
    const { world, caller } = await roomOf(1)
    setBudget(world, caller, { discovered: 99 })
    for (let times = 0; times < 3; times += 1) {
      expect(await look(world, world.newInstance(), caller.claims)).toMatchObject({ agents: [] })
    }
  })

  test('is 100 until the badge is 72 hours old, and 1,000 from then on', async () => {
    const { world, caller } = await roomOf(4)
    const look_ = () => look(world, world.newInstance(), caller.claims)
    world.clock.advance(48 * hourMs)
    await call(world, 'heartbeat', caller.claims)
    world.clock.advance(24 * hourMs - 1)
    setBudget(world, caller, { discovered: 100 })
    expect(await refusalOf(look_())).toMatchObject({ code: 'resource-exhausted' })
    world.clock.advance(1)
    expect(await look_()).toMatchObject({ room: 'dating' })
    setBudget(world, caller, { discovered: 1_000 })
    expect(await refusalOf(look_())).toMatchObject({ code: 'resource-exhausted' })
  })

  test('is not exceeded by twenty concurrent pages', async () => {
    const { world, caller } = await roomOf(9)
    setBudget(world, caller, { discovered: 90 })
    const pages = await Promise.allSettled(
      Array.from({ length: 20 }, () => look(world, world.newInstance(), caller.claims, { pageSize: 4 })),
    )
    const served = pages.flatMap((page) => (page.status === 'fulfilled' ? page.value.agents : []))
    expect(served.length).toBeGreaterThan(0)
    expect(served.length).toBeLessThanOrEqual(10)
    expect(world.store.all().get(`accounts/${caller.agentId}`)).toMatchObject({
      budget: { discovered: 90 + served.length },
    })
  })

  test('that covers part of a page still covers it when the page is retried', async () => {
    const { world, caller } = await roomOf(9)
    setBudget(world, caller, { discovered: 97 })
    let awaits = 0
    // The first view is too old by the time it is used.
    const slow = world.through(() => {
      awaits += 1
      if (awaits === 4) world.clock.advance(6 * secondMs)
      return Promise.resolve()
    })
    const page = await look(world, world.newInstance(slow), caller.claims, { pageSize: 5 })
    expect(awaits).toBeGreaterThan(8)
    expect(page.agents).toHaveLength(3)
    expect(storedAt(world, `accounts/${caller.agentId}`)).toMatchObject({ budget: { discovered: 100 } })
  })
})

describe('the caller of discovery', () => {
  test('must be listed and online', async () => {
    const { world, agents, caller } = await roomOf(3)
    const instance = world.newInstance()
    const unlisted = await register(world)
    const failed = { code: 'failed-precondition' }
    expect(await refusalOf(look(world, instance, unlisted.claims))).toMatchObject(failed)
    world.clock.advance(2 * dayMs + 1)
    expect(await refusalOf(look(world, instance, caller.claims))).toMatchObject(failed)
    await call(world, 'heartbeat', caller.claims)
    expect(await look(world, instance, caller.claims)).toMatchObject({ room: 'dating' })
    await call(world, 'unlinkChannel', caller.claims, { channel: 'telegram' })
    expect(await refusalOf(look(world, instance, caller.claims))).toMatchObject(failed)
    expect(await refusalOf(fetch(world, caller.claims, { agentIds: [agents[1]?.agentId ?? ''] }))).toMatchObject(failed)
  })

  test('must not be a settings session, an ended session or a removed agent', async () => {
    const { world, agents, caller } = await roomOf(3)
    const instance = world.newInstance()
    const settings = await openSettings(world, caller)
    const agentIds = [agents[1]?.agentId ?? '']
    expect(await refusalOf(look(world, instance, settings))).toMatchObject({ code: 'permission-denied' })
    expect(await refusalOf(fetch(world, settings, { agentIds }))).toMatchObject({ code: 'permission-denied' })
    await replaceSecret(world, caller)
    expect(await refusalOf(look(world, instance, caller.claims))).toMatchObject({ code: 'unauthenticated' })
    expect(await refusalOf(fetch(world, caller.claims, { agentIds }))).toMatchObject({ code: 'unauthenticated' })
    const gone = agents[2] ?? caller
    await call(world, 'unregisterAgent', gone.claims)
    expect(await refusalOf(look(world, instance, gone.claims))).toMatchObject({ code: 'unauthenticated' })
  })

  test('is checked for every page: a walk ends for an agent that left, is unlisted, or has a new secret', async () => {
    const ends: [
      string,
      'unauthenticated' | 'failed-precondition',
      (world: World, claims: Claims) => Promise<unknown>,
    ][] = [
      ['left', 'unauthenticated', (world, claims) => call(world, 'unregisterAgent', claims)],
      ['another secret', 'unauthenticated', (world, claims) => replaceSecret(world, { agentId: claims.uid, claims })],
      [
        'unlisted',
        'failed-precondition',
        (world, claims) => call(world, 'unlinkChannel', claims, { channel: 'telegram' }),
      ],
    ]
    for (const pageSize of [1, 50]) {
      const { world: room, caller } = await roomOf(60)
      for (const [why, code, end] of ends) {
        const world = room.fork()
        const instance = world.newInstance()
        const { nextPageToken } = await look(world, instance, caller.claims, { pageSize })
        await end(world, caller.claims)
        const next = { pageSize, pageToken: nextPageToken ?? '' }
        expect([why, (await refusalOf(look(world, instance, caller.claims, next))).code]).toEqual([why, code])
      }
    }
  })
})

describe('an instance', () => {
  afterEach(() => {
    jest.useRealTimers()
  })

  test('whose database is slow answers unavailable after 20 s, reads no more, and charges nothing', async () => {
    const { world, caller } = await roomOf(8)
    let reads = 0
    // Each read takes 4 s, which is within its own deadline.
    const slow = {
      ...world,
      ports: {
        ...world.ports,
        store: world.store.through(async () => {
          reads += 1
          await new Promise((resolve) => setTimeout(resolve, 2 * secondMs))
          world.clock.advance(2 * secondMs)
        }),
      },
    }
    jest.useFakeTimers()
    const answered: unknown[] = []
    void refusalOf(look(slow, world.newInstance(slow.ports), caller.claims)).then((refusal) => answered.push(refusal))
    await jest.advanceTimersByTimeAsync(discoverDeadlineMs)
    expect(discoverDeadlineMs).toBe(20 * secondMs)
    expect(answered).toMatchObject([{ code: 'unavailable' }])
    await jest.advanceTimersByTimeAsync(5 * secondMs)
    const readsInTime = reads
    await jest.advanceTimersByTimeAsync(10 * minuteMs)
    expect(reads).toBe(readsInTime)
    expect(storedAt(world, `accounts/${caller.agentId}`)).toMatchObject({ budget: { discovered: 0 } })
  })

  test('whose charge is not confirmed in time says that its outcome is unknown', async () => {
    const { world, caller } = await roomOf(8)
    const transaction = () => new Promise<never>(() => undefined)
    const locked = { ...world, ports: { ...world.ports, store: { ...world.store, transaction } } }
    jest.useFakeTimers()
    const refused = look(locked, world.newInstance(), caller.claims).catch((error: unknown) => error)
    await jest.advanceTimersByTimeAsync(discoverDeadlineMs)
    expect(await refused).toBeInstanceOf(OutcomeUnknown)
  })

  test('that cannot read answers unavailable, whichever read fails, and never from its cache', async () => {
    const { world: room, agents, caller } = await roomOf(8)
    for (let failing = 1; ; failing += 1) {
      const world = room.fork()
      let awaits = -Infinity
      const broken = world.through(() => {
        awaits += 1
        return awaits >= failing ? Promise.reject(new Error('the disk is gone')) : Promise.resolve()
      })
      const instance = world.newInstance(broken)
      await look(world, instance, caller.claims)
      await call(world, 'unlinkChannel', agents[1]?.claims, { channel: 'telegram' })
      await run(world)
      world.clock.advance(10 * secondMs + 1)
      awaits = 0
      const answer: unknown = await look(world, instance, caller.claims).catch((error: unknown) => error)
      if (awaits < failing) {
        expect(failing).toBeGreaterThan(5)
        expect(answer).toMatchObject({ room: 'dating' })
        return
      }
      expect(answer).toMatchObject({ code: 'unavailable' })
    }
  })

  test('that reads slowly shows nothing that was unlinked meanwhile', async () => {
    const { world: room, agents, caller } = await roomOf(4)
    for (let slowAt = 1; slowAt <= 8; slowAt += 1) {
      const world = room.fork()
      let awaits = 0
      const slow = world.through(async () => {
        awaits += 1
        if (awaits !== slowAt) return
        await call(world, 'unlinkChannel', agents[1]?.claims, { channel: 'telegram' })
        world.clock.advance(10 * secondMs + 1)
      })
      const { agents: met } = await look(world, world.newInstance(slow), caller.claims)
      expect(idsOf(met)).toEqual(othersThan(caller, agents.toSpliced(1, 1)))
    }
  })

  test('reads an unchanged shard once, and the removals before every answer', async () => {
    const { world, caller } = await roomOf(8)
    const reads: string[] = []
    const { store } = world.ports
    const ports = {
      ...world.ports,
      store: {
        ...store,
        get: (paths: readonly string[]) => {
          reads.push(...paths)
          return store.get(paths)
        },
      },
    }
    const instance = world.newInstance(ports)
    await look(world, instance, caller.claims)
    expect(reads.filter((path) => path.includes('/shards/')).length).toBeGreaterThan(2)
    reads.length = 0
    world.clock.advance(minuteMs)
    setBudget(world, caller, {})
    await look(world, instance, caller.claims)
    expect(reads.filter((path) => path.startsWith('discovery/'))).toEqual(['discovery/dating'])
  })

  test('answers many callers from one view', async () => {
    const { world, agents } = await roomOf(8)
    let queries = 0
    const { store } = world.ports
    const counting = {
      ...store,
      query: (query: Parameters<typeof store.query>[0]) => ((queries += 1), store.query(query)),
    }
    const instance = world.newInstance({ ...world.ports, store: counting })
    await Promise.all(agents.map(({ claims }) => look(world, instance, claims)))
    expect(queries).toBe(1)
  })
})

function fetch({ ports, clock }: World, claims: Claims, input: BatchGetInput) {
  const session = sessionOf(claims)
  if (session === null) throw new Error('these claims are no session')
  return batchGet(ports, session, 'dating', input, clock.now())
}

describe('batchGet', () => {
  test('returns the listings in the order asked, and the missing ids in that order', async () => {
    const { world, agents, caller } = await roomOf(6)
    const ids = agents.map(({ agentId }) => agentId)
    const unlisted = await register(world)
    const unknown = world.ports.vault.uuid()
    await call(world, 'unregisterAgent', agents[3]?.claims)
    const asked = [ids[4], unknown, ids[2], unlisted.agentId, ids[3], caller.agentId, ids[1]].map((id) => id ?? '')
    const { agents: found, missing } = await fetch(world, caller.claims, { agentIds: asked })
    expect(found.map(({ agentId }) => agentId)).toEqual([ids[4], ids[2], caller.agentId, ids[1]])
    expect(missing).toEqual([unknown, unlisted.agentId, ids[3]])
  })

  test('reads the listings themselves: a change shows at once, and an offline agent is missing', async () => {
    const { world, agents, caller } = await roomOf(4)
    const [, other, offline] = agents as [TestAgent, TestAgent, TestAgent, TestAgent]
    await call(world, 'unlinkChannel', other.claims, { channel: 'telegram' })
    const asked = { agentIds: [other.agentId, offline.agentId] }
    expect(await fetch(world, caller.claims, asked)).toMatchObject({ missing: [other.agentId] })
    world.clock.advance(2 * dayMs)
    await call(world, 'heartbeat', caller.claims)
    expect(await fetch(world, caller.claims, asked)).toMatchObject({ agents: [{ agentId: offline.agentId }] })
    world.clock.advance(1)
    expect(await fetch(world, caller.claims, asked)).toEqual({ agents: [], missing: asked.agentIds })
  })

  test('counts every id asked for, missing or not, and refuses a whole call above the budget', async () => {
    const { world, agents, caller } = await roomOf(4)
    setBudget(world, caller, { fetched: 1_997 })
    const agentIds = [agents[1]?.agentId ?? '', world.ports.vault.uuid()]
    await fetch(world, caller.claims, { agentIds })
    expect(await refusalOf(fetch(world, caller.claims, { agentIds }))).toMatchObject({
      code: 'resource-exhausted',
      message: "Today's budget has only 1 left. Ask for fewer, or wait until 00:00 UTC.",
      details: { retryAfterSeconds: 12 * 3_600 },
    })
    expect(await fetch(world, caller.claims, { agentIds: agentIds.slice(1) })).toEqual({
      agents: [],
      missing: agentIds.slice(1),
    })
    expect((await refusalOf(fetch(world, caller.claims, { agentIds: agentIds.slice(1) }))).message).toBe(
      "This agent has used today's budget. Wait until 00:00 UTC.",
    )
    expect(await look(world, world.newInstance(), caller.claims)).toMatchObject({ room: 'dating' })
  })

  test('is not exceeded by concurrent calls', async () => {
    const { world, agents, caller } = await roomOf(3)
    setBudget(world, caller, { fetched: 1_990 })
    const agentIds = agents.map(({ agentId }) => agentId)
    const calls = await Promise.allSettled(Array.from({ length: 12 }, () => fetch(world, caller.claims, { agentIds })))
    const served = calls.filter(({ status }) => status === 'fulfilled').length
    expect(served).toBeGreaterThan(0)
    expect(served).toBeLessThanOrEqual(3)
  })
})
