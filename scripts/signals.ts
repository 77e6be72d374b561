import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
type StopSignal = (typeof SIGNALS)[number]

/** The error of an operation that a signal stopped. */
export class Stopped extends Error {
  override name = 'Stopped'
  readonly signal: StopSignal

  constructor(signal: StopSignal) {
    super(`stopped by ${signal}`)
    this.signal = signal
  }
}

/** How often to check whether the parent, which is npm, was killed. */
const PARENT_CHECK_MS = 1_000

/**
 * Aborts with a Stopped at the first signal to stop, or when the parent process is gone. npm and the terminal often signal
 * twice, so a signal does not end this process directly.
 */
export function watchStopSignals(): AbortSignal {
  const stopping = new AbortController()
  for (const signal of SIGNALS) process.on(signal, () => stopping.abort(new Stopped(signal)))
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && stopping.abort(new Stopped('SIGHUP')), PARENT_CHECK_MS).unref()
  return stopping.signal
}

/** A shell's exit status for a process that a signal ended. */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}
