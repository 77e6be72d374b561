import { setImmediate } from 'node:timers/promises'
import type { OnAwait } from '../../testing/memory-store.ts'

/**
 * Runs tasks side by side, one step at a time: each stops at every call of its `OnAwait` until it is picked. `pick` selects
 * the waiting task that continues. A task that fails does not stop the others.
 */
export async function interleave<T>(
  tasks: readonly ((onAwait: OnAwait) => Promise<T>)[],
  pick: (waiting: number) => number,
): Promise<PromiseSettledResult<T>[]> {
  const waiting: (() => void)[] = []
  let running = tasks.length
  const onAwait = () => new Promise<void>((resolve) => void waiting.push(resolve))
  const settled = Promise.allSettled(
    tasks.map(async (task) => {
      try {
        return await task(onAwait)
      } finally {
        running -= 1
      }
    }),
  )
  while (running > 0) {
    // By then, every task that can continue without a pick has done so.
    await setImmediate()
    const [next] = waiting.splice(pick(waiting.length) % Math.max(1, waiting.length), 1)
    next?.()
  }
  return settled
}

/** An `OnAwait` that throws from its `count`th call on, as if the process were killed there. */
export function killAt(count: number): OnAwait & { killed: () => boolean } {
  let calls = 0
  const onAwait = () => {
    calls += 1
    return calls >= count ? Promise.reject(new Error('killed')) : Promise.resolve()
  }
  return Object.assign(onAwait, { killed: () => calls >= count })
}
