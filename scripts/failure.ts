import { Stopped, exitCodeOf } from './signals.ts'

/** An error that the person at the terminal can fix: only its message is printed, without a stack. */
export class Failure extends Error {
  override name = 'Failure'
}

/**
 * Prints an error and returns the exit status: 1 for a Failure, 2 for a bug, a shell's status after a signal. Ctrl-C also
 * ends the child processes, so that every error after `signal` has aborted is only its consequence.
 */
export function reportFailure(error: unknown, signal?: AbortSignal): number {
  const reason: unknown = signal?.aborted ? signal.reason : error
  if (reason instanceof Stopped) return exitCodeOf(reason.signal)
  if (error instanceof Failure) {
    console.error(error.message)
    return 1
  }
  console.error(error)
  return 2
}
