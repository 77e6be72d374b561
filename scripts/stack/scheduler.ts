import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { functionsOrigin, ports, project, region } from './addresses.ts'
import { Failure } from '../failure.ts'

/** The scheduled function that brings the discovery shards up to date. */
const FUNCTION = 'republishDiscovery'
const INTERVAL_MS = 60_000
/** Cloud Scheduler's own default for an HTTP target. */
const ATTEMPT_DEADLINE_MS = 180_000
/** google.rpc.Code.INTERNAL, which Cloud Scheduler shows for a target that answers 500. */
const INTERNAL = 13

/** The name that `firebase deploy` gives the job of a scheduled function. */
export function schedulerJobName(projectId: string): string {
  return `projects/${projectId}/locations/${region}/jobs/firebase-schedule-${FUNCTION}-${region}`
}

/** Cloud Scheduler's Job, as in its REST API. It has no status before the first attempt; code 0 is success. */
export interface Job {
  name: string
  state: 'ENABLED' | 'PAUSED'
  schedule: string
  timeZone: string
  scheduleTime?: string
  lastAttemptTime?: string
  status?: { code: number; message?: string }
}

interface Clock {
  now: () => number
  /** Calls `call` once, `ms` from now, unless the returned function cancels it first. */
  after: (ms: number, call: () => void) => () => void
}

/**
 * One job that is due every minute after its creation. It skips a tick while an attempt is under way, and the ticks that a
 * sleeping machine missed.
 */
export function createScheduler(name: string, attempt: (scheduledFor: Date) => Promise<void>, clock: Clock) {
  const createdAt = clock.now()
  let state: Job['state'] = 'ENABLED'
  let last: Pick<Job, 'lastAttemptTime' | 'status'> = {}
  let underWay: Promise<void> | undefined
  let nextTick = createdAt + INTERVAL_MS
  let cancelTick = clock.after(INTERVAL_MS, tick)

  function tick(): void {
    if (state === 'ENABLED' && !underWay) void start(nextTick)
    nextTick = createdAt + (Math.floor((clock.now() - createdAt) / INTERVAL_MS) + 1) * INTERVAL_MS
    cancelTick = clock.after(nextTick - clock.now(), tick)
  }

  async function start(scheduledFor: number): Promise<void> {
    const startedAt = new Date(clock.now()).toISOString()
    underWay = attempt(new Date(scheduledFor)).then(
      () => void (last = { lastAttemptTime: startedAt, status: { code: 0 } }),
      (error: unknown) =>
        void (last = { lastAttemptTime: startedAt, status: { code: INTERNAL, message: String(error) } }),
    )
    await underWay
    underWay = undefined
  }

  function job(): Job {
    const scheduleTime = new Date(nextTick).toISOString()
    return { name, state, schedule: 'every 1 minutes', timeZone: 'UTC', scheduleTime, ...last }
  }

  return {
    job,
    /** Resolves when the attempt under way has ended. No tick starts another until `resume`. */
    pause: async () => {
      state = 'PAUSED'
      await underWay
      return job()
    },
    resume: () => {
      state = 'ENABLED'
      return job()
    },
    /** Starts an attempt, even when paused, after the one under way. Resolves when it has ended. */
    run: async () => {
      while (underWay) await underWay
      await start(clock.now())
      return job()
    },
    stop: () => cancelTick(),
  }
}

/** Runs the republish through the Functions emulator, as Cloud Scheduler does through its Eventarc channel. */
async function republish(scheduledFor: Date, signal: AbortSignal): Promise<void> {
  const time = scheduledFor.toISOString()
  const jobName = schedulerJobName(project)
  const response = await fetch(`${functionsOrigin}/functions/projects/${project}/triggers/${region}-${FUNCTION}-0`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/cloudevents+json; charset=UTF-8',
      'X-CloudScheduler-JobName': jobName,
      'X-CloudScheduler-ScheduleTime': time,
    },
    body: JSON.stringify({
      specversion: '1.0',
      id: randomUUID(),
      source: `//cloudscheduler.googleapis.com/${jobName}`,
      type: 'google.cloud.scheduler.job.v1.executed',
      time,
      data: {},
    }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_DEADLINE_MS)]),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${FUNCTION} answered ${response.status} ${text}`.trim())
}

/**
 * The local stand-in for Cloud Scheduler: runs the republish every minute, and serves the part of Cloud Scheduler's REST API
 * that gets, pauses, resumes and runs the job. Resolves after a first run that succeeded.
 */
export async function keepSchedule(signal: AbortSignal): Promise<AsyncDisposable & { origin: string }> {
  const stopping = new AbortController()
  const clock: Clock = {
    now: () => Date.now(),
    after(ms, call) {
      const timer = setTimeout(call, ms)
      return () => clearTimeout(timer)
    },
  }
  const name = schedulerJobName(project)
  const scheduler = createScheduler(name, (time) => republish(time, AbortSignal.any([signal, stopping.signal])), clock)

  const actions: Record<string, () => Promise<Job> | Job> = {
    [`GET /v1/${name}`]: scheduler.job,
    [`POST /v1/${name}:pause`]: scheduler.pause,
    [`POST /v1/${name}:resume`]: scheduler.resume,
    [`POST /v1/${name}:run`]: () => {
      void scheduler.run()
      return scheduler.job()
    },
  }
  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const action = actions[`${request.method ?? ''} ${pathname}`]
    // Only a browser page sends an origin, and no page may control the schedule.
    if (!action || request.headers.origin) return answer(404, { error: { code: 404, status: 'NOT_FOUND' } })
    void Promise.resolve(action()).then((job) => answer(200, job))
  })
  server.listen({ host: '127.0.0.1', port: ports.Scheduler })
  await once(server, 'listening')

  const stop = async () => {
    scheduler.stop()
    stopping.abort()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  try {
    const { status } = await scheduler.run()
    signal.throwIfAborted()
    if (status?.code !== 0) throw new Failure(`The first republish failed: ${status?.message ?? ''}`)
  } catch (error) {
    await stop()
    throw error
  }
  return { origin: `http://127.0.0.1:${ports.Scheduler}`, [Symbol.asyncDispose]: stop }
}
