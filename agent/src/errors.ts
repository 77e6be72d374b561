import { DirectoryError, type ErrorCode } from '@koko/contract/errors'
import { plain } from './output.ts'
import type { Problem } from './problem.ts'

/**
 * What kind of failure `--json` prints: the codes of the directory, and those of koko itself. `cancelled`: by the operator.
 * `confirmation-required`: there is nobody to ask, and no option answers. `data-loss`: a file of the home is damaged.
 */
export type ProblemCode = ErrorCode | 'cancelled' | 'confirmation-required' | 'data-loss'

/**
 * An expected failure: what happened, and as a hint what to do next. Never holds a handle, a secret, a token or a
 * profile. It can quote a directory, so control characters are removed.
 */
export class UserError extends Error {
  override readonly name = 'UserError'
  readonly hint: string
  readonly code: ProblemCode

  /** Without a code: that of the cause, or `failed-precondition`. */
  constructor(message: string, hint: string, { code, ...options }: { cause?: unknown; code?: ProblemCode } = {}) {
    super(plain(message), options)
    this.hint = plain(hint)
    this.code = code ?? (options.cause instanceof DirectoryError ? options.cause.code : 'failed-precondition')
  }

  /** As `--json`, MCP and the home's files hold it. */
  get problem(): Problem {
    return { message: this.message, next: this.hint }
  }
}

/** What the operator can do about a failure; null where it is a defect of koko. */
export function userErrorOf(error: unknown): UserError | null {
  if (error instanceof UserError) return error
  if (!(error instanceof DirectoryError)) return null
  if (error.cause instanceof UserError) return error.cause
  const message = messageOf(error)
  const options = { cause: error }
  switch (error.code) {
    case 'unavailable':
      return new UserError(
        message,
        'Nothing is lost. Try again later, or run `koko doctor` to see what is wrong.',
        options,
      )
    case 'unauthenticated':
      return new UserError(
        'The directory does not accept this agent: its secret was replaced, or the agent was removed.',
        'If the secret was replaced, run `koko restore` with the new one. If the agent was removed, run `koko init --again`.',
        options,
      )
    case 'resource-exhausted':
      return new UserError(message, `Run it again in ${formatSeconds(retryAfterSecondsOf(error) ?? 60)}.`, options)
    case 'aborted':
      return new UserError(message, 'Run it again.', options)
    case 'failed-precondition':
    case 'permission-denied':
    case 'not-found':
      return new UserError(message, '`koko doctor` shows what is wrong.', options)
    case 'internal':
      return new UserError(
        message,
        'Try again later. If it fails again, update koko, or ask the host of the directory.',
        options,
      )
    case 'invalid-argument':
      return null
  }
}

/** The message of an error, attributed to the directory where it is the directory's text: that can be anything. */
export function messageOf({ message, isQuoted }: DirectoryError): string {
  if (!isQuoted) return message
  const text = plain(message.slice(0, 10 * maxQuoted)).replaceAll('"', "'")
  return `The directory says: "${text.length > maxQuoted ? `${text.slice(0, maxQuoted)}...` : text}"`
}

const maxQuoted = 250

/** How long the directory asks to wait, at most a day: budgets reset within one. */
export function retryAfterSecondsOf({ details }: DirectoryError): number | undefined {
  if (details === undefined || !('retryAfterSeconds' in details)) return undefined
  return Math.min(24 * 60 * 60, Math.max(0, details.retryAfterSeconds))
}

function formatSeconds(seconds: number): string {
  if (seconds < 120) return `${seconds} seconds`
  if (seconds < 7_200) return `${Math.ceil(seconds / 60)} minutes`
  return `${Math.ceil(seconds / 3_600)} hours`
}

/** The stack of a defect without its message, which can hold a private value. */
export function formatDefect(error: unknown): string {
  const { message, stack } = defectOf(error)
  return [`${message} Please report this:`, ...stack.map((frame) => `    ${frame}`)].join('\n')
}

/** The same for `--json`. */
export function defectOf(error: unknown) {
  const [name, stack] = error instanceof Error ? [error.name, error.stack ?? ''] : ['Error', '']
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line))
  return {
    code: 'internal' as const,
    message: `koko had an internal error (${name}).`,
    next: 'Run it again. If it fails again, report it with this stack.',
    stack: frames.slice(0, 8).map((frame) => frame.trim()),
  }
}
