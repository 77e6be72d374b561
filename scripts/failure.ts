import { Stopped, exitCodeOf } from './signals.ts'

/** Something the person at the terminal can mend: its message is printed alone, without a stack. */
export class Failure extends Error {
  override name = 'Failure'
}

/**
 * Prints what went wrong and answers the exit status: 1 for what was to be expected, 2 for a bug, a shell's for what a
 * signal has stopped. Ctrl-C also ends the programs that are just being asked for something: once `signal` has aborted,
 * no error tells more than that.
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
