import { DirectoryError, minuteMs, secondMs } from '@koko/contract'
import { maxPagesPerMinute, maxPrepaidCallers } from '../limits.ts'

/**
 * Counts a caller's pages on one instance, exactly, so that none gets more than `maxPagesPerMinute` in any minute. Throws
 * `resource-exhausted`.
 */
export type PageAllowance = (agentId: string) => void

export function createPageAllowance(monotonicMs: () => number): PageAllowance {
  /** When each caller asked for its last pages, the one that asked longest ago first. */
  const callers = new Map<string, number[]>()

  return (agentId) => {
    const nowMs = monotonicMs()
    const recent = (callers.get(agentId) ?? []).filter((atMs) => nowMs - atMs < minuteMs)
    const [first] = recent
    if (first !== undefined && recent.length >= maxPagesPerMinute) {
      const retryAfterSeconds = Math.ceil((first + minuteMs - nowMs) / secondMs)
      throw new DirectoryError(
        'resource-exhausted',
        `Too many pages in a minute: try again in ${retryAfterSeconds} s.`,
        {
          details: { retryAfterSeconds },
        },
      )
    }
    callers.delete(agentId)
    callers.set(agentId, [...recent, nowMs])
    for (const oldest of callers.keys()) {
      if (callers.size <= maxPrepaidCallers) break
      callers.delete(oldest)
    }
  }
}
