import type { Context } from '../context.ts'
import { openDirectory } from '../directory/session.ts'
import { UserError } from '../errors.ts'
import { isUnwritable } from '../home/home.ts'
import { ignoreUserError } from '../home/read-if-whole.ts'
import { untilAborted } from '../until-aborted.ts'
import { runDuties } from './duties.ts'
import { createLog } from './log.ts'
import { createLocalClock } from './schedule.ts'

/** A part of the daemon. It runs until its context's signal aborts, or until its work is done. */
type Part<T> = (context: Context) => Promise<T>

/**
 * Runs this home's agent until the signal aborts, or does what is due `once`. The daily discovery is due at
 * `discoverAtMinutes` after midnight in `timeZone`, by default this machine's. Throws `UserError` if another daemon runs
 * the agent, or the directory no longer accepts it.
 */
export async function runDaemon(
  context: Context,
  { timeZone, ...options }: { discoverAtMinutes: number; once: boolean; timeZone?: string },
) {
  // Taking the lock creates the folder, which a home without an agent must not have.
  await openDirectory(context)
  return lockedIfWritable(context, async (problem) => {
    const localTime = createLocalClock(timeZone)
    const log = createLog(context, localTime)
    if (problem !== undefined)
      log.line(`${problem.message} The daemon runs without its lock, so a second daemon could start.`)
    // The progress of the operations that the daemon calls does not belong in its log.
    const unattended: Context = { ...context, ask: undefined, report: () => undefined }
    const run = await runParts(unattended, (part) => runDuties(part, { ...options, log, localTime }))
    if (!options.once) log.line('Stopped.')
    return { ...run, isStopped: context.signal.aborted }
  })
}

/**
 * Does work while holding the daemon's lock, or without it if nothing can be written and nobody holds it: a full disk must
 * not take the agent offline. `problem` then says why.
 */
async function lockedIfWritable<T>({ home }: Context, work: (problem?: UserError) => Promise<T>): Promise<T> {
  const lock = { isHeld: false }
  try {
    return await home.locked('daemon', 0, () => {
      lock.isHeld = true
      return work()
    })
  } catch (error) {
    if (lock.isHeld || !(error instanceof UserError) || !isUnwritable(error)) throw error
    if ((await home.lockedBy('daemon').catch(ignoreUserError)) !== undefined) throw error
    return work(error)
  }
}

/** Runs the parts side by side until the main part ends or one fails, then stops the others and waits for them. */
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
  const [result] = await Promise.all([mainRun, ...otherRuns])
  return result
}
