import type { LinkState } from './session.ts'
import { fill, strings } from './strings.ts'

/** Why a session is over: its time has passed, it opens nothing any more, or its agent is not registered any more. */
export type Ending = 'ended' | 'refused' | 'removed'

/** A failed call in words, with what to do. Errors are told apart by their code alone: loading the contract costs. */
export function inWords(error: unknown): string {
  switch (fieldsOf(error).code) {
    case 'unavailable':
      return strings.failure.unreachable
    case 'resource-exhausted':
      return fill(strings.failure.limited, { seconds: secondsOf(error) })
    case 'aborted':
      return strings.failure.conflict
    default:
      return strings.failure.other
  }
}

/** A failed opening in words, and whether trying again can help. */
export function openingInWords(error: unknown, link: LinkState): { text: string; retry: boolean } {
  const { code } = fieldsOf(error)
  if (code === 'not-found') return { text: strings.failed.spent, retry: false }
  if (link === 'used') {
    return code === 'unavailable'
      ? { text: strings.failed.halfOpen, retry: true }
      : { text: strings.failed.signInRefused, retry: false }
  }
  switch (code) {
    case 'resource-exhausted':
      return { text: fill(strings.failed.limited, { seconds: secondsOf(error) }), retry: true }
    case 'unavailable':
    case 'aborted':
      return { text: link === 'whole' ? strings.failed.unreachable : strings.failed.unanswered, retry: true }
    default:
      return { text: strings.failed.other, retry: true }
  }
}

/** How the session has ended, where a failure says that it has. */
export function endingOf(error: unknown, isPast: boolean): Ending | null {
  switch (fieldsOf(error).code) {
    case 'unauthenticated':
    case 'permission-denied':
      return isPast ? 'ended' : 'refused'
    case 'not-found':
      return 'removed'
    default:
      return null
  }
}

function secondsOf(error: unknown): number {
  const { retryAfterSeconds } = fieldsOf(fieldsOf(error).details)
  return typeof retryAfterSeconds === 'number' ? Math.max(1, Math.ceil(retryAfterSeconds)) : 60
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
