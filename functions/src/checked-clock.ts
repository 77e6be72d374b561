import { DirectoryError, formatDuration, minuteMs } from '@koko/contract'
import { maxClockSkewMs } from './limits.ts'
import type { Store } from './ports.ts'

/**
 * The store, for a machine whose clock may be wrong: a transaction throws `unavailable` at its first read, and so writes
 * nothing, if the clock differs from the database's by more than `maxClockSkewMs`. A wrong time that is stored would
 * remove agents from discovery, or delete them. A transaction that uses the database's time is not refused.
 */
export function withCheckedClock(store: Store, now: () => Date): Store {
  return {
    ...store,
    transaction(work, options) {
      if (options?.usesDatabaseTime === true) return store.transaction(work, options)
      return store.transaction(
        (transaction) =>
          work({
            ...transaction,
            async get(paths) {
              const found = await transaction.get(paths)
              if (paths.length > 0) assertClock(now(), transaction.readTime())
              return found
            },
          }),
        options,
      )
    },
  }
}

function assertClock(local: Date, databaseTime: Date): void {
  const aheadMs = local.getTime() - databaseTime.getTime()
  if (Math.abs(aheadMs) <= maxClockSkewMs) return
  const skew = formatDuration(Math.round(Math.abs(aheadMs) / minuteMs) * minuteMs)
  const message = `Nothing was changed, because the clock of the machine that runs this is ${skew} ${aheadMs > 0 ? 'ahead of' : 'behind'} the database's. Its owner must set the clock; then try again.`
  throw new DirectoryError('unavailable', message, { cause: new WrongClock() })
}

/** The log names an error by its code. */
class WrongClock extends Error {
  readonly code = 'wrong-clock'
}
