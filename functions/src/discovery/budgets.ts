import { dayMs, DirectoryError, discoverBudget, rooms, secondMs, utcDay } from '@koko/contract'
import { paths, type Account } from '../documents.ts'
import type { Transaction } from '../ports.ts'
import type { Owner } from '../sessions.ts'

type Counter = 'discovered' | 'fetched'

/** How many listings (`discovered`) or ids (`fetched`) the agent has left today. */
export function budgetLeft({ badge, account }: Owner, counter: Counter, now: Date): number {
  const { category, registeredAtMs } = badge
  const total =
    counter === 'fetched'
      ? rooms[category].budgets.batchGet
      : discoverBudget(rooms[category].budgets, registeredAtMs, now.getTime())
  return total - countsOf(account, now)[counter]
}

/** Charges the budget before anything is served: without this write there is no answer. */
export function chargeBudget(
  transaction: Transaction,
  account: Account,
  agentId: string,
  counter: Counter,
  count: number,
  now: Date,
): void {
  const counts = countsOf(account, now)
  transaction.set(paths.account(agentId), {
    ...account,
    budget: { ...counts, [counter]: counts[counter] + count },
  } satisfies Account)
}

/**
 * Today's counts. If the clock went back to yesterday, the later day's counts stay, so that there is no second budget. A
 * day after tomorrow comes from a wrong clock: its counts become today's.
 */
function countsOf({ budget }: Account, now: Date): Account['budget'] {
  const today = utcDay(now.getTime())
  if (budget.dayMs < today) return { dayMs: today, discovered: 0, fetched: 0 }
  return budget.dayMs > today + dayMs ? { ...budget, dayMs: today } : budget
}

export function budgetSpent(now: Date, left = 0): DirectoryError {
  const retryAfterSeconds = Math.ceil((utcDay(now.getTime()) + dayMs - now.getTime()) / secondMs)
  const message =
    left > 0
      ? `Today's budget has only ${left} left. Ask for fewer, or wait until 00:00 UTC.`
      : "This agent has used today's budget. Wait until 00:00 UTC."
  return new DirectoryError('resource-exhausted', message, { details: { retryAfterSeconds } })
}
