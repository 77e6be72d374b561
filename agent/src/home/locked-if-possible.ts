import { UserError } from '../errors.ts'
import { listingWaitMs, type Home } from './home.ts'

/**
 * Does work that unlinks or unregisters, with the listing's lock if it can be taken. Neither a disk that cannot hold a
 * lock nor another koko that holds it may prevent such work: the directory orders requests by itself.
 */
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
