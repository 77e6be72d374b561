import { fill, strings } from './strings.ts'

/** A failed call in words, with what to do. Errors are told apart by their code alone: loading the contract costs. */
export function inWords(error: unknown): string {
  const { code, details } = fieldsOf(error)
  switch (code) {
    case 'unavailable':
      return strings.failure.unreachable
    case 'resource-exhausted':
      return fill(strings.failure.limited, { seconds: Number(fieldsOf(details).retryAfterSeconds ?? 60) })
    case 'aborted':
      return strings.failure.conflict
    case 'unauthenticated':
    case 'permission-denied':
      return strings.failure.over
    default:
      return strings.failure.other
  }
}

/** A failed opening in words, and whether the same link can be tried again. */
export function openingInWords(error: unknown): { text: string; retry: boolean } {
  switch (fieldsOf(error).code) {
    case 'not-found':
      return { text: strings.failed.spent, retry: false }
    case 'unavailable':
      return { text: strings.failed.unreachable, retry: true }
    case 'resource-exhausted':
    case 'aborted':
      return { text: strings.failed.limited, retry: true }
    default:
      return { text: strings.failed.other, retry: true }
  }
}

/** True where the session cannot do anything any more. */
export function isOver(error: unknown): boolean {
  const { code } = fieldsOf(error)
  return code === 'unauthenticated' || code === 'permission-denied'
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
