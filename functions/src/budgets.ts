import { DirectoryError, rooms, type Badge } from '@koko/contract'
import type { Account } from './documents.ts'
import { paths } from './documents.ts'
import { day, second } from './limits.ts'
import { utcDay } from './listing-change.ts'
import type { Transaction } from './ports.ts'

type Counter = 'discovered' | 'fetched'

/** How many listings (`discovered`) or ids (`fetched`) the agent has left today. */
export function budgetLeft(
  { badge, account }: { badge: Badge; account: Account },
  counter: Counter,
  now: Date,
): number {
  const { discoverNewcomer, discover, batchGet, newcomerMs } = rooms[badge.category].budgets
  const isNewcomer = now.getTime() - badge.registeredAtMs < newcomerMs
  const total = counter === 'fetched' ? batchGet : isNewcomer ? discoverNewcomer : discover
  return total - (account.budget.dayMs >= utcDay(now) ? account.budget[counter] : 0)
}

/** Takes from the budget inside a transaction, before anything is served. It fails closed: no write, no answer. */
export function chargeBudget(
  transaction: Transaction,
  account: Account,
  agentId: string,
  counter: Counter,
  count: number,
  now: Date,
): void {
  // A clock that went back must not give a second budget.
  const dayMs = Math.max(account.budget.dayMs, utcDay(now))
  const budget = account.budget.dayMs === dayMs ? account.budget : { dayMs, discovered: 0, fetched: 0 }
  transaction.set(paths.account(agentId), {
    ...account,
    budget: { ...budget, [counter]: budget[counter] + count },
  } satisfies Account)
}

export function budgetSpent(now: Date): DirectoryError {
  const retryAfterSeconds = Math.ceil((utcDay(now) + day - now.getTime()) / second)
  return new DirectoryError(
    'resource-exhausted',
    "Today's budget of this agent is spent. It is whole again at 00:00 UTC.",
    {
      details: { retryAfterSeconds },
    },
  )
}
