import { UserError } from '../errors.ts'
import { listingWaitMs, type Home } from './home.ts'

/**
 * Does what takes back, holding the listing's lock where it can be had. Neither a disk that takes no lock nor another
 * koko that keeps it is a reason to leave anything with others: the directory orders what it is asked for by itself.
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
