import { describe, expect, it } from '@jest/globals'
import { createScheduler } from './scheduler.ts'

const MINUTE = 60_000

/** A clock and an attempt that the test moves on. */
function setUp() {
  let now = 0
  let timer: { at: number; call: () => void } | undefined
  const attempts: { scheduledFor: number; end: (error?: Error) => Promise<void> }[] = []
  const clock = {
    now: () => now,
    after(ms: number, call: () => void) {
      const mine = { at: now + ms, call }
      timer = mine
      return () => {
        if (timer === mine) timer = undefined
      }
    },
  }
  const scheduler = createScheduler(
    'job',
    (scheduledFor) =>
      new Promise((resolve, reject) => {
        const end = async (error?: Error) => {
          if (error) reject(error)
          else resolve()
          await settle()
        }
        attempts.push({ scheduledFor: scheduledFor.getTime(), end })
      }),
    clock,
  )
  return {
    scheduler,
    attempts,
    /** Fires each timer at its time; after a sleep, the one that is set, late. */
    advance: (ms: number, options: { asleep: boolean } = { asleep: false }) => {
      const end = now + ms
      if (options.asleep) now = end
      for (let fired = 0; timer && timer.at <= end && !(options.asleep && fired > 0); fired += 1) {
        const due = timer
        timer = undefined
        now = Math.max(now, due.at)
        due.call()
      }
      now = end
    },
    isTicking: () => timer !== undefined,
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve()
}

describe('the stand-in for Cloud Scheduler', () => {
  it('ticks a minute after its start and every minute from then on', async () => {
    const { attempts, advance } = setUp()
    advance(MINUTE - 1)
    expect(attempts).toHaveLength(0)
    advance(1)
    await attempts[0]?.end()
    advance(MINUTE)
    await attempts[1]?.end()
    expect(attempts.map(({ scheduledFor }) => scheduledFor)).toEqual([MINUTE, 2 * MINUTE])
  })

  it('does not drift when a timer comes late', async () => {
    const { attempts, advance, scheduler } = setUp()
    advance(MINUTE + 700, { asleep: true })
    await attempts[0]?.end()
    expect(scheduler.job().scheduleTime).toBe(new Date(2 * MINUTE).toISOString())
    advance(MINUTE - 700)
    expect(attempts).toHaveLength(2)
  })

  it('skips the ticks during an attempt', async () => {
    const { attempts, advance } = setUp()
    advance(3 * MINUTE)
    expect(attempts).toHaveLength(1)
    await attempts[0]?.end()
    advance(MINUTE)
    expect(attempts.map(({ scheduledFor }) => scheduledFor)).toEqual([MINUTE, 4 * MINUTE])
  })

  it('makes up for all ticks missed during a sleep with one', async () => {
    const { attempts, advance } = setUp()
    advance(10 * MINUTE + 5, { asleep: true })
    await attempts[0]?.end()
    advance(MINUTE - 6)
    expect(attempts).toHaveLength(1)
    advance(1)
    expect(attempts).toHaveLength(2)
  })

  it('reports the last finished attempt, with its start and result', async () => {
    const { scheduler, attempts, advance } = setUp()
    expect(scheduler.job()).not.toHaveProperty('lastAttemptTime')
    advance(MINUTE)
    expect(scheduler.job()).not.toHaveProperty('lastAttemptTime')
    advance(5)
    await attempts[0]?.end()
    expect(scheduler.job()).toMatchObject({ lastAttemptTime: new Date(MINUTE).toISOString(), status: { code: 0 } })
    advance(MINUTE)
    await attempts[1]?.end(new Error('no luck'))
    expect(scheduler.job().status).toEqual({ code: 13, message: 'Error: no luck' })
  })

  it('starts nothing while it is paused, and keeps its minutes afterwards', async () => {
    const { scheduler, attempts, advance } = setUp()
    expect((await scheduler.pause()).state).toBe('PAUSED')
    advance(3.5 * MINUTE)
    expect(attempts).toHaveLength(0)
    expect(scheduler.resume().state).toBe('ENABLED')
    expect(attempts).toHaveLength(0)
    advance(MINUTE)
    expect(attempts.map(({ scheduledFor }) => scheduledFor)).toEqual([4 * MINUTE])
  })

  it('is paused only when the current attempt has ended', async () => {
    const { scheduler, attempts, advance } = setUp()
    advance(MINUTE)
    let isPaused = false
    const paused = scheduler.pause().then(() => (isPaused = true))
    await settle()
    expect(isPaused).toBe(false)
    await attempts[0]?.end()
    await paused
  })

  it('runs on request, even while it is paused', async () => {
    const { scheduler, attempts } = setUp()
    await scheduler.pause()
    const run = scheduler.run()
    await attempts[0]?.end()
    expect((await run).status).toEqual({ code: 0 })
    expect((await run).state).toBe('PAUSED')
  })

  it('runs after the current attempt, so that it sees all earlier changes', async () => {
    const { scheduler, attempts, advance } = setUp()
    advance(MINUTE)
    advance(5)
    const runs = [scheduler.run(), scheduler.run()]
    await settle()
    expect(attempts).toHaveLength(1)
    for (const index of [0, 1, 2]) {
      await attempts[index]?.end()
      advance(1)
    }
    const [first] = await Promise.all(runs)
    expect(attempts).toHaveLength(3)
    expect(first?.lastAttemptTime).toBe(new Date(MINUTE + 5).toISOString())
  })

  it('leaves no timer behind', () => {
    const { scheduler, isTicking } = setUp()
    expect(isTicking()).toBe(true)
    scheduler.stop()
    expect(isTicking()).toBe(false)
  })
})
