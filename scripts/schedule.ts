import { CloudSchedulerClient, type protos } from '@google-cloud/scheduler'
import { formatDuration } from '@koko/contract'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { project as localProject, ports } from './stack/addresses.ts'
import { Failure, reportFailure } from './failure.ts'
import { isTaken } from './stack/ports.ts'
import { schedulerJobName, type Job } from './stack/scheduler.ts'

const actions = ['status', 'pause', 'resume', 'run'] as const
type Action = (typeof actions)[number]

const USAGE = 'usage: npm run schedule -- status|pause|resume|run [--project <id>] [--json]'
/** An attempt may take three minutes, and waits for the one before it. */
const RUN_TIMEOUT_MS = 400_000
/** How much this machine's clock may be ahead of Google's. */
const MAX_CLOCK_SKEW_MS = 5_000

/**
 * Shows, pauses or resumes the republish's job, or runs it and waits for its end: in Cloud Scheduler if a project is given,
 * otherwise in the stand-in of the local stack.
 */
export async function runSchedule(action: Action, project: string | undefined): Promise<Job> {
  if (!project && !(await isTaken(ports.Scheduler))) {
    throw new Failure(
      'No stack is running on this machine. Run "npm start", or name a deployed project with --project <id>.',
    )
  }
  const client = new CloudSchedulerClient({ fallback: true, ...(project ? {} : standIn()) })
  const name = schedulerJobName(project ?? localProject)
  try {
    await client.initialize()
    return await act(client, name, action, project !== undefined)
  } catch (error) {
    if (error instanceof Failure) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new Failure(`Cloud Scheduler refused the request or did not answer: ${reason}`, { cause: error })
  }
}

async function act(client: CloudSchedulerClient, name: string, action: Action, isDeployed: boolean): Promise<Job> {
  const get = async () => toJob((await client.getJob({ name }))[0])

  const before = await get()
  switch (action) {
    case 'status':
      return before
    case 'pause':
      // Cloud Scheduler refuses to pause a paused job, and to resume a running one.
      return before.state === 'PAUSED' ? before : toJob((await client.pauseJob({ name }))[0])
    case 'resume':
      return before.state === 'PAUSED' ? toJob((await client.resumeJob({ name }))[0]) : before
    case 'run': {
      const asked = Date.now() - (isDeployed ? MAX_CLOCK_SKEW_MS : 0)
      await client.runJob({ name })
      const late = Date.now() + RUN_TIMEOUT_MS
      while (Date.now() < late) {
        const job = await get()
        const { lastAttemptTime } = job
        if (lastAttemptTime && lastAttemptTime !== before.lastAttemptTime && Date.parse(lastAttemptTime) >= asked)
          return job
        await delay(isDeployed ? 1_000 : 100)
      }
      throw new Failure(
        `The run has not ended after ${formatDuration(RUN_TIMEOUT_MS)}. The log of republishDiscovery says what it does.`,
      )
    }
  }
}

type ClientOptions = NonNullable<ConstructorParameters<typeof CloudSchedulerClient>[0]>

/** The stand-in serves the REST API over plain HTTP, without credentials. */
function standIn(): ClientOptions {
  return {
    apiEndpoint: '127.0.0.1',
    port: ports.Scheduler,
    protocol: 'http',
    // The only part that the client's REST transport uses.
    authClient: { fetch, getRequestHeaders: () => new Headers() } as unknown as NonNullable<
      ClientOptions['authClient']
    >,
  }
}

function toJob(job: protos.google.cloud.scheduler.v1.IJob): Job {
  const scheduleTime = toIso(job.scheduleTime)
  const lastAttemptTime = toIso(job.lastAttemptTime)
  return {
    name: job.name ?? '',
    state: job.state === 'PAUSED' ? 'PAUSED' : 'ENABLED',
    schedule: job.schedule ?? '',
    timeZone: job.timeZone ?? '',
    ...(scheduleTime ? { scheduleTime } : {}),
    ...(lastAttemptTime
      ? { lastAttemptTime, status: { code: job.status?.code ?? 0, message: job.status?.message ?? '' } }
      : {}),
  }
}

function toIso(time: protos.google.protobuf.ITimestamp | null | undefined): string | undefined {
  return time ? new Date(Number(time.seconds) * 1000 + (time.nanos ?? 0) / 1e6).toISOString() : undefined
}

/** A job in one to four lines, for people. */
export function describeJob(job: Job): string {
  const lines = [`${job.name.split('/').at(-1) ?? ''}  ${job.state.toLowerCase()}  ${job.schedule}`]
  if (job.state === 'ENABLED' && job.scheduleTime) lines.push(`next run at ${job.scheduleTime}`)
  if (!job.lastAttemptTime) lines.push('has not run yet')
  else if (job.status?.code === 0) lines.push(`last run at ${job.lastAttemptTime}: succeeded`)
  else {
    lines.push(`last run at ${job.lastAttemptTime}: failed ${job.status?.message ?? ''}`.trim())
    lines.push('the log of republishDiscovery says why')
  }
  return lines.join('\n')
}

if (import.meta.main) {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { project: { type: 'string' }, json: { type: 'boolean', default: false } },
    })
    const action = actions.find((each) => each === positionals[0])
    if (action === undefined) throw new Failure(USAGE)
    const job = await runSchedule(action, values.project)
    console.log(values.json ? JSON.stringify(job) : describeJob(job))
    if (action === 'run' && job.status?.code !== 0) process.exitCode = 1
  } catch (error) {
    process.exitCode = reportFailure(error)
  }
}
