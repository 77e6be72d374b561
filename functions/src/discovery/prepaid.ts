import { utcDay } from '@koko/contract'
import { maxPrepaidCallers } from '../limits.ts'

/** How many listings each caller has paid for that this instance has not served yet. There is no refund. */
export interface Prepaid {
  /** Takes the caller's whole count of today, so that no other page uses it too. */
  take: (agentId: string, now: Date) => number
  /** Returns what a page did not need. */
  put: (agentId: string, count: number, now: Date) => void
}

export function createPrepaid(): Prepaid {
  const callers = new Map<string, { dayMs: number; count: number }>()

  function take(agentId: string, now: Date): number {
    const kept = callers.get(agentId)
    callers.delete(agentId)
    return kept?.dayMs === utcDay(now.getTime()) ? kept.count : 0
  }

  return {
    take,
    put(agentId, count, now) {
      if (count === 0) return
      callers.set(agentId, { dayMs: utcDay(now.getTime()), count: count + take(agentId, now) })
      for (const oldest of callers.keys()) {
        if (callers.size <= maxPrepaidCallers) break
        callers.delete(oldest)
      }
    },
  }
}
