import { dayMs, minuteMs, secondMs } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
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

const noon = Date.UTC(2026, 10, 21, 12)
const profile = profileIn('gcpv')

describe('publishing', () => {
  test('replaces the whole listing, and floors its times to the day', async () => {
    const world = createWorld(noon)
    const { claims, agentId } = await register(world)
    world.clock.advance(dayMs)
    await call(world, 'publishProfile', claims, { channels, profile })
    world.clock.advance(dayMs)
    const next = { channels: { discord: '100000000000000001' }, profile: { ...profile, age: 41, area: 'u1' } }
    const { published, withheld } = await call(world, 'publishProfile', claims, next)
    expect(withheld).toEqual([])
    expect(published).toEqual({
      agentId,
      category: 'dating',
      ...next,
      presence: {
        registeredAtMs: noon - dayMs / 2,
        publishedAtMs: noon + 1.5 * dayMs,
        lastSeenAtMs: noon + 1.5 * dayMs,
      },
    })
    expect(storedAt(world, `mcpDirectory/dating/agents/${agentId}`)).toEqual(published)
  })

  test('withholds what was unlinked, and says since when; all of it withheld leaves no listing', async () => {
    const world = createWorld(noon)
    const agent = await registerListed(world, channels)
    await call(world, 'unlinkChannel', agent.claims, { channel: 'whatsapp' })
    world.clock.advance(minuteMs)
    const withheld = [{ channel: 'whatsapp', unlinkedAtMs: noon }]
    expect(await call(world, 'publishProfile', agent.claims, { channels, profile })).toMatchObject({
      published: { channels: { telegram: channels.telegram } },
      withheld,
    })
    const only = { channels: { whatsapp: channels.whatsapp }, profile }
    expect(await call(world, 'publishProfile', agent.claims, only)).toEqual({ published: null, withheld })
    expect([...world.store.all().keys()]).not.toContain(`mcpDirectory/dating/agents/${agent.agentId}`)
    await call(world, 'relinkChannel', await openSettings(world, agent), { channel: 'whatsapp' })
    expect(await call(world, 'publishProfile', agent.claims, only)).toMatchObject({ published: only, withheld: [] })
  })

  test('is allowed 60 times at once, then once a minute, and says in how many seconds', async () => {
    const world = createWorld(noon)
    const { claims } = await register(world)
    const publish = () => call(world, 'publishProfile', claims, { channels, profile })
    for (let times = 0; times < 60; times += 1) await publish()
    const refusal = { code: 'resource-exhausted', details: { retryAfterSeconds: 60 } }
    expect(await refusalOf(publish())).toMatchObject(refusal)
    world.clock.advance(59 * secondMs + 1)
    expect(await refusalOf(publish())).toMatchObject({ details: { retryAfterSeconds: 1 } })
    world.clock.advance(secondMs - 1)
    await publish()
    expect(await refusalOf(publish())).toMatchObject(refusal)
    world.clock.advance(10 * minuteMs)
    for (let times = 0; times < 10; times += 1) await publish()
    expect(await refusalOf(publish())).toMatchObject(refusal)
    world.clock.advance(60 * minuteMs)
    for (let times = 0; times < 60; times += 1) await publish()
    expect(await refusalOf(publish())).toMatchObject(refusal)
  })

  test('stores no finer time than a minute, except of the publish that uses the allowance up', async () => {
    const world = createWorld(noon + 17 * secondMs + 123)
    const { claims, agentId } = await register(world)
    const publish = () => call(world, 'publishProfile', claims, { channels, profile })
    const numbers = (value: unknown): number[] =>
      typeof value === 'number'
        ? [value]
        : typeof value === 'object' && value !== null
          ? Object.values(value).flatMap(numbers)
          : []
    const fineTimes = () =>
      [`accounts/${agentId}`, `mcpDirectory/dating/agents/${agentId}`, `changes/${agentId}`]
        .flatMap((path) => numbers(storedAt(world, path)))
        .filter((number) => number > noon - dayMs && number % minuteMs !== 0)
    for (let times = 1; times < 60; times += 1) {
      await publish()
      expect([times, fineTimes()]).toEqual([times, []])
      world.clock.advance(secondMs / 7)
    }
    await publish()
    expect(fineTimes()).toHaveLength(1)
    world.clock.advance(2 * minuteMs)
    await publish()
    expect(fineTimes()).toEqual([])
  })

  test.each([0, 1, 30 * secondMs, minuteMs - 1])(
    'is allowed 60 times in 50 s and no 61st time, wherever in the minute it begins (%i ms)',
    async (phaseMs) => {
      const world = createWorld(noon + phaseMs)
      const { claims } = await register(world)
      for (let times = 0; times < 60; times += 1) {
        await call(world, 'publishProfile', claims, { channels, profile })
        world.clock.advance((50 * secondMs) / 60)
      }
      expect(await refusalOf(call(world, 'publishProfile', claims, { channels, profile }))).toMatchObject({
        code: 'resource-exhausted',
      })
    },
  )

  test('costs nothing when the input is refused', async () => {
    const world = createWorld(noon)
    const { claims, agentId } = await register(world)
    const before = storedAt(world, `accounts/${agentId}`)
    for (const input of [{}, { channels: {}, profile }, { channels: { whatsapp: '00447700900123' }, profile }]) {
      expect(await refusalOf(call(world, 'publishProfile', claims, input))).toMatchObject({ code: 'invalid-argument' })
    }
    expect(storedAt(world, `accounts/${agentId}`)).toEqual(before)
  })

  test('goes on, once a minute, after the clock that kept the allowance went back', async () => {
    const world = createWorld(noon)
    const { claims } = await register(world)
    const publish = () => call(world, 'publishProfile', claims, { channels, profile })
    await publish()
    world.clock.jump(-dayMs)
    await publish()
    expect(await refusalOf(publish())).toMatchObject({ details: { retryAfterSeconds: 60 } })
    world.clock.advance(minuteMs)
    await publish()
  })

  test('lets the allowance through and no more when 80 are sent at once', async () => {
    const world = createWorld(noon)
    const { claims } = await register(world)
    for (let times = 0; times < 50; times += 1) await call(world, 'publishProfile', claims, { channels, profile })
    const racing = await Promise.allSettled(
      Array.from({ length: 80 }, () => call(world, 'publishProfile', claims, { channels, profile })),
    )
    expect(racing.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(10)
    expect(racing.some(({ status }) => status === 'fulfilled')).toBe(true)
  })
})

describe('a heartbeat', () => {
  test('writes on the first call of a day only, and tells until when the agent is online', async () => {
    const world = createWorld(noon)
    const { claims, agentId } = await registerListed(world, channels)
    const listingPath = `mcpDirectory/dating/agents/${agentId}`
    const first = [...world.store.all()]
    const today = { lastSeenAtMs: noon - dayMs / 2, onlineUntilMs: noon + 2 * dayMs }
    expect(await call(world, 'heartbeat', claims)).toEqual(today)
    expect([...world.store.all()]).toEqual(first)
    world.clock.advance(dayMs / 2)
    const tomorrow = { lastSeenAtMs: noon + dayMs / 2, onlineUntilMs: noon + 3 * dayMs }
    expect(await call(world, 'heartbeat', claims)).toEqual(tomorrow)
    expect(storedAt(world, listingPath).presence).toMatchObject({ lastSeenAtMs: tomorrow.lastSeenAtMs })
    const written = [...world.store.all()]
    expect(await call(world, 'heartbeat', claims)).toEqual(tomorrow)
    world.clock.jump(-dayMs)
    expect(await call(world, 'heartbeat', claims)).toEqual(tomorrow)
    expect([...world.store.all()]).toEqual(written)
  })

  test('writes the listing and its change, and leaves the account as it is', async () => {
    const world = createWorld(noon)
    const { claims, agentId } = await registerListed(world, channels)
    await call(world, 'unlinkChannel', claims, { channel: 'telegram' })
    const before = storedAt(world, `accounts/${agentId}`)
    world.clock.advance(dayMs)
    await call(world, 'heartbeat', claims)
    expect(storedAt(world, `accounts/${agentId}`)).toEqual(before)
    // What is waited for already, and where the agent is in the shards, stay in the change.
    expect(storedAt(world, `changes/${agentId}`)).toMatchObject({ from: null, to: profile.area, unlinked: true })
  })

  test('creates no listing', async () => {
    const world = createWorld(noon)
    const { claims } = await register(world)
    const before = world.store.all()
    expect(await refusalOf(call(world, 'heartbeat', claims))).toMatchObject({ code: 'failed-precondition' })
    await call(world, 'publishProfile', claims, { channels: { telegram: channels.telegram }, profile })
    await call(world, 'unlinkChannel', claims, { channel: 'telegram' })
    expect(await refusalOf(call(world, 'heartbeat', claims))).toMatchObject({ code: 'failed-precondition' })
    expect([...before.keys()].filter((path) => path.startsWith('mcpDirectory/'))).toEqual([])
  })
})
