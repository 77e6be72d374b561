import { exitCodeOf, Stopped, watchStopSignals } from './signals.ts'

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

/** Runs a script until it ends or a signal stops it. A number that it returns is the exit status. */
export async function runUntilStopped(script: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const signal = watchStopSignals()
  try {
    const status = await script(signal)
    if (typeof status === 'number') process.exitCode = status
  } catch (error) {
    process.exitCode = reportFailure(error, signal)
  }
}
