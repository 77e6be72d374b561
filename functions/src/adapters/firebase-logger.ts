import { DirectoryError } from '@koko/contract'
import * as logger from 'firebase-functions/logger'

/** Logs the kind of an error and where in the code it was thrown; never its message, which can quote personal data. */
export function logFault(error: unknown): void {
  const cause = error instanceof DirectoryError && error.cause instanceof Error ? error.cause : error
  const { name, code, stack }: { name?: string; code?: unknown; stack?: string } = cause instanceof Error ? cause : {}
  logger.error('fault', {
    name,
    code: typeof code === 'string' || typeof code === 'number' ? code : undefined,
    at: stack
      ?.split('\n')
      .filter((line) => /^\s+at /.test(line))
      .slice(0, 8),
  })
}
