import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Action } from '../home/files.ts'
import {
  afterDiscovery,
  afterFailure as afterFailureWithJitter,
  afterHeartbeat,
  afterPublish,
  createLocalClock,
  initialState,
  planRound,
  type ScheduleState,
  type LocalTime,
  type Conditions,
} from './schedule.ts'
import { daemonTickMs } from '../operations/publish-outlook.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const nineOClock = 9 * 60
/** A Monday at noon in UTC. */
const noon = Date.UTC(2026, 10, 16, 12)

/** The longest backoff: without jitter. */
const afterFailure = (state: ScheduleState, action: Action, retryAfterMs: number, nowMs: number) =>
  afterFailureWithJitter(state, action, { retryAfterMs, nowMs, jitterOf: () => 1 })

const listed: Conditions = {
  hasPendingUnlink: false,
  canPublish: true,
  isChanged: false,
  isListed: true,
  withheldAtMs: null,
  hasProfile: true,
}

const utc = (ms: number): LocalTime => {
  const text = new Date(ms).toISOString()
  return {
    date: text.slice(0, 10),
    minutes: Math.floor((ms % day) / minute),
    text: text.slice(0, 19).replace('T', ' '),
  }
}
const dueAt = (state: ScheduleState, conditions: Conditions, nowMs: number, local = utc(nowMs)) =>
  planRound(state, conditions, nowMs, local, nineOClock).due

/** The state after everything that was due has been done. */
function settled(nowMs: number, discoveredOn: readonly string[] = [utc(nowMs).date]): ScheduleState {
  return { ...afterHeartbeat(initialState(discoveredOn), true, nowMs), plannedAtMs: nowMs }
}

describe('the heartbeat', () => {
  test('is sent at the start, and then on each new UTC day', () => {
    expect(dueAt(initialState([]), listed, noon)).toContain('heartbeat')
    const state = settled(noon)
    expect(dueAt(state, listed, noon + 12 * hour - 1)).toEqual([])
    expect(dueAt(state, listed, noon + 12 * hour)).toEqual(['heartbeat'])
    const evening = settled(noon + 11 * hour)
    expect(dueAt(evening, listed, noon + 12 * hour)).toEqual(['heartbeat'])
  })

  test('is sent twice a day, so that a machine with a wrong clock misses no day of the directory', () => {
    const midnight = noon - 12 * hour
    expect(dueAt(settled(midnight), listed, noon - 1)).not.toContain('heartbeat')
    expect(dueAt(settled(midnight), listed, noon)).toContain('heartbeat')
  })

  test('is sent again after the clock was set back, but not after a small correction', () => {
    expect(dueAt(settled(noon), listed, noon - 2 * minute)).toEqual(['heartbeat'])
    expect(dueAt(settled(noon), listed, noon - 30_000)).toEqual([])
  })

  test('is not sent on a day on which a publish was answered', () => {
    const state = { ...afterPublish(initialState([utc(noon).date]), true, noon), plannedAtMs: noon }
    expect(dueAt(state, listed, noon + minute)).toEqual([])
  })
})

describe('publishing', () => {
  test('is due after a change at home, if every handle was agreed to', () => {
    expect(dueAt(settled(noon), { ...listed, isChanged: true }, noon)).toEqual(['publish'])
    expect(dueAt(settled(noon), { ...listed, isChanged: true, canPublish: false }, noon)).toEqual([])
  })

  test('is due when the directory reports no listing', () => {
    const state = { ...afterHeartbeat(settled(noon), false, noon) }
    expect(dueAt(state, listed, noon)).toEqual(['publish'])
    expect(dueAt(state, { ...listed, canPublish: false }, noon)).toEqual([])
  })

  test('asks once a day whether a withheld channel is allowed again', () => {
    const withheld: Conditions = { ...listed, isListed: false, withheldAtMs: noon }
    const state = afterHeartbeat(settled(noon), false, noon)
    expect(dueAt(state, withheld, noon + minute)).toEqual([])
    const next = noon + 12 * hour
    expect(dueAt(afterHeartbeat(state, false, next), withheld, next)).toEqual(['publish'])
    expect(dueAt(afterPublish(state, false, next), withheld, next + minute)).toEqual([])
  })

  test('asks no more than once a day when the home and this machine disagree about the time', () => {
    const withheld: Conditions = { ...listed, withheldAtMs: noon - 5 * day }
    expect(dueAt(afterPublish(settled(noon), true, noon), withheld, noon + minute)).toEqual([])
  })
})

describe('discovery', () => {
  const yesterday = '2026-11-15'

  test('is due once each date, from its time on', () => {
    const at = (text: string) => Date.parse(`2026-11-16T${text}Z`)
    const state = settled(at('08:59:59'), [yesterday])
    expect(dueAt(state, listed, at('08:59:59'))).toEqual([])
    expect(dueAt(state, listed, at('09:00:00'))).toEqual(['discovery'])
    const done = afterDiscovery(state, utc(at('09:00:00')))
    expect(dueAt(done, listed, at('09:00:30'))).toEqual([])
    expect(dueAt(done, listed, at('23:59:59'))).not.toContain('discovery')
  })

  test('is due at once if there was none before, or if the machine slept through its time', () => {
    const early = Date.parse('2026-11-16T07:00:00Z')
    expect(dueAt(settled(early, []), listed, early)).toEqual(['discovery'])
    expect(dueAt(settled(early, ['2026-11-14']), listed, early)).toEqual(['discovery'])
    expect(dueAt(settled(early, [yesterday]), listed, early)).toEqual([])
    const late = Date.parse('2026-11-16T23:00:00Z')
    expect(dueAt(settled(late, [yesterday]), listed, late)).toEqual(['discovery'])
  })

  test('is not repeated after the clock was set back', () => {
    const state = settled(noon)
    const at = (ms: number) => dueAt({ ...state, plannedAtMs: ms }, listed, ms)
    expect(at(noon - hour)).not.toContain('discovery')
    expect(at(noon - day)).not.toContain('discovery')
  })

  test('continues after a clock that was far ahead is corrected', () => {
    expect(dueAt(settled(noon, ['2031-01-01']), listed, noon)).toEqual(['discovery'])
    expect(dueAt(settled(noon, [utc(noon).date, '2031-01-01']), listed, noon)).toEqual([])
  })

  test('waits until the agent is listed and can match', () => {
    expect(dueAt(afterHeartbeat(settled(noon, []), false, noon), { ...listed, canPublish: false }, noon)).toEqual([])
    expect(dueAt(settled(noon, []), { ...listed, hasProfile: false }, noon)).toEqual([])
    expect(dueAt(settled(noon, []), { ...listed, canPublish: false, isListed: false }, noon)).toEqual([])
  })

  test.each([
    ['Europe/Berlin', '2026-03-29', 'a night without 02:30'],
    ['Europe/Berlin', '2026-10-25', 'a night with 02:30 twice'],
    ['America/New_York', '2026-03-08', 'a night without 02:30'],
    ['America/New_York', '2026-11-01', 'a night with 01:30 twice'],
    ['Australia/Lord_Howe', '2026-04-05', 'a clock that goes back by half an hour'],
  ])('happens once each date in %s on %s, %s', (timeZone, around) => {
    const localTime = createLocalClock(timeZone)
    for (const atMinutes of [1 * 60 + 30, 2 * 60 + 30, nineOClock]) {
      let state = initialState([localTime(Date.parse(around) - 3 * day).date])
      const done: LocalTime[] = []
      for (let ms = Date.parse(around) - 2 * day; ms < Date.parse(around) + 3 * day; ms += 15 * minute) {
        const local = localTime(ms)
        state = afterHeartbeat(state, true, ms)
        if (!planRound(state, listed, ms, local, atMinutes).due.includes('discovery')) continue
        state = afterDiscovery(state, local)
        done.push(local)
      }
      const dates = done.map(({ date }) => date)
      expect(dates).toEqual([...new Set(dates)].sort())
      expect(dates).toContain(around)
      expect(dates.slice(1)).toEqual(
        dates.slice(0, -1).map((date) => new Date(Date.parse(date) + day).toISOString().slice(0, 10)),
      )
      // A time that the clock skips comes an hour later.
      for (const { minutes } of done.slice(1)) expect([atMinutes, atMinutes + 30]).toContain(minutes)
    }
  })
})

describe('a failure', () => {
  test('is retried after half a minute, then after twice as long each time, up to half an hour', () => {
    let state = settled(noon)
    const waits: number[] = []
    for (let times = 0; times < 9; times += 1) {
      state = afterFailure(state, 'publish', 0, noon)
      waits.push(((state.retries.publish?.dueAtMs ?? 0) - noon) / 1_000)
    }
    expect(waits).toEqual([30, 60, 120, 240, 480, 960, 1_800, 1_800, 1_800])
    const changed = { ...listed, isChanged: true }
    expect(dueAt(state, changed, noon + 30 * minute - 1)).toEqual([])
    expect(dueAt(state, changed, noon + 30 * minute)).toEqual(['publish'])
  })

  test('is retried no sooner than the directory asks', () => {
    const state = afterFailure(settled(noon), 'publish', 2 * hour, noon)
    const changed = { ...listed, isChanged: true }
    expect(dueAt(state, changed, noon + 2 * hour - 1)).toEqual([])
    expect(dueAt(state, changed, noon + 2 * hour)).toEqual(['publish'])
  })

  test('does not delay the other actions', () => {
    const failed = afterFailure(initialState([]), 'heartbeat', 0, noon)
    expect(dueAt(failed, { ...listed, isChanged: true }, noon)).toEqual(['publish', 'discovery'])
  })

  test('is forgotten after a success, and after the clock was set back', () => {
    const state = { ...afterFailure(settled(noon), 'publish', day, noon), plannedAtMs: noon }
    expect(afterPublish(state, true, noon).retries).toEqual({})
    expect(dueAt(state, { ...listed, isChanged: true }, noon - hour)).toContain('publish')
  })
})

test('wakes after half a minute at the latest, and sooner when a retry is due', () => {
  const wakeAt = (state: ScheduleState) => planRound(state, listed, noon, utc(noon), nineOClock).wakeAtMs
  expect(wakeAt(settled(noon))).toBe(noon + daemonTickMs)
  expect(wakeAt(afterFailure(settled(noon), 'publish', 0, noon - 20_000))).toBe(noon + 10_000)
  expect(wakeAt(afterFailure(settled(noon), 'publish', 0, noon - day))).toBe(noon + daemonTickMs)
  expect(wakeAt(afterFailure(settled(noon), 'publish', day, noon))).toBe(noon + daemonTickMs)
})

test('gives the local time of a time zone', () => {
  expect(createLocalClock('Asia/Kathmandu')(Date.UTC(2026, 10, 21, 23, 30, 7))).toEqual({
    date: '2026-11-22',
    minutes: 5 * 60 + 15,
    text: '2026-11-22 05:15:07',
  })
  expect(utc(Date.UTC(2026, 0, 1))).toEqual({ date: '2026-01-01', minutes: 0, text: '2026-01-01 00:00:00' })
})

describe('over any history of sleeps, outages, edits and clock changes', () => {
  const Step = fc.record({
    /** The directory answers and the machine is awake for this long: more than the longest backoff. */
    goodMs: fc.integer({ min: 45 * minute, max: 30 * hour }),
    /** Then the machine sleeps, or the directory is down, for this long. */
    badMs: fc.integer({ min: 0, max: 23 * hour }),
    isAsleep: fc.boolean(),
    isEdited: fc.boolean(),
    jumpMs: fc.oneof(
      fc.constant(0),
      fc.integer({ min: -3 * hour, max: 3 * hour }),
      fc.integer({ min: -9, max: 9 }).map((days) => days * day),
    ),
  })

  /** Runs the plan against a directory that stores days, as the real one does, and with two clocks. */
  function live(steps: readonly (typeof Step extends fc.Arbitrary<infer S> ? S : never)[]) {
    let trueMs = noon
    let offsetMs = 0
    let state = initialState([])
    let home = 1
    let published = 0
    let lastSeenMs: number | null = null
    const discoveries: string[] = []
    const offline: number[] = []
    const unpublished: number[] = []

    function round(isUp: boolean): void {
      const nowMs = trueMs + offsetMs
      for (const action of ['heartbeat', 'publish', 'discovery'] satisfies Action[]) {
        const conditions: Conditions = { ...listed, isChanged: home !== published, isListed: published > 0 }
        const plan = planRound(state, conditions, nowMs, utc(nowMs), nineOClock)
        state = plan.state
        if (!plan.due.includes(action)) continue
        if (!isUp) state = afterFailure(state, action, 0, nowMs)
        else if (action === 'heartbeat') {
          if (lastSeenMs !== null) lastSeenMs = Math.floor(trueMs / day) * day
          state = afterHeartbeat(state, lastSeenMs !== null, nowMs)
        } else if (action === 'publish') {
          published = home
          lastSeenMs = Math.floor(trueMs / day) * day
          state = afterPublish(state, true, nowMs)
        } else {
          discoveries.push(utc(nowMs).date)
          state = afterDiscovery(state, utc(nowMs))
        }
      }
      if (lastSeenMs !== null && trueMs - lastSeenMs > 60 * hour) offline.push(trueMs)
    }

    const pass = (ms: number, isAsleep: boolean, isUp: boolean) => {
      const endMs = trueMs + ms
      while (trueMs < endMs) {
        trueMs = isAsleep ? endMs : Math.min(endMs, trueMs + 15 * minute)
        round(isUp)
      }
    }
    for (const { goodMs, badMs, isAsleep, isEdited, jumpMs } of steps) {
      if (isEdited) home += 1
      pass(goodMs, false, true)
      if (published !== home) unpublished.push(trueMs)
      offsetMs += jumpMs
      round(true)
      pass(badMs, isAsleep, isAsleep)
    }
    return { discoveries, offline, unpublished }
  }

  test('discovers at most once each local date, never goes offline, and publishes every change', () => {
    fc.assert(
      fc.property(fc.array(Step, { minLength: 1, maxLength: 12 }), (steps) => {
        const { discoveries, offline, unpublished } = live(steps)
        expect(discoveries).toEqual([...new Set(discoveries)])
        expect(discoveries.length).toBeGreaterThan(0)
        expect(offline).toEqual([])
        expect(unpublished).toEqual([])
      }),
      { numRuns: 50, interruptAfterTimeLimit: 20_000 },
    )
  })
})

test('a time beyond the last valid date becomes that date', () => {
  expect(createLocalClock('UTC')(Number.MAX_SAFE_INTEGER)).toMatchObject({ text: '275760-09-13 00:00:00' })
})

describe('a retry', () => {
  test('is spread over the backoff, so that agents do not ask at the same moment', () => {
    const dueAtMs = (jitter: number) =>
      afterFailureWithJitter(settled(noon), 'unlink', { retryAfterMs: 0, nowMs: noon, jitterOf: () => jitter }).retries
        .unlink?.dueAtMs
    expect([dueAtMs(0), dueAtMs(0.5), dueAtMs(1)]).toEqual([noon, noon + 15_000, noon + 30_000])
  })

  test('of an unlink comes before anything else', () => {
    const pending = { ...listed, hasPendingUnlink: true, isChanged: true }
    expect(dueAt(initialState([]), pending, noon)).toEqual(['unlink', 'heartbeat', 'publish', 'discovery'])
    const failed = afterFailure(settled(noon), 'unlink', 0, noon)
    expect(dueAt(failed, pending, noon)).toEqual(['publish'])
    expect(dueAt(failed, pending, noon + 30_000)).toContain('unlink')
    expect(dueAt(failed, listed, noon + 30_000)).not.toContain('unlink')
  })
})
