import { expect, test } from '@jest/globals'
import { secondMs } from '@koko/contract'
import { setImmediate } from 'node:timers/promises'
import { createDiscoveryView } from './view.ts'
import { republishDiscovery } from './republish.ts'
import { viewRefreshAgeMs } from '../limits.ts'
import { createWorld, registerListed, type World } from '../../../testing/world.ts'

/** A directory with one listed agent, and an instance whose reads can hang. */
async function createHangingInstance() {
  const world = createWorld(Date.UTC(2026, 10, 21, 12))
  await publish(world)
  const gate = { isClosed: false, waiting: [] as (() => void)[] }
  const view = createDiscoveryView(
    world.through(() => {
      return gate.isClosed ? new Promise((resolve) => gate.waiting.push(resolve)) : Promise.resolve()
    }),
  )
  return { world, view, gate }
}

async function publish(world: World): Promise<void> {
  await registerListed(world, { telegram: 'ann_reads' })
  await republishDiscovery(world.ports, world.clock.now)
}

test.each(['a new instance', 'an instance with a view'])(
  'a read that hangs holds up no later one, in %s',
  async (which) => {
    const { world, view, gate } = await createHangingInstance()
    if (which === 'an instance with a view') await view.current('dating')
    world.clock.advance(viewRefreshAgeMs + secondMs)
    gate.isClosed = true
    const hanging = view.current('dating')
    await setImmediate()
    gate.isClosed = false
    expect(gate.waiting).toHaveLength(1)
    world.clock.advance(2 * secondMs)
    expect((await view.current('dating')).manifest.shards).toHaveLength(1)
    for (const resume of gate.waiting) resume()
    await hanging
  },
)

test('requests that come together share one read, even while it hangs', async () => {
  const { view, gate } = await createHangingInstance()
  gate.isClosed = true
  const views = [view.current('dating'), view.current('dating'), view.current('dating')]
  await setImmediate()
  gate.isClosed = false
  expect(gate.waiting).toHaveLength(1)
  for (const resume of gate.waiting) resume()
  expect(new Set(await Promise.all(views)).size).toBe(1)
})

test('a read that ends late does not replace a newer view', async () => {
  const { world, view, gate } = await createHangingInstance()
  gate.isClosed = true
  const hanging = view.current('dating')
  await setImmediate()
  gate.isClosed = false
  expect(gate.waiting).toHaveLength(1)
  world.clock.advance(2 * secondMs)
  await publish(world)
  const newer = await view.current('dating')
  for (const resume of gate.waiting) resume()
  await hanging
  expect(await view.current('dating')).toBe(newer)
})
