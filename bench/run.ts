import { Firestore } from '@google-cloud/firestore'
import { parse, publishInput } from '@koko/contract'
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { root } from '../scripts/stack/addresses.ts'
import { dayOf, measure as measureOperations, priceOf } from '../scripts/costs.ts'
import { reportFailure } from '../scripts/failure.ts'
import { exitCodeOf, Stopped, watchStopSignals } from '../scripts/signals.ts'
import { measureMatching } from './agent.ts'
import { collusionTable, simulateCollusion } from './collusion.ts'
import { readsOf } from './counts.ts'
import { startFirestoreEmulator } from './emulator.ts'
import { textColumns, textTable, type Figure, type Result } from './figures.ts'
import { startKeyServer } from './keys.ts'
import { measureKoko } from './koko.ts'
import { openConnections } from './load.ts'
import {
  countPages,
  createCallers,
  measureRepublish,
  timeFirstPages,
  timeStart,
  timeWalks,
  visitRoom,
  type Documents,
  type Stage,
} from './measure.ts'
import { generateRoom } from './room.ts'
import { seedRoom, writeAll } from './seed.ts'
import { buildArms, containerHeap, startArm, type RunningArm } from './arms.ts'
import { endWithUs } from './started.ts'
import { percentile } from './statistics.ts'
import { seaAreas, targetsOf, timeUnlinks } from './unlinks.ts'

/** The size of a run: a quick look in two minutes, or everything. */
const scopes = {
  quick: {
    sizes: [1_000, 10_000],
    pageSizes: [50],
    speedMs: 600,
    baselineMs: 300,
    walks: 10,
    changes: [1, 100],
    oneChangeTimes: 3,
    starts: 1,
    unlinks: 25,
    unlinksOverMs: 3_000,
    scheduleMs: 6_000,
    waitForGoneMs: 9_000,
    validationMs: 250,
    simulated: 2_000,
    besides: 0,
  },
  full: {
    sizes: [1_000, 10_000, 100_000],
    pageSizes: [50, 200],
    speedMs: 6_000,
    baselineMs: 3_000,
    walks: 50,
    changes: [1, 100, 10_000],
    oneChangeTimes: 5,
    starts: 5,
    unlinks: 200,
    unlinksOverMs: 60_000,
    scheduleMs: 60_000,
    waitForGoneMs: 90_000,
    validationMs: 2_000,
    simulated: 100_000,
    besides: 5,
  },
}
type Scope = (typeof scopes)['quick']

/** The room in which unlinks are timed. */
const unlinkRoom = 10_000
const callersWanted = 2_000
const thousands = (size: number) => size.toLocaleString('en-US')
const mebibyte = 2 ** 20

function progress(text: string): void {
  console.error(`bench: ${(performance.now() / 1_000).toFixed(0).padStart(4)} s  ${text}`)
}

async function run(scope: Scope): Promise<Figure[]> {
  const figures: Figure[] = []
  const nowMs = Date.now()
  progress('building both arms, starting the Firestore emulator')
  await using arms = await buildArms()
  await using emulator = await startFirestoreEmulator()
  await using keys = await startKeyServer()
  process.env.FIRESTORE_EMULATOR_HOST = emulator.host
  process.env.METADATA_SERVER_DETECTION = 'none'

  figures.push({
    group: 'Process',
    what: 'bundle, all files',
    unit: 'kB',
    ours: arms.bundleBytes.ours / 1_000,
    baseline: arms.bundleBytes.baseline / 1_000,
    note: 'ours holds all functions, the baseline discovery alone',
  })
  figures.push(validationSpeed(scope))

  for (const size of scope.sizes) {
    const projectId = `demo-bench-${size}`
    const firestore = new Firestore({ projectId, ignoreUndefinedProperties: true })
    progress(`room of ${thousands(size)}: seeding`)
    const { agents } = await seedRoom(firestore, size, nowMs)
    const stage: Stage = {
      projectId,
      size,
      firestore,
      keys,
      callers: createCallers(firestore, projectId, keys, agents.slice(0, callersWanted)),
    }
    const deploy = (folder: string, target: string) => ({
      folder,
      target,
      projectId,
      firestore: emulator.host,
      google: keys.origin,
    })
    const start = {
      ours: () => startArm(deploy(arms.ours, 'api')),
      baseline: () => startArm(deploy(arms.baseline, 'api')),
    }
    figures.push(...(await pageDocuments(scope, stage, start)))
    figures.push(...(await speeds(scope, stage, start)))
    {
      await using republish = await startArm(deploy(arms.ours, 'republishDiscovery'))
      figures.push(...(await republishes(scope, stage, republish, agents)))
    }
    if (size === unlinkRoom) {
      await using republish = await startArm(deploy(arms.ours, 'republishDiscovery'))
      await using unlink = await startArm(deploy(arms.ours, 'unlinkChannel'))
      await using one = await start.ours()
      await using other = await start.ours()
      await using baseline = await start.baseline()
      figures.push(...(await unlinking(scope, stage, agents, { republish, unlink, ours: [one, other], baseline })))
    }
    // In the smallest room, where the emulator's scan is the least of the baseline's start.
    if (size === scope.sizes[0]) {
      progress('process starts')
      await stage.callers.refill()
      const plain = { isCounted: false }
      const times = { ours: [] as number[], baseline: [] as number[] }
      for (let time = 0; time < scope.starts; time += 1) {
        times.ours.push(await timeStart(() => startArm(deploy(arms.ours, 'api'), plain), stage))
        times.baseline.push(await timeStart(() => startArm(deploy(arms.baseline, 'api'), plain), stage))
      }
      const [ours, baseline] = [percentile(times.ours, 0.5), percentile(times.baseline, 0.5)]
      const note = `room of ${thousands(size)}, median of ${scope.starts}`
      figures.push(
        { group: 'Process', what: 'start to first answered discovery', unit: 'ms', ours, baseline, note },
        {
          group: 'Process',
          what: 'the same, against the baseline',
          unit: 'times',
          ours: ours / baseline,
          baseline: 1,
          target: { atMost: 1.3 },
        },
      )
    }
    await firestore.terminate()
    await save(figures)
  }
  figures.push(...(await costs(scope)))
  if (scope.simulated > 0) {
    progress('collusion')
    tables.collusion = collusionTable(await simulateCollusion(scope.simulated, nowMs), scope.simulated)
  }
  if (scope.besides > 0) {
    progress('memory at a million')
    figures.push(...(await millionMemory()))
  }
  for (const [what, measureThis] of Object.entries(besides)) {
    if (scope.besides === 0) continue
    progress(what)
    figures.push(...(await measureThis(scope.besides)))
    await save(figures)
  }
  return figures
}

/** What is measured without the directory, after all else: each samples so often, and answers its figures. */
const besides: Readonly<Record<string, (times: number) => Promise<Figure[]>>> = {
  'matching at home': measureMatching,
  'the koko command': measureKoko,
}

const tables: Record<string, string[][]> = {}

/** A day of agents, by the formulas of `npm run costs` and with the pages that were measured here. */
async function costs(scope: Scope): Promise<Figure[]> {
  progress('costs')
  const counted = await measureOperations()
  const pages = pagesAt.get(scope.sizes.at(-1) ?? 0)
  if (pages === undefined) return []
  const none = { reads: 0, writes: 0, deletes: 0 }
  return [1_000, 100_000, 1_000_000].flatMap((agents): Figure[] => {
    const group = 'Costs of a day, list prices of November 2026 in us-central1'
    const what = `${thousands(agents)} agents`
    const ours = dayOf(agents, { ...counted, firstPage: pages.ours.first, laterPage: pages.ours.later })
    const live = dayOf(agents, {
      ...counted,
      firstPage: pages.baseline.first,
      laterPage: pages.baseline.later,
      idleRun: none,
      batch: none,
      touchedShard: none,
      change: none,
    })
    return [
      {
        group,
        what: `${what}: Firestore documents`,
        unit: 'US$',
        ours: ours.costs.documents,
        baseline: live.costs.documents,
      },
      {
        group,
        what: `${what}: all in`,
        unit: 'US$',
        ours: ours.total,
        baseline: live.total,
        ...(agents === 1_000_000 ? { target: { atMost: 25 } } : {}),
      },
    ]
  })
}

async function millionMemory(): Promise<Figure[]> {
  const running = promisify(execFile)(process.execPath, [...containerHeap, join(import.meta.dirname, 'million.ts')])
  endWithUs(running.child)
  const { stdout } = await running
  const { rssBytes, peakBytes } = JSON.parse(stdout) as { rssBytes: number; peakBytes: number }
  const note = 'a view of which more is read than it keeps, beside the generator of its shards; no server'
  return [
    { group: 'Memory', what: 'room of 1,000,000, after', unit: 'MiB', ours: rssBytes / mebibyte, baseline: null, note },
    { group: 'Memory', what: 'room of 1,000,000, peak', unit: 'MiB', ours: peakBytes / mebibyte, baseline: null },
  ]
}

interface Start {
  ours: () => Promise<RunningArm>
  baseline: () => Promise<RunningArm>
}

async function pageDocuments(scope: Scope, stage: Stage, start: Start): Promise<Figure[]> {
  const group = `Documents per call, room of ${thousands(stage.size)}`
  const figures: Figure[] = []
  const add = (what: string, ours: Documents, baseline: Documents, targets: PageTargets) => {
    const row = (of: string, measure: (documents: Documents) => number, atMost?: number) =>
      figures.push({
        group,
        what: `${what}: ${of}`,
        unit: 'documents',
        ours: measure(ours),
        baseline: measure(baseline),
        ...(atMost === undefined ? {} : { target: { atMost } }),
      })
    row('shards, or listings, read', listingsOf, targets.listings)
    row('manifest and removals read', overheadOf, targets.overhead)
    row('read to check the caller', checksOf, targets.checks)
    row('written', ({ writes }) => writes, targets.written)
    figures.push({
      group,
      what: `${what}: Firestore, a million calls`,
      unit: 'US$',
      ours: 1_000_000 * priceOf(ours),
      baseline: 1_000_000 * priceOf(baseline),
    })
  }
  await using kept = await start.ours()
  await using keptBaseline = await start.baseline()
  await stage.callers.refill()
  // The whole room, so that what an instance keeps is kept.
  await visitRoom(kept, stage)
  for (const pageSize of scope.pageSizes) {
    progress(`room of ${thousands(stage.size)}: documents per call, pages of ${pageSize}`)
    await stage.callers.refill()
    await using ours = await start.ours()
    await using baseline = await start.baseline()
    const cold = {
      ours: await countPages(ours, stage, pageSize, 1),
      baseline: await countPages(baseline, stage, pageSize, 1),
    }
    // A view is read anew every few seconds, whoever calls: that is counted by itself, below.
    const warm = {
      ours: await countPages(kept, stage, pageSize, scope.walks),
      baseline: await countPages(keptBaseline, stage, pageSize, 3),
    }
    if (pageSize === 50) pagesAt.set(stage.size, { ours: warm.ours, baseline: warm.baseline })
    add(`first page of ${pageSize}, cold`, cold.ours.first, cold.baseline.first, { overhead: 2 })
    add(`first page of ${pageSize}, warm`, warm.ours.first, warm.baseline.first, { listings: 0, checks: 1, written: 1 })
    add(`later page of ${pageSize}, warm`, warm.ours.later, warm.baseline.later, { listings: 0, checks: 0, written: 0 })
  }
  return figures
}

/** Documents of warm pages of 50, by the size of the room. */
const pagesAt = new Map<number, Record<'ours' | 'baseline', { first: Documents; later: Documents }>>()

interface PageTargets {
  listings?: number
  overhead?: number
  checks?: number
  written?: number
}

/** A check reads the badge, the account and the listing of the caller. */
function checksOf({ byKind: { badges = 0, accounts = 0 } }: Documents): number {
  return badges + accounts + badges
}

function overheadOf({ byKind: { manifest = 0, removals = 0 } }: Documents): number {
  return manifest + removals
}

function listingsOf({ byKind: { shards = 0, listings = 0, badges = 0 } }: Documents): number {
  // What is read of the caller's own listing is a check.
  return shards + Number((listings - badges).toFixed(6))
}

async function speeds(scope: Scope, stage: Stage, start: Start): Promise<Figure[]> {
  const group = `Speed, room of ${thousands(stage.size)}, pages of 50`
  const isLarge = stage.size === 100_000
  const isCompared = stage.size === 1_000
  await using ours = await start.ours()
  await using baseline = await start.baseline()
  const figures: Figure[] = []
  const note = isCompared ? '' : "the emulator's own scan decides the baseline's here"
  const target = (bound: { atMost: number } | { atLeast: number }) => (isLarge ? { target: bound } : {})
  const add = (
    what: string,
    unit: string,
    of: number,
    against: number,
    bound?: { atMost: number } | { atLeast: number },
  ) =>
    figures.push({
      group,
      what,
      unit,
      ours: of,
      baseline: against,
      note,
      ...(bound === undefined ? {} : target(bound)),
    })

  progress(`room of ${thousands(stage.size)}: warming up`)
  await stage.callers.refill()
  await visitRoom(ours, stage)
  await stage.callers.refill()
  await timeWalks(ours, stage, 8, scope.speedMs / 2)
  await timeWalks(baseline, stage, 8, scope.baselineMs / 2)
  for (const workers of [1, 8]) {
    progress(`room of ${thousands(stage.size)}: walks, connections ${workers}`)
    await stage.callers.refill()
    const of = await timeWalks(ours, stage, workers, scope.speedMs)
    await stage.callers.refill()
    const against = await timeWalks(baseline, stage, workers, scope.baselineMs)
    const connections = workers === 1 ? '1 connection' : `${workers} connections`
    add(
      `walks of 5 pages, ${connections}`,
      'calls/s',
      of.all.callsPerSecond,
      against.all.callsPerSecond,
      workers === 8 ? { atLeast: 400 } : undefined,
    )
    add(
      `later pages, ${connections}, p50`,
      'ms',
      of.later.p50,
      against.later.p50,
      workers === 1 ? { atMost: 5 } : undefined,
    )
    add(`later pages, ${connections}, p95`, 'ms', of.later.p95, against.later.p95)
    add(
      `later pages, ${connections}, p99`,
      'ms',
      of.later.p99,
      against.later.p99,
      workers === 1 ? { atMost: 25 } : undefined,
    )
    await stage.callers.refill()
    const first = await timeFirstPages(ours, stage, workers, scope.speedMs)
    await stage.callers.refill()
    const firstAgainst = await timeFirstPages(baseline, stage, workers, scope.baselineMs)
    add(`first pages, ${connections}`, 'calls/s', first.callsPerSecond, firstAgainst.callsPerSecond)
    add(`first pages, ${connections}, p50`, 'ms', first.p50, firstAgainst.p50)
    add(`first pages, ${connections}, p95`, 'ms', first.p95, firstAgainst.p95)
    add(
      `first pages, ${connections}, p99`,
      'ms',
      first.p99,
      firstAgainst.p99,
      workers === 8 ? { atMost: 60 } : undefined,
    )
  }
  const [memory, memoryAgainst] = [await ours.counts(), await baseline.counts()]
  const what = `room of ${thousands(stage.size)}`
  figures.push(
    {
      group: 'Memory',
      what: `${what}, after the load`,
      unit: 'MiB',
      ours: memory.rssBytes / mebibyte,
      baseline: memoryAgainst.rssBytes / mebibyte,
    },
    {
      group: 'Memory',
      what: `${what}, peak`,
      unit: 'MiB',
      ours: memory.peakBytes / mebibyte,
      baseline: memoryAgainst.peakBytes / mebibyte,
      ...target({ atMost: 256 }),
    },
  )
  return figures
}

async function republishes(
  scope: Scope,
  stage: Stage,
  served: RunningArm,
  agents: Parameters<typeof measureRepublish>[2],
): Promise<Figure[]> {
  const figures: Figure[] = []
  let revision = 10
  progress(`room of ${thousands(stage.size)}: republish`)
  await measureRepublish(served, stage, agents.slice(0, 1), (revision += 1))
  for (const wanted of scope.changes) {
    const changes = Math.min(wanted, stage.size)
    const step = Math.floor(stage.size / changes)
    const changed = agents.filter((_, index) => index % step === 0).slice(0, changes)
    const done = []
    for (let time = 0; time < (changes === 1 ? scope.oneChangeTimes : 1); time += 1) {
      done.push(await measureRepublish(served, stage, changed, (revision += 1)))
    }
    const last = done.at(-1)
    if (last === undefined) continue
    const group = `Republish, room of ${thousands(stage.size)}`
    const what = changes === 1 ? 'after 1 change' : `after ${thousands(changes)} changes`
    const six = changes === 1 ? { target: { atMost: 6 } } : {}
    const scanned = stage.size
    figures.push(
      {
        group,
        what: `${what}: read`,
        unit: 'documents',
        ours: readsOf(last.counts),
        baseline: scanned,
        note: 'baseline: the room written anew',
      },
      {
        group,
        what: `${what}: written`,
        unit: 'documents',
        ours: last.counts.writes + last.counts.deletes,
        baseline: null,
        ...six,
      },
      {
        group,
        what: `${what}: time`,
        unit: 'ms',
        ours: percentile(
          done.map(({ msWithoutScans }) => msWithoutScans),
          0.5,
        ),
        baseline: null,
        note: `without the emulator's scans for the retention; with them ${Math.round(
          percentile(
            done.map(({ ms }) => ms),
            0.5,
          ),
        )}`,
      },
    )
  }
  return figures
}

interface Unlinking {
  republish: RunningArm
  unlink: RunningArm
  ours: RunningArm[]
  baseline: RunningArm
}

async function unlinking(
  scope: Scope,
  stage: Stage,
  agents: Parameters<typeof measureRepublish>[2],
  served: Unlinking,
): Promise<Figure[]> {
  const figures: Figure[] = []
  using connections = openConnections(1)
  const republish = async () => {
    const { status } = await connections.post(served.republish.origin, 'scheduler', {})
    if (status !== 200) throw new Error(`the republish answered ${status}`)
  }
  for (const schedule of ['running', 'paused'] as const) {
    progress(`room of ${thousands(stage.size)}: ${scope.unlinks} unlinks, schedule ${schedule}`)
    const area = seaAreas[schedule]
    const from = callersWanted + (schedule === 'running' ? 0 : scope.unlinks)
    const targets = agents.slice(from, from + scope.unlinks)
    await writeAll(stage.firestore, targetsOf(area, targets, 100))
    await republish()
    await stage.callers.refill()
    const stopping = new AbortController()
    const isStopped = () => stopping.signal.aborted
    const keepSchedule = async () => {
      while (!isStopped()) {
        await delay(scope.scheduleMs, undefined, { signal: stopping.signal }).catch(() => undefined)
        if (!isStopped()) await republish()
      }
    }
    const kept = schedule === 'running' ? keepSchedule() : Promise.resolve()
    const overMs = schedule === 'running' ? scope.unlinksOverMs : scope.unlinksOverMs / 3
    const times = await timeUnlinks(
      served,
      stage,
      area,
      targets,
      overMs,
      schedule === 'running' ? scope.waitForGoneMs : 0,
    )
    stopping.abort()
    await kept
    const group = `Unlinks: ${times.count}, room of ${thousands(stage.size)}, schedule ${schedule}`
    const note = `answers looked at: ${times.answers.ours} of two instances, the baseline's ${times.answers.baseline}; beside ${times.answers.load} others`
    figures.push(
      { group, what: 'out of every answer, p50', unit: 's', ours: times.ours.p50, baseline: times.baseline.p50 },
      { group, what: 'out of every answer, p99', unit: 's', ours: times.ours.p99, baseline: times.baseline.p99 },
      {
        group,
        what: 'out of every answer, worst',
        unit: 's',
        ours: times.ours.worst,
        baseline: times.baseline.worst,
        target: { atMost: 10 },
        note,
      },
    )
    if (schedule === 'running') {
      const goneNote = `republished every ${scope.scheduleMs / 1_000} s; set for ${times.gone.count} of ${times.count}`
      figures.push(
        { group, what: 'to goneAtMs, p50', unit: 's', ours: times.gone.p50, baseline: null },
        {
          group,
          what: 'to goneAtMs, p99',
          unit: 's',
          ours: times.gone.p99,
          baseline: null,
          target: { atMost: 75 },
          note: goneNote,
        },
      )
    }
  }
  return figures
}

/** What `publishProfile` accepts, parsed over and over in this process. */
function validationSpeed({ validationMs }: Scope): Figure {
  const schema = publishInput('dating')
  const inputs = [...generateRoom(200, Date.now())].map(({ listing: { channels, profile } }) => ({ channels, profile }))
  const perSecond = (work: (input: (typeof inputs)[number]) => unknown) => {
    for (const input of inputs) work(input)
    const startedMs = performance.now()
    let count = 0
    while (performance.now() - startedMs < validationMs) {
      for (const input of inputs) work(input)
      count += inputs.length
    }
    return (count / (performance.now() - startedMs)) * 1_000
  }
  return {
    group: 'Process',
    what: 'validation of what publishProfile is sent',
    unit: 'calls/s',
    ours: perSecond((input) => parse(schema, input)),
    baseline: perSecond((input) => JSON.parse(JSON.stringify(input)) as unknown),
    note: 'baseline: JSON there and back, no rules',
  }
}

const isQuick = process.argv.includes('--quick')

/** Writes the figures so far, so that an interrupted run leaves a result. */
async function save(figures: readonly Figure[]): Promise<string> {
  const [processor] = cpus()
  const machine = {
    processor: processor?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadAverage: loadavg(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  }
  const folder = join(root, 'bench', 'results')
  await mkdir(folder, { recursive: true })
  const name = isQuick ? 'quick.json' : 'full.json'
  const seconds = Math.round(performance.now() / 1_000)
  const result: Result = { date: new Date().toISOString(), seconds, machine, figures: [...figures], tables }
  await writeFile(join(folder, name), `${JSON.stringify(result, null, 2)}\n`)
  return `bench/results/${name}`
}

const stopping = watchStopSignals()
stopping.addEventListener('abort', () => {
  // Everything the run started ends with this process.
  const { reason } = stopping as { reason: unknown }
  process.exit(reason instanceof Stopped ? exitCodeOf(reason.signal) : 1)
})
try {
  const figures = await run(isQuick ? scopes.quick : scopes.full)
  const path = await save(figures)
  console.log(textTable(figures))
  for (const [name, rows] of Object.entries(tables)) console.log(`\n${name}\n${textColumns(rows)}`)
  progress(`done: ${path}`)
} catch (error) {
  process.exitCode = reportFailure(error)
}
