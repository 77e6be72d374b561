import { DirectoryError, secondMs } from '@koko/contract'
import { allowanceLimits, type Allowance, type AllowanceLimits } from './limits.ts'

/**
 * How often this instance lets somebody call. The counts are in its memory, because an allowance in the database would
 * cost more than most of the calls that it limits, and no address of a caller may be stored. A new instance has counted
 * nothing: `maxInstances` bounds what that allows.
 */
export interface Allowances {
  /**
   * Counts a call of an agent. Callers have checked the agent's secret or session before, so that nobody else can use up
   * its allowance. Throws `resource-exhausted`.
   */
  spend: (call: string, agentId: string) => void
  /** Counts a call for all callers together. Throws `resource-exhausted`. */
  spendAnonymous: (call: string) => void
}

export function createAllowances(
  monotonicMs: () => number,
  { perAgent, anonymous, maxAgents }: AllowanceLimits = allowanceLimits,
): Allowances {
  const ofAgents = createCounter(perAgent, maxAgents)
  const ofAnyone = createCounter(anonymous, Infinity)
  return {
    spend: (call, agentId) => ofAgents(`${call} ${agentId}`, monotonicMs()),
    spendAnonymous: (call) => ofAnyone(call, monotonicMs()),
  }
}

/** The refusal of what somebody may do again after this time. */
export function tooOften(what: string, waitMs: number): DirectoryError {
  const retryAfterSeconds = Math.ceil(waitMs / secondMs)
  return new DirectoryError('resource-exhausted', `Too many ${what}: try again in ${retryAfterSeconds} s.`, {
    details: { retryAfterSeconds },
  })
}

/** Counts each key's calls with the generic cell rate algorithm (ATM Forum TM 4.0). */
function createCounter({ burst, intervalMs }: Allowance, maxKeys: number) {
  /** When a key has its whole allowance again, the one that was used longest ago first. */
  const fullAtMs = new Map<string, number>()
  return (key: string, nowMs: number): void => {
    const nextMs = Math.max(fullAtMs.get(key) ?? 0, nowMs) + intervalMs
    const overMs = nextMs - nowMs - burst * intervalMs
    if (overMs > 0) throw tooOften('calls', overMs)
    fullAtMs.delete(key)
    fullAtMs.set(key, nextMs)
    for (const oldest of fullAtMs.keys()) {
      if (fullAtMs.size <= maxKeys) break
      fullAtMs.delete(oldest)
    }
  }
}
