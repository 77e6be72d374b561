import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { runSchedule } from '../scripts/schedule.ts'

/** The process that listens on this port has the lock. A crash releases it. */
const lockPort = 5_011
const pollMs = 50

/**
 * Suites that run side by side share one stack and its schedule. While a suite has the lock, no other suite runs, pauses or
 * resumes the republish.
 */
export async function lockSchedule(): Promise<AsyncDisposable> {
  for (;;) {
    const server = createServer()
    const isLocked = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen({ host: '127.0.0.1', port: lockPort }, () => resolve(true))
    })
    if (isLocked) {
      return {
        async [Symbol.asyncDispose]() {
          server.close()
          await once(server, 'close')
        },
      }
    }
    await delay(pollMs)
  }
}

/** Runs the republish once, and waits for its end. */
export async function republishNow(): Promise<void> {
  await using _lock = await lockSchedule()
  await runSchedule('run', undefined)
}

/** A pause of the schedule, which no other suite can end; disposing of it resumes the schedule too. */
export interface PausedSchedule extends AsyncDisposable {
  resume: () => Promise<void>
}

export async function pauseSchedule(): Promise<PausedSchedule> {
  const lock = await lockSchedule()
  let isPaused = true
  async function resume() {
    if (!isPaused) return
    isPaused = false
    await runSchedule('resume', undefined)
    await lock[Symbol.asyncDispose]()
  }
  try {
    await runSchedule('pause', undefined)
  } catch (error) {
    await resume()
    throw error
  }
  return { resume, [Symbol.asyncDispose]: resume }
}
