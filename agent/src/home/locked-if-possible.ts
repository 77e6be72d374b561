import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'
import { listingWaitMs } from './home.ts'

/** Does work that must not fail for lack of the listing's lock, as unlinking: the directory orders requests anyway. */
export async function lockedIfPossible<T>(
  { home, signal }: Pick<Context, 'home' | 'signal'>,
  work: () => Promise<T>,
): Promise<T> {
  const lock = { isHeld: false }
  const whileHeld = () => {
    lock.isHeld = true
    return work()
  }
  try {
    return await home.locked('listing', { ms: listingWaitMs, signal }, whileHeld)
  } catch (error) {
    if (lock.isHeld || signal.aborted || !(error instanceof UserError)) throw error
    return work()
  }
}
