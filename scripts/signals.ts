import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
type StopSignal = (typeof SIGNALS)[number]

/** What an operation rejects with that a signal has stopped. */
export class Stopped extends Error {
  override name = 'Stopped'
  readonly signal: StopSignal

  constructor(signal: StopSignal) {
    super(`stopped by ${signal}`)
    this.signal = signal
  }
}

/** How soon it is noticed that the parent, npm's end of things, was killed outright. */
const PARENT_CHECK_MS = 1_000

/**
 * Aborts, with a Stopped, at the first signal that asks this process to stop, or when its parent is gone. npm and the
 * terminal often ask twice: from the call on, a signal ends nothing by itself.
 */
export function watchStopSignals(): AbortSignal {
  const stopping = new AbortController()
  for (const signal of SIGNALS) process.on(signal, () => stopping.abort(new Stopped(signal)))
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && stopping.abort(new Stopped('SIGHUP')), PARENT_CHECK_MS).unref()
  return stopping.signal
}

/** A shell's status for a process that a signal has ended. */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}
