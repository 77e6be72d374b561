import { UserError } from '../errors.ts'
import { listingWaitMs, type Home } from './home.ts'

/** Does work that must not fail for lack of the listing's lock, as unlinking: the directory orders requests anyway. */
export async function lockedIfPossible<T>({ home }: { home: Home }, work: () => Promise<T>): Promise<T> {
  const lock = { isHeld: false }
  try {
    return await home.locked('listing', listingWaitMs, () => {
      lock.isHeld = true
      return work()
    })
  } catch (error) {
    if (lock.isHeld || !(error instanceof UserError)) throw error
    return work()
  }
}
