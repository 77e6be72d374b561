import { dayMs, minuteMs, utcDay } from '@koko/contract'
import { Action } from '../home/files.ts'
import { daemonTickMs } from '../operations/publish-outlook.ts'
import { lastMs } from '../output.ts'

/** What the duties know besides the home's files. Times are by this machine's clock. */
export interface ScheduleState {
  /** When the directory last saw the agent in this run; also null after the clock was set back. */
  lastSeenAtMs: number | null
  /** As the directory last answered in this run; null before that. */
  isListed: boolean | null
  /** When the directory last answered a publish of this run. */
  publishedAtMs: number | null
  /** The last local dates with a discovery, in the order of the discoveries. */
  discoveredOn: readonly string[]
  /** The actions that failed: how often in a row, and when to retry. */
  retries: Partial<Record<Action, { failures: number; dueAtMs: number }>>
  plannedAtMs: number | null
}

/** What the home's files allow and require. */
export interface Conditions {
  /** The directory has not acknowledged an unlink. */
  hasPendingUnlink: boolean
  /** There is a profile and an agreed handle, and publishing removes no channel without the operator's consent. */
  canPublish: boolean
  /** Publishing would change the listing. */
  isChanged: boolean
  /** The last publish from this home left a listing. */
  isListed: boolean
  /** When the directory answered the last publish, if it withheld a channel. */
  withheldAtMs: number | null
  hasProfile: boolean
}

export interface LocalTime {
  /** Such as `2026-11-21`. */
  date: string
  /** Minutes since 00:00 on the clock: 09:00 is 540 on days with a clock change too. */
  minutes: number
  /** Such as `2026-11-21 09:00:07`. */
  text: string
}

export type LocalClock = (ms: number) => LocalTime

/** The backoff after the first failure. It doubles with each further one, up to the maximum. */
const minBackoffMs = 30_000
const maxBackoffMs = 30 * minuteMs
/** Clocks are often corrected by less than this. */
const maxCorrectionMs = minuteMs
/** More days than a clock is set back by mistake. */
const maxDates = 60

export function initialState(discoveredOn: readonly string[]): ScheduleState {
  return { lastSeenAtMs: null, isListed: null, publishedAtMs: null, discoveredOn, retries: {}, plannedAtMs: null }
}

/** What is due now, in the order in which to do it, and the latest time for the next round. */
export function planRound(
  before: ScheduleState,
  conditions: Conditions,
  nowMs: number,
  local: LocalTime,
  discoverAtMinutes: number,
): { state: ScheduleState; due: Action[]; wakeAtMs: number } {
  const state = { ...afterSetBack(before, nowMs), plannedAtMs: nowMs }
  const isDue: Record<Action, boolean> = {
    unlink: conditions.hasPendingUnlink,
    heartbeat: isHeartbeatDue(state.lastSeenAtMs, nowMs),
    publish: conditions.canPublish && isPublishDue(state, conditions, nowMs),
    discovery:
      conditions.hasProfile &&
      conditions.isListed &&
      state.isListed !== false &&
      isDiscoveryDue(state.discoveredOn, local, discoverAtMinutes),
  }
  const due = Action.options.filter((action) => isDue[action] && (state.retries[action]?.dueAtMs ?? 0) <= nowMs)
  const retriesAtMs = Object.values(state.retries).map(({ dueAtMs }) => dueAtMs)
  const wakeAtMs = Math.min(nowMs + daemonTickMs, ...retriesAtMs.filter((dueAtMs) => dueAtMs > nowMs))
  return { state, due, wakeAtMs }
}

/** If the clock was set back, forgets the times that are now in the future. */
function afterSetBack(state: ScheduleState, nowMs: number): ScheduleState {
  if (state.plannedAtMs === null || nowMs >= state.plannedAtMs - maxCorrectionMs) return state
  return { ...state, lastSeenAtMs: null, retries: {} }
}

/** The directory stores the UTC day of the last heartbeat. Twice a day reaches each of its days with a wrong clock too. */
function isHeartbeatDue(lastSeenAtMs: number | null, nowMs: number): boolean {
  return lastSeenAtMs === null || utcDay(lastSeenAtMs) !== utcDay(nowMs) || nowMs - lastSeenAtMs >= dayMs / 2
}

function isPublishDue(state: ScheduleState, conditions: Conditions, nowMs: number): boolean {
  const { isChanged, isListed, withheldAtMs } = conditions
  // The operator can allow a withheld channel on the settings page. A publish once a day shows that.
  if (withheldAtMs !== null && utcDay(state.publishedAtMs ?? withheldAtMs) !== utcDay(nowMs)) return true
  const isAllWithheld = withheldAtMs !== null && !isListed
  return isChanged || (state.isListed === false && !isAllWithheld)
}

/**
 * Once each local date, from the given time on, or as soon as possible if the machine slept through that time. A
 * discovery dated tomorrow counts, as after a flight to the west; a later date came from a wrong clock.
 */
function isDiscoveryDue(discoveredOn: readonly string[], { date, minutes }: LocalTime, atMinutes: number): boolean {
  const dateIn = (days: number) => new Date(Date.parse(date) + days * dayMs).toISOString().slice(0, 10)
  const lastDue = minutes >= atMinutes ? date : dateIn(-1)
  return !discoveredOn.some((done) => done >= lastDue && done <= dateIn(1))
}

export function afterHeartbeat(state: ScheduleState, isListed: boolean, nowMs: number): ScheduleState {
  return { ...succeeded(state, 'heartbeat'), lastSeenAtMs: nowMs, isListed }
}

/** The directory counts a publish as a heartbeat. */
export function afterPublish(state: ScheduleState, isListed: boolean, nowMs: number): ScheduleState {
  return { ...succeeded(state, 'publish'), lastSeenAtMs: nowMs, publishedAtMs: nowMs, isListed }
}

export function afterDiscovery(state: ScheduleState, { date }: LocalTime): ScheduleState {
  return { ...succeeded(state, 'discovery'), discoveredOn: [...state.discoveredOn, date].slice(-maxDates) }
}

function succeeded(state: ScheduleState, action: Action): ScheduleState {
  const { [action]: _succeeded, ...retries } = state.retries
  return { ...state, retries }
}

export function afterUnlink(state: ScheduleState): ScheduleState {
  return succeeded(state, 'unlink')
}

/**
 * `retryAfterMs` is the wait that the directory asks for, or 0. `jitterOf` gives for a number of failures a number from 0
 * to 1 that differs between agents: when a directory returns, they do not ask at the same moment.
 */
export function afterFailure(
  state: ScheduleState,
  action: Action,
  { retryAfterMs, nowMs, jitterOf }: { retryAfterMs: number; nowMs: number; jitterOf: (failures: number) => number },
): ScheduleState {
  const failures = (state.retries[action]?.failures ?? 0) + 1
  const backoffMs = jitterOf(failures) * Math.min(minBackoffMs * 2 ** (failures - 1), maxBackoffMs)
  const dueAtMs = nowMs + Math.max(backoffMs, retryAfterMs)
  return { ...state, retries: { ...state.retries, [action]: { failures, dueAtMs } } }
}

/** The local time in `timeZone`, by default this machine's. */
export function createLocalClock(timeZone?: string): LocalClock {
  // By its parts, since a Node without every locale's data formats in another one's order.
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    calendar: 'iso8601',
    numberingSystem: 'latn',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  })
  return (ms) => {
    const parts = format.formatToParts(Math.min(ms, lastMs))
    const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((found) => found.type === type)?.value ?? ''
    const date = `${part('year').padStart(4, '0')}-${part('month')}-${part('day')}`
    const text = `${date} ${part('hour')}:${part('minute')}:${part('second')}`
    return { date, minutes: Number(part('hour')) * 60 + Number(part('minute')), text }
  }
}
