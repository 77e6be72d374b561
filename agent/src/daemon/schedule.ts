import { Action } from '../home/files.ts'
import { lastMs } from '../output.ts'

/** What a daemon knows besides the home's files. Moments are this machine's milliseconds since the epoch. */
export interface DaemonState {
  /** When the directory last heard of the agent in this run; null until it has, and once the clock was set back. */
  heardAtMs: number | null
  /** Whether the agent is listed, as the directory told last in this run; null until it has. */
  isListed: boolean | null
  /** When a publish was answered last in this run. */
  publishedAtMs: number | null
  /** The last local dates with a discovery, the latest last. */
  discoveredOn: readonly string[]
  failed: Partial<Record<Action, { times: number; untilMs: number }>>
  /** When the round before this one was planned. */
  plannedAtMs: number | null
}

/** What the home's files come to. */
export interface Standing {
  /** There is a profile and a handle that was agreed to, and no channel would leave the listing without a yes. */
  canPublish: boolean
  /** Publishing would change what is listed. */
  isChanged: boolean
  /** As the last publish from this home left it. */
  isListed: boolean
  /** When the last publish was answered, where a channel was withheld by it. */
  withheldAtMs: number | null
  /** There is a profile to match by. */
  canMatch: boolean
}

/** The time on the wall. */
export interface LocalTime {
  /** Such as `2026-11-21`. */
  date: string
  /** Since midnight on the wall's clock: 09:00 is 540, whatever the day's changes of the clock. */
  minutes: number
  /** Such as `09:00:07`. */
  time: string
}

export interface Round {
  state: DaemonState
  /** In the order in which they are done: each can make the next possible. */
  due: Action[]
  /** When to look again at the latest. */
  wakeAtMs: number
}

const minute = 60_000
const day = 24 * 60 * minute

/** A sleep, another clock or an edit at home is noticed within this. */
export const tickMs = 30_000
/** An action that failed is tried again after this, then after twice as long each time, up to the most. */
const leastBackoffMs = 30_000
const mostBackoffMs = 30 * minute
/** Clocks are corrected by less than this all the time. */
const setBackMs = minute
/** How many dates of discoveries are kept: more than a clock is set back by mistake in one run. */
const keptDates = 60

/** The state of a daemon that begins. */
export function initialState(discoveredOn: readonly string[]): DaemonState {
  return { heardAtMs: null, isListed: null, publishedAtMs: null, discoveredOn, failed: {}, plannedAtMs: null }
}

/** What is due now, and when to look again. */
export function planRound(
  before: DaemonState,
  standing: Standing,
  nowMs: number,
  local: LocalTime,
  discoverAtMinutes: number,
): Round {
  const state = { ...afterSetBack(before, nowMs), plannedAtMs: nowMs }
  const isDue: Record<Action, boolean> = {
    heartbeat: isHeartbeatDue(state.heardAtMs, nowMs),
    publish: standing.canPublish && isPublishDue(state, standing, nowMs),
    discovery:
      standing.canMatch &&
      standing.isListed &&
      state.isListed !== false &&
      isDiscoveryDue(state.discoveredOn, local, discoverAtMinutes),
  }
  const due = Action.options.filter((action) => isDue[action] && (state.failed[action]?.untilMs ?? 0) <= nowMs)
  const retries = Object.values(state.failed).map(({ untilMs }) => untilMs)
  const wakeAtMs = Math.min(nowMs + tickMs, ...retries.filter((untilMs) => untilMs > nowMs))
  return { state, due, wakeAtMs }
}

/** A time ahead of the clock says nothing, neither when the agent was last heard of nor when to try again. */
function afterSetBack(state: DaemonState, nowMs: number): DaemonState {
  if (state.plannedAtMs === null || nowMs >= state.plannedAtMs - setBackMs) return state
  return { ...state, heardAtMs: null, failed: {} }
}

/**
 * On each new UTC day, which is what the directory keeps. Its day may begin hours before or after that of a clock that is
 * wrong, so that twice as often makes sure of each.
 */
function isHeartbeatDue(heardAtMs: number | null, nowMs: number): boolean {
  return heardAtMs === null || utcDay(heardAtMs) !== utcDay(nowMs) || nowMs - heardAtMs >= day / 2
}

function isPublishDue(state: DaemonState, standing: Standing, nowMs: number): boolean {
  const { isChanged, isListed, withheldAtMs } = standing
  // What was withheld may have been allowed on the settings page since: asked once a day.
  if (withheldAtMs !== null && utcDay(state.publishedAtMs ?? withheldAtMs) !== utcDay(nowMs)) return true
  const isWithheldWhole = withheldAtMs !== null && !isListed
  return isChanged || (state.isListed === false && !isWithheldWhole)
}

/**
 * Once a local date, from the given time on, and as soon as possible where that time was slept over. A date that is one
 * ahead counts, as after a flight to the west; one further ahead was a clock that was wrong.
 */
function isDiscoveryDue(discoveredOn: readonly string[], { date, minutes }: LocalTime, atMinutes: number): boolean {
  const tomorrow = shiftDate(date, 1)
  const last = discoveredOn.filter((done) => done <= tomorrow).reduce((a, b) => (a > b ? a : b), '')
  return last < (minutes >= atMinutes ? date : shiftDate(date, -1))
}

export function afterHeartbeat(state: DaemonState, isListed: boolean, nowMs: number): DaemonState {
  return { ...succeeded(state, 'heartbeat'), heardAtMs: nowMs, isListed }
}

/** A publish counts as being seen. */
export function afterPublish(state: DaemonState, isListed: boolean, nowMs: number): DaemonState {
  return { ...succeeded(state, 'publish'), heardAtMs: nowMs, publishedAtMs: nowMs, isListed }
}

export function afterDiscovery(state: DaemonState, { date }: LocalTime): DaemonState {
  return { ...succeeded(state, 'discovery'), discoveredOn: [...state.discoveredOn, date].slice(-keptDates) }
}

function succeeded(state: DaemonState, action: Action): DaemonState {
  const { [action]: _failed, ...failed } = state.failed
  return { ...state, failed }
}

/** `retryAfterMs` is what the directory asked to wait, if it did. */
export function afterFailure(state: DaemonState, action: Action, retryAfterMs: number, nowMs: number): DaemonState {
  const times = (state.failed[action]?.times ?? 0) + 1
  const backoffMs = Math.min(leastBackoffMs * 2 ** (times - 1), mostBackoffMs)
  const untilMs = nowMs + Math.max(backoffMs, retryAfterMs)
  return { ...state, failed: { ...state.failed, [action]: { times, untilMs } } }
}

/** Tells the time on the wall of `timeZone`, or of this machine. */
export function createLocalClock(timeZone?: string): (ms: number) => LocalTime {
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

function shiftDate(date: string, days: number): string {
  return new Date(Date.parse(date) + days * day).toISOString().slice(0, 10)
}

function utcDay(ms: number): number {
  return Math.floor(ms / day)
}
