import { Action } from '../home/files.ts'
import { lastMs } from '../output.ts'

/** What the duties know besides the home's files. Times are this machine's milliseconds since the epoch. */
export interface ScheduleState {
  /** When the directory last saw the agent in this run; null until it has, and after the clock was set back. */
  lastSeenAtMs: number | null
  /** Whether the agent is listed, by the directory's last answer in this run; null before the first. */
  isListed: boolean | null
  /** When the last publish of this run was answered. */
  publishedAtMs: number | null
  /** The last local dates with a discovery, in the order of the discoveries. */
  discoveredOn: readonly string[]
  /** The actions that failed, how often in a row, and when the next try is due. */
  retries: Partial<Record<Action, { failures: number; dueAtMs: number }>>
  /** When the previous round was planned. */
  plannedAtMs: number | null
}

/** What the home's files allow and ask for. */
export interface Conditions {
  /** There is a profile and an agreed handle, and no channel would leave the listing without the operator's consent. */
  canPublish: boolean
  /** Publishing would change the listing. */
  isChanged: boolean
  /** The last publish from this home left a listing. */
  isListed: boolean
  /** When the last publish was answered, if it withheld a channel. */
  withheldAtMs: number | null
  /** There is a profile to match by. */
  canMatch: boolean
}

export interface LocalTime {
  /** Such as `2026-11-21`. */
  date: string
  /** What the clock shows, in minutes since 00:00: 09:00 is 540 on days with a clock change too. */
  minutes: number
  /** Such as `09:00:07`. */
  time: string
}

export type LocalClock = (ms: number) => LocalTime

export interface Round {
  state: ScheduleState
  /** In the order in which to do them: each can make the next possible. */
  due: Action[]
  /** The latest time for the next round. */
  wakeAtMs: number
}

const minute = 60_000
const day = 24 * 60 * minute

/** The longest pause: a sleep, a clock change or an edit at home is noticed within this time. */
export const tickMs = 30_000
/** The backoff after the first failure. It doubles with each further one, up to the maximum. */
const minBackoffMs = 30_000
const maxBackoffMs = 30 * minute
/** Clocks are often corrected by less than this. */
const maxCorrectionMs = minute
/** How many dates of discoveries are kept: more days than a clock is set back by mistake. */
const maxDates = 60

export function initialState(discoveredOn: readonly string[]): ScheduleState {
  return { lastSeenAtMs: null, isListed: null, publishedAtMs: null, discoveredOn, retries: {}, plannedAtMs: null }
}

/** Decides what is due now, and when to wake for the next round. */
export function planRound(
  before: ScheduleState,
  conditions: Conditions,
  nowMs: number,
  local: LocalTime,
  discoverAtMinutes: number,
): Round {
  const state = { ...afterSetBack(before, nowMs), plannedAtMs: nowMs }
  const isDue: Record<Action, boolean> = {
    heartbeat: isHeartbeatDue(state.lastSeenAtMs, nowMs),
    publish: conditions.canPublish && isPublishDue(state, conditions, nowMs),
    discovery:
      conditions.canMatch &&
      conditions.isListed &&
      state.isListed !== false &&
      isDiscoveryDue(state.discoveredOn, local, discoverAtMinutes),
  }
  const due = Action.options.filter((action) => isDue[action] && (state.retries[action]?.dueAtMs ?? 0) <= nowMs)
  const retriesAtMs = Object.values(state.retries).map(({ dueAtMs }) => dueAtMs)
  const wakeAtMs = Math.min(nowMs + tickMs, ...retriesAtMs.filter((dueAtMs) => dueAtMs > nowMs))
  return { state, due, wakeAtMs }
}

/** After the clock was set back, times ahead of it do not say when the agent was last seen or when to retry. */
function afterSetBack(state: ScheduleState, nowMs: number): ScheduleState {
  if (state.plannedAtMs === null || nowMs >= state.plannedAtMs - maxCorrectionMs) return state
  return { ...state, lastSeenAtMs: null, retries: {} }
}

/**
 * The directory stores the UTC day of the last heartbeat. If this machine's clock is wrong, the directory's day begins
 * at another time; a heartbeat every twelve hours reaches each of its days anyway.
 */
function isHeartbeatDue(lastSeenAtMs: number | null, nowMs: number): boolean {
  return lastSeenAtMs === null || utcDay(lastSeenAtMs) !== utcDay(nowMs) || nowMs - lastSeenAtMs >= day / 2
}

function isPublishDue(state: ScheduleState, conditions: Conditions, nowMs: number): boolean {
  const { isChanged, isListed, withheldAtMs } = conditions
  // The operator may have allowed a withheld channel on the settings page. Publishing once a day finds out.
  if (withheldAtMs !== null && utcDay(state.publishedAtMs ?? withheldAtMs) !== utcDay(nowMs)) return true
  const isAllWithheld = withheldAtMs !== null && !isListed
  return isChanged || (state.isListed === false && !isAllWithheld)
}

/**
 * Once each local date, from the given time on, or as soon as possible if the machine slept through that time. A
 * discovery dated tomorrow counts, as after a flight to the west; a later date came from a wrong clock.
 */
function isDiscoveryDue(discoveredOn: readonly string[], { date, minutes }: LocalTime, atMinutes: number): boolean {
  const tomorrow = shiftDate(date, 1)
  const last = discoveredOn.filter((done) => done <= tomorrow).reduce((a, b) => (a > b ? a : b), '')
  return last < (minutes >= atMinutes ? date : shiftDate(date, -1))
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

/** `retryAfterMs` is how long the directory asked to wait, or 0. */
export function afterFailure(state: ScheduleState, action: Action, retryAfterMs: number, nowMs: number): ScheduleState {
  const failures = (state.retries[action]?.failures ?? 0) + 1
  const backoffMs = Math.min(minBackoffMs * 2 ** (failures - 1), maxBackoffMs)
  const dueAtMs = nowMs + Math.max(backoffMs, retryAfterMs)
  return { ...state, retries: { ...state.retries, [action]: { failures, dueAtMs } } }
}

/** The local time in `timeZone`, or in this machine's time zone. */
export function createLocalClock(timeZone?: string): LocalClock {
  const format = new Intl.DateTimeFormat('en-GB', {
    ...(timeZone === undefined ? {} : { timeZone }),
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
    return {
      date: `${part('year').padStart(4, '0')}-${part('month')}-${part('day')}`,
      minutes: Number(part('hour')) * 60 + Number(part('minute')),
      time: `${part('hour')}:${part('minute')}:${part('second')}`,
    }
  }
}

/** Such as `2026-11-21 09:00:07`. */
export function formatLocalTime({ date, time }: LocalTime): string {
  return `${date} ${time}`
}

function shiftDate(date: string, days: number): string {
  return new Date(Date.parse(date) + days * day).toISOString().slice(0, 10)
}

function utcDay(ms: number): number {
  return Math.floor(ms / day)
}
