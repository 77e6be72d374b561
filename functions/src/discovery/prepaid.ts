import { prepaidCallers } from '../limits.ts'
import { utcDay } from '../directory/listing-change.ts'

/**
 * Listings that callers' budgets have paid for and that this instance has not served yet. What it never serves is lost
 * to its caller for the day; nothing is served that was not paid for.
 */
export interface Prepaid {
  /** Takes all there is for the caller today, so that no other page can. */
  take: (agentId: string, now: Date) => number
  /** Gives back what a page did not need. */
  put: (agentId: string, count: number, now: Date) => void
}

export function createPrepaid(): Prepaid {
  const callers = new Map<string, { dayMs: number; count: number }>()

  function take(agentId: string, now: Date): number {
    const kept = callers.get(agentId)
    callers.delete(agentId)
    return kept?.dayMs === utcDay(now) ? kept.count : 0
  }

  return {
    take,
    put(agentId, count, now) {
      if (count === 0) return
      callers.set(agentId, { dayMs: utcDay(now), count: count + take(agentId, now) })
      for (const oldest of callers.keys()) {
        if (callers.size <= prepaidCallers) break
        callers.delete(oldest)
      }
    },
  }
}
