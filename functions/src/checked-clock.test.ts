import { dayMs, goneWithinMs, hourMs, minuteMs } from '@koko/contract'
import { expect, test } from '@jest/globals'
import { sampleChannels as channels } from '../../testing/samples.ts'
import {
  call,
  createWorld,
  openSettings,
  profileIn,
  refusalOf,
  registerListed,
  storedAt,
  type Claims,
  type TestAgent,
  type World,
} from '../../testing/world.ts'
import { withCheckedClock } from './checked-clock.ts'
import { departureDelayMs } from './limits.ts'

const startMs = Date.UTC(2026, 10, 21, 12)

/** The same directory, reached by a machine whose clock is ahead by so much. */
function withSkew({ ports, clock }: World, aheadMs: number): Pick<World, 'ports' | 'clock'> {
  const now = () => new Date(clock.now().getTime() + aheadMs)
  return { ports: { ...ports, store: withCheckedClock(ports.store, now) }, clock: { ...clock, now } }
}

async function listed(world: World): Promise<{ agent: TestAgent; settings: Claims }> {
  const agent = await registerListed(world, channels)
  return { agent, settings: await openSettings(world, agent) }
}

test.each([
  ['31 days ahead', 31 * dayMs, '31 days ahead of'],
  ['61 hours ahead', 61 * hourMs, '61 hours ahead of'],
  ['over a minute behind', -minuteMs - 1, '1 minute behind'],
  ['31 days behind', -31 * dayMs, '31 days behind'],
])('a machine whose clock is %s changes nothing, and says why', async (_, aheadMs, words) => {
  const world = createWorld(startMs)
  const { agent, settings } = await listed(world)
  const wrong = withSkew(world, aheadMs)
  const before = world.store.all()
  for (const work of [
    () => call(wrong, 'publishProfile', agent.claims, { channels, profile: profileIn('u173') }),
    () => call(wrong, 'heartbeat', agent.claims),
    () => call(wrong, 'createSettingsLink', agent.claims),
    ...(aheadMs > 0 ? [] : [() => call(wrong, 'relinkChannel', settings, { channel: 'telegram' })]),
  ]) {
    const { code, message } = await refusalOf(work())
    expect({ code, message }).toEqual({
      code: 'unavailable',
      message: `Nothing was changed, because the clock of the machine that runs this is ${words} the database's. Its owner must set the clock; then try again.`,
    })
  }
  expect(world.store.all()).toEqual(before)
})

test.each([31 * dayMs, 2 * minuteMs, -31 * dayMs])(
  'a machine whose clock is %d ms ahead refuses no unlink and no unregistration, and stores no time of its own',
  async (aheadMs) => {
    const world = createWorld(startMs)
    const { agent } = await listed(world)
    const wrong = withSkew(world, aheadMs)
    expect(await call(wrong, 'unlinkChannel', agent.claims, { channel: 'telegram' })).toEqual({
      channel: 'telegram',
      unlinkedAtMs: startMs,
      goneByMs: startMs + goneWithinMs,
    })
    const shown = storedAt(world, `mcpDirectory/dating/agents/${agent.agentId}`)
    expect(shown.channels).toEqual({ whatsapp: channels.whatsapp })
    await call(wrong, 'unregisterAgent', agent.claims)
    const left = [...world.store.all()].filter(([path]) => path.startsWith('departures/'))
    expect(left.map(([, { dueAtMs }]) => dueAtMs)).toEqual([startMs + departureDelayMs])
  },
)

test.each([0, minuteMs, -minuteMs])('a clock that is %d ms ahead is good enough', async (aheadMs) => {
  const world = createWorld(startMs)
  const { agent } = await listed(world)
  await call(withSkew(world, aheadMs), 'publishProfile', agent.claims, { channels, profile: profileIn('u173') })
})
