import type { Context } from '../context.ts'
import { openDirectory } from '../directory/session.ts'
import { untilAborted } from '../until-aborted.ts'
import { runDuties, type DutiesRun } from './duties.ts'
import { createLog } from './log.ts'
import { createLocalClock } from './schedule.ts'

export interface DaemonOptions {
  /** When the daily discovery is due, in minutes after local midnight. */
  discoverAtMinutes: number
  /** Does what is due, then ends. */
  once: boolean
  /** This machine's unless given. */
  timeZone?: string
}

/** What a daemon did from its start to its end. */
export interface DaemonRun extends DutiesRun {
  /** The signal ended it. */
  isStopped: boolean
}

/** A part of the daemon. It runs until its context's signal aborts, or until its work is done. */
type Part<T> = (context: Context) => Promise<T>

/**
 * Runs this home's agent until the signal aborts. Throws `UserError` where another daemon already does so, and once the
 * directory no longer accepts the agent.
 */
export async function runDaemon(context: Context, options: DaemonOptions): Promise<DaemonRun> {
  // Taking the lock creates the folder, and without an agent there must be none.
  await openDirectory(context)
  return context.home.locked('daemon', 0, async () => {
    const localTime = createLocalClock(options.timeZone)
    const log = createLog(context, localTime)
    // A daemon asks nobody, and the progress of the operations that it calls does not belong in its log.
    const unattended: Context = { ...context, ask: undefined, report: () => undefined }
    const run = await runParts(unattended, (part) => runDuties(part, log, { ...options, localTime }))
    if (!options.once) log.line('Stopped.')
    return { ...run, isStopped: context.signal.aborted }
  })
}

/**
 * Runs the parts side by side for as long as the main part runs, then stops the others and waits for them. A part that
 * fails stops all of them. Returns what the main part returns.
 */
export async function runParts<T>(context: Context, main: Part<T>, ...others: Part<void>[]): Promise<T> {
  // On Node 20 the signal of `AbortSignal.any` can be garbage-collected while a part waits for it.
  const stopping = new AbortController()
  const { signal } = stopping
  const stop = () => stopping.abort(context.signal.reason)
  context.signal.addEventListener('abort', stop)
  if (context.signal.aborted) stop()
  const shared: Context = { ...context, signal, pause: (ms) => untilAborted(signal, context.pause(ms)) }
  const mainRun = main(shared).finally(stop)
  const otherRuns = others.map((part) =>
    part(shared).catch((error: unknown) => {
      stop()
      throw error
    }),
  )
  await Promise.allSettled([mainRun, ...otherRuns])
  context.signal.removeEventListener('abort', stop)
  const result = await mainRun
  await Promise.all(otherRuns)
  return result
}
