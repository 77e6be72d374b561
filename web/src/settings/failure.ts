import { formatDuration, secondMs } from '@koko/contract'
import type { LinkState } from './session.ts'
import { fill, strings } from './strings.ts'

/** Why a session is over: its time has passed, its sign-in is refused, or its agent is not registered. */
type Ending = 'ended' | 'refused' | 'removed'

/** What the page shows after a session. */
export type LastStage =
  | { name: 'over'; why: Ending | 'signedOut' }
  | { name: 'gone'; checked: { path: string; found: boolean | null }[]; outOfAnswersAtMs: number }

// Errors are distinguished by their code alone: loading the contract's is too much before a link is opened.

/** What the page says about a failed change, and what to do. */
export function changeFailure(error: unknown): string {
  switch (fieldsOf(error).code) {
    case 'unavailable':
      return strings.failure.unanswered
    case 'resource-exhausted':
      return `${strings.failure.limited} ${retryHint(error)}`
    case 'aborted':
      return strings.failure.conflict
    default:
      return strings.failure.other
  }
}

/** What the page says about a failed opening, and whether trying again can help; null if the link is spent. */
export function openingFailure(error: unknown, link: LinkState): { text: string; retry: boolean } | null {
  const { code } = fieldsOf(error)
  const isUnanswered = code === 'unavailable' || code === 'aborted'
  if (code === 'not-found') return null
  if (link === 'used' && code !== 'unavailable') return { text: strings.failed.signInFailed, retry: false }
  if (link === 'used') return { text: strings.failed.halfOpen, retry: true }
  if (code === 'resource-exhausted') return { text: `${strings.failed.limited} ${retryHint(error)}`, retry: true }
  if (!isUnanswered) return { text: strings.failed.other, retry: true }
  return { text: link === 'unused' ? strings.failed.unreachable : strings.failed.unanswered, retry: true }
}

/** How the session has ended, where a failure shows that it has. */
export function endingOf(error: unknown, isPast: boolean): Ending | null {
  switch (fieldsOf(error).code) {
    case 'unauthenticated':
      return isPast ? 'ended' : 'refused'
    // The page makes only calls that a settings session may make, until its time has passed.
    case 'permission-denied':
      return 'ended'
    case 'not-found':
      return 'removed'
    default:
      return null
  }
}

/** True if there was no answer: the browser's word alone does not show that there is no connection. */
export function isUnanswered(error: unknown): boolean {
  return fieldsOf(error).code === 'unavailable'
}

/** When to try again, if the error says so. */
export function retryHint(error: unknown): string {
  const { retryAfterSeconds } = fieldsOf(fieldsOf(error).details)
  if (typeof retryAfterSeconds !== 'number') return strings.failure.retryLater
  return fill(strings.failure.retryIn, { wait: formatDuration(Math.max(1, Math.ceil(retryAfterSeconds)) * secondMs) })
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
