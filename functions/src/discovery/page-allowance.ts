import { minuteMs } from '@koko/contract'
import { tooOften } from '../allowances.ts'
import { maxPagesPerMinute, maxPrepaidCallers } from '../limits.ts'

/** The pages of callers on one instance, exactly, so that none gets more than `maxPagesPerMinute` in any minute. */
export interface PageAllowance {
  /** Throws `resource-exhausted` if the caller has no page left. Counts nothing. */
  assertLeft: (agentId: string) => void
  /** Counts a page, once the caller is known to be the agent. Throws `resource-exhausted`. */
  count: (agentId: string) => void
}

export function createPageAllowance(monotonicMs: () => number): PageAllowance {
  /** When each caller asked for its last pages, the one that asked longest ago first. */
  const callers = new Map<string, number[]>()

  /** The caller's pages of the last minute. Throws if no other may follow. */
  function recentOf(agentId: string, nowMs: number): number[] {
    const recent = (callers.get(agentId) ?? []).filter((atMs) => nowMs - atMs < minuteMs)
    const [first] = recent
    if (first === undefined || recent.length < maxPagesPerMinute) return recent
    throw tooOften('pages in a minute', first + minuteMs - nowMs)
  }

  return {
    assertLeft: (agentId) => void recentOf(agentId, monotonicMs()),
    count(agentId) {
      const nowMs = monotonicMs()
      const recent = recentOf(agentId, nowMs)
      callers.delete(agentId)
      callers.set(agentId, [...recent, nowMs])
      for (const oldest of callers.keys()) {
        if (callers.size <= maxPrepaidCallers) break
        callers.delete(oldest)
      }
    },
  }
}
