import { minuteMs } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
import type { CallableName } from '@koko/contract'
import {
  call,
  codeOf,
  createWorld,
  newSettingsCode,
  openSettings,
  pathsUnder,
  profileIn,
  refusalOf,
  register,
  replaceSecret,
  type World,
} from '../../../testing/world.ts'

const noon = Date.UTC(2026, 10, 21, 12)

function redeem(world: World, code: string) {
  return call(world, 'redeemSettingsLink', undefined, { code })
}

describe('a settings link', () => {
  test('has its code in the fragment, 43 characters of base64url, and the code is stored nowhere', async () => {
    const world = createWorld(noon)
    const { claims } = await register(world)
    const { url, expiresAtMs } = await call(world, 'createSettingsLink', claims)
    expect(url).toMatch(/^https:\/\/directory\.example\/settings#code=[A-Za-z0-9_-]{43}$/)
    expect(expiresAtMs).toBe(noon + 10 * minuteMs)
    expect(JSON.stringify([...world.store.all()])).not.toContain(codeOf(url))
  })

  test('opens once, for ten minutes, and only while it is the last', async () => {
    const world = createWorld(noon)
    const agent = await register(world)
    const create = () => newSettingsCode(world, agent)
    const [first, second] = [await create(), await create()]
    expect(await refusalOf(redeem(world, first))).toMatchObject({ code: 'not-found' })
    await redeem(world, second)
    expect(await refusalOf(redeem(world, second))).toMatchObject({ code: 'not-found' })
    const third = await create()
    world.clock.advance(10 * minuteMs - 1)
    await redeem(world, third)
    const fourth = await create()
    world.clock.advance(10 * minuteMs)
    expect(await refusalOf(redeem(world, fourth))).toMatchObject({ code: 'not-found' })
    for (const code of ['', 'x', 'x'.repeat(43), '../agents']) {
      expect(await refusalOf(redeem(world, code))).toMatchObject({ code: 'not-found' })
    }
    expect(pathsUnder(world, 'settingsLinks/')).toEqual([])
  })

  test('opens for exactly one of twelve concurrent calls', async () => {
    const world = createWorld(noon)
    const code = await newSettingsCode(world, await register(world))
    const opened = await Promise.allSettled(Array.from({ length: 12 }, () => redeem(world, code)))
    expect(opened.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('is not even looked for if it cannot be a code', async () => {
    const world = createWorld(noon)
    const withoutStore = { ...world, ports: { ...world.ports, store: {} as never } }
    for (const code of ['', 'x', 'x'.repeat(42), 'x'.repeat(44), 'x'.repeat(60_000), `${'x'.repeat(42)}/`]) {
      expect(await refusalOf(redeem(withoutStore, code))).toMatchObject({ code: 'not-found' })
    }
  })

  test('is void once the secret was changed or the agent removed', async () => {
    const world = createWorld(noon)
    const agent = await register(world)
    const code = await newSettingsCode(world, agent)
    await replaceSecret(world, agent)
    expect(await refusalOf(redeem(world, code))).toMatchObject({ code: 'not-found' })
    const other = await register(world)
    const otherCode = await newSettingsCode(world, other)
    await call(world, 'unregisterAgent', other.claims)
    expect(await refusalOf(redeem(world, otherCode))).toMatchObject({ code: 'not-found' })
  })
})

test('a settings session opened after the secret changed belongs to the new secret', async () => {
  const world = createWorld(noon)
  const agent = await register(world)
  const claims = await replaceSecret(world, agent)
  const settings = await openSettings(world, { ...agent, claims })
  await call(world, 'exportAgent', settings)
})

describe('a settings session', () => {
  const inputs: Partial<Record<CallableName, unknown>> = {
    publishProfile: { channels: { telegram: 'alice_a' }, profile: profileIn('gcpv') },
    unlinkChannel: { channel: 'whatsapp' },
    relinkChannel: { channel: 'whatsapp' },
  }

  test.each(['exportAgent', 'unlinkChannel', 'relinkChannel', 'unregisterAgent'] as const)(
    'may call %s, for 30 minutes',
    async (name) => {
      const world = createWorld(noon)
      const agent = await register(world)
      const settings = await openSettings(world, agent)
      expect(settings).toMatchObject({ settings: true, untilMs: noon + 30 * minuteMs })
      world.clock.advance(30 * minuteMs - 1)
      const later = { ...settings, auth_time: 0, iat: Math.floor(world.clock.now().getTime() / 1_000) }
      await call(world, name, later, inputs[name] ?? {})
      world.clock.advance(1)
      expect(await refusalOf(call(world, name, later, inputs[name] ?? {}))).toMatchObject({ code: 'permission-denied' })
    },
  )

  test.each(['publishProfile', 'heartbeat', 'rotateSecret', 'createSettingsLink'] as const)(
    'may not call %s',
    async (name) => {
      const world = createWorld(noon)
      const agent = await register(world)
      const settings = await openSettings(world, agent)
      const before = world.store.all()
      const called = call(world, name, settings, inputs[name] ?? {})
      expect(await refusalOf(called)).toMatchObject({ code: 'permission-denied' })
      expect(world.store.all()).toEqual(before)
    },
  )

  test('without an end time is over', async () => {
    const world = createWorld(noon)
    const { claims } = await register(world)
    const endless = { ...claims, settings: true }
    expect(await refusalOf(call(world, 'exportAgent', endless))).toMatchObject({ code: 'permission-denied' })
  })
})
