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
import { watchStopSignals } from '../scripts/signals.ts'
import { measureMatching } from './agent.ts'
import { collusionTable, simulateCollusion } from './collusion.ts'
import { readsOf } from './counts.ts'
import { startFirestoreEmulator } from './emulator.ts'
import { figuresOf, textColumns, textTable, type Figure, type Result } from './figures.ts'
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
  type Republish,
  type Stage,
} from './measure.ts'
import { generateRoom, type Agent } from './room.ts'
import { seedRoom, writeAll } from './seed.ts'
import { buildArms, containerHeap, startArm, type RunningArm } from './arms.ts'
import { endWithUs } from './started.ts'
import { percentile } from './statistics.ts'
import { seaAreas, targetsOf, timeUnlinks } from './unlinks.ts'

/** The size of a run: two minutes, or everything. */
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
    samples: 0,
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
    samples: 5,
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

  const processFigure = figuresOf('Process')
  const { bundleBytes } = arms
  const note = 'ours holds all functions, the baseline only discovery'
  figures.push(
    processFigure('bundle, all files', 'kB', bundleBytes.ours / 1_000, bundleBytes.baseline / 1_000, { note }),
    validationSpeed(scope),
  )

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
    const deploy = (arm: 'ours' | 'baseline', target: string, options?: { isCounted: boolean }) =>
      startArm({ folder: arms[arm], target, projectId, firestore: emulator.host, google: keys.origin }, options)
    const start: Start = { ours: () => deploy('ours', 'api'), baseline: () => deploy('baseline', 'api') }
    figures.push(...(await pageDocuments(scope, stage, start)))
    figures.push(...(await speeds(scope, stage, start)))
    {
      await using republish = await deploy('ours', 'republishDiscovery')
      figures.push(...(await republishes(scope, stage, republish, agents)))
    }
    if (size === unlinkRoom) {
      await using republish = await deploy('ours', 'republishDiscovery')
      await using unlink = await deploy('ours', 'unlinkChannel')
      await using one = await start.ours()
      await using other = await start.ours()
      await using baseline = await start.baseline()
      figures.push(...(await unlinking(scope, stage, agents, { republish, unlink, ours: [one, other], baseline })))
    }
    // In the smallest room, where the emulator's scan adds least to the baseline's start.
    if (size === scope.sizes[0]) {
      progress('process starts')
      await stage.callers.refill()
      const plain = { isCounted: false }
      const times = { ours: [] as number[], baseline: [] as number[] }
      for (let time = 0; time < scope.starts; time += 1) {
        for (const arm of ['ours', 'baseline'] as const) {
          times[arm].push(await timeStart(() => deploy(arm, 'api', plain), stage))
        }
      }
      const [ours, baseline] = [percentile(times.ours, 0.5), percentile(times.baseline, 0.5)]
      const note = `room of ${thousands(size)}, median of ${scope.starts}`
      figures.push(
        processFigure('start to first answered discovery', 'ms', ours, baseline, { note }),
        processFigure('the same, against the baseline', 'times', ours / baseline, 1, { target: { atMost: 1.3 } }),
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
  if (scope.samples > 0) {
    progress('memory at a million')
    figures.push(...(await millionMemory()))
    progress('matching at home')
    figures.push(...(await measureMatching(scope.samples)))
    await save(figures)
    progress('the koko command')
    figures.push(...(await measureKoko(scope.samples)))
  }
  return figures
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
    const figure = figuresOf('Costs of a day, list prices of November 2026 in us-central1')
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
      figure(`${what}: Firestore documents`, 'US$', ours.costs.documents, live.costs.documents),
      figure(`${what}: all in`, 'US$', ours.total, live.total, agents === 1_000_000 ? { target: { atMost: 25 } } : {}),
    ]
  })
}

async function millionMemory(): Promise<Figure[]> {
  const running = promisify(execFile)(process.execPath, [...containerHeap, join(import.meta.dirname, 'million.ts')])
  endWithUs(running.child)
  const { stdout } = await running
  const { rssBytes, peakBytes } = JSON.parse(stdout) as { rssBytes: number; peakBytes: number }
  const note = 'a view of which more is read than it keeps, beside the generator of its shards; no server'
  const figure = figuresOf('Memory')
  return [
    figure('room of 1,000,000, after', 'MiB', rssBytes / mebibyte, null, { note }),
    figure('room of 1,000,000, peak', 'MiB', peakBytes / mebibyte, null),
  ]
}

type Start = Record<'ours' | 'baseline', () => Promise<RunningArm>>

async function pageDocuments(scope: Scope, stage: Stage, start: Start): Promise<Figure[]> {
  const figure = figuresOf(`Documents per call, room of ${thousands(stage.size)}`)
  const figures: Figure[] = []
  const add = (what: string, ours: Documents, baseline: Documents, targets: PageTargets) => {
    const row = (of: string, measure: (documents: Documents) => number, atMost?: number) => {
      const target = atMost === undefined ? {} : { target: { atMost } }
      figures.push(figure(`${what}: ${of}`, 'documents', measure(ours), measure(baseline), target))
    }
    row('shards, or listings, read', listingsOf, targets.listings)
    row('manifest and removals read', overheadOf, targets.overhead)
    row('read to check the caller', checksOf, targets.checks)
    row('written', ({ writes }) => writes, targets.written)
    const [dollars, baselineDollars] = [1_000_000 * priceOf(ours), 1_000_000 * priceOf(baseline)]
    figures.push(figure(`${what}: Firestore, a million calls`, 'US$', dollars, baselineDollars))
  }
  await using kept = await start.ours()
  await using keptBaseline = await start.baseline()
  await stage.callers.refill()
  // Fills the instance's cache.
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
    // An instance reads its view again every few seconds, for any caller. The rows count that separately.
    const warm = {
      ours: await countPages(kept, stage, pageSize, scope.walks),
      baseline: await countPages(keptBaseline, stage, pageSize, 3),
    }
    if (pageSize === 50) pagesAt.set(stage.size, warm)
    add(`first page of ${pageSize}, cold`, cold.ours.first, cold.baseline.first, { overhead: 2 })
    add(`first page of ${pageSize}, warm`, warm.ours.first, warm.baseline.first, { listings: 0, checks: 1, written: 1 })
    add(`later page of ${pageSize}, warm`, warm.ours.later, warm.baseline.later, { listings: 0, checks: 0, written: 0 })
  }
  return figures
}

/** Documents of warm pages of 50, by the size of the room. */
const pagesAt = new Map<number, Record<'ours' | 'baseline', { first: Documents; later: Documents }>>()

type PageTargets = Partial<Record<'listings' | 'overhead' | 'checks' | 'written', number>>

/** A check reads the badge, the account and the listing of the caller. */
function checksOf({ byKind: { badges = 0, accounts = 0 } }: Documents): number {
  return badges + accounts + badges
}

function overheadOf({ byKind: { manifest = 0, removals = 0 } }: Documents): number {
  return manifest + removals
}

function listingsOf({ byKind: { shards = 0, listings = 0, badges = 0 } }: Documents): number {
  // A read of the caller's own listing belongs to the check.
  return shards + Number((listings - badges).toFixed(6))
}

async function speeds(scope: Scope, stage: Stage, start: Start): Promise<Figure[]> {
  const room = `room of ${thousands(stage.size)}`
  const figure = figuresOf(`Speed, ${room}, pages of 50`)
  await using ours = await start.ours()
  await using baseline = await start.baseline()
  const figures: Figure[] = []
  const note = stage.size === 1_000 ? '' : "the emulator's own scan decides the baseline's here"
  /** Only the largest room has targets. */
  const ofLargest = (target: Figure['target']) => (stage.size === 100_000 && target ? { target } : {})
  const add = (what: string, unit: string, of: number, against: number, target?: Figure['target']) =>
    figures.push(figure(what, unit, of, against, { note, ...ofLargest(target) }))
  const inBoth = async <T>(time: (arm: RunningArm, limitMs: number) => Promise<T>): Promise<[ours: T, baseline: T]> => {
    await stage.callers.refill()
    const of = await time(ours, scope.speedMs)
    await stage.callers.refill()
    return [of, await time(baseline, scope.baselineMs)]
  }

  progress(`${room}: warming up`)
  await stage.callers.refill()
  await visitRoom(ours, stage)
  await stage.callers.refill()
  await timeWalks(ours, stage, 8, scope.speedMs / 2)
  await timeWalks(baseline, stage, 8, scope.baselineMs / 2)
  for (const workers of [1, 8]) {
    progress(`${room}: walks, connections ${workers}`)
    const [only1, only8] = [workers === 1, workers === 8]
    const connections = only1 ? '1 connection' : `${workers} connections`
    const [walks, walksAgainst] = await inBoth((arm, limitMs) => timeWalks(arm, stage, workers, limitMs))
    const [of, against] = [walks.later, walksAgainst.later]
    const speed = [walks.all.callsPerSecond, walksAgainst.all.callsPerSecond] as const
    add(`walks of 5 pages, ${connections}`, 'calls/s', ...speed, only8 ? { atLeast: 400 } : undefined)
    add(`later pages, ${connections}, p50`, 'ms', of.p50, against.p50, only1 ? { atMost: 5 } : undefined)
    add(`later pages, ${connections}, p95`, 'ms', of.p95, against.p95)
    add(`later pages, ${connections}, p99`, 'ms', of.p99, against.p99, only1 ? { atMost: 25 } : undefined)
    const [first, firstAgainst] = await inBoth((arm, limitMs) => timeFirstPages(arm, stage, workers, limitMs))
    add(`first pages, ${connections}`, 'calls/s', first.callsPerSecond, firstAgainst.callsPerSecond)
    add(`first pages, ${connections}, p50`, 'ms', first.p50, firstAgainst.p50)
    add(`first pages, ${connections}, p95`, 'ms', first.p95, firstAgainst.p95)
    add(`first pages, ${connections}, p99`, 'ms', first.p99, firstAgainst.p99, only8 ? { atMost: 60 } : undefined)
  }
  const memory = figuresOf('Memory')
  const [of, against] = [await ours.counts(), await baseline.counts()]
  const peaks = [of.peakBytes / mebibyte, against.peakBytes / mebibyte] as const
  figures.push(
    memory(`${room}, after the load`, 'MiB', of.rssBytes / mebibyte, against.rssBytes / mebibyte),
    memory(`${room}, peak`, 'MiB', ...peaks, ofLargest({ atMost: 256 })),
  )
  return figures
}

async function republishes(
  scope: Scope,
  stage: Stage,
  served: RunningArm,
  agents: readonly Agent[],
): Promise<Figure[]> {
  const figures: Figure[] = []
  let revision = 10
  progress(`room of ${thousands(stage.size)}: republish`)
  await measureRepublish(served, stage, agents.slice(0, 1), (revision += 1))
  for (const wanted of scope.changes) {
    const changes = Math.min(wanted, stage.size)
    const step = Math.floor(stage.size / changes)
    const changed = agents.filter((_, index) => index % step === 0).slice(0, changes)
    const done: Republish[] = []
    for (let time = 0; time < (changes === 1 ? scope.oneChangeTimes : 1); time += 1) {
      done.push(await measureRepublish(served, stage, changed, (revision += 1)))
    }
    const last = done.at(-1)
    if (last === undefined) continue
    const figure = figuresOf(`Republish, room of ${thousands(stage.size)}`)
    const what = changes === 1 ? 'after 1 change' : `after ${thousands(changes)} changes`
    const median = (key: 'ms' | 'msWithoutScans') =>
      percentile(
        done.map((each) => each[key]),
        0.5,
      )
    const written = last.counts.writes + last.counts.deletes
    const note = 'baseline: the whole room written again'
    const timeNote = `without the emulator's scans for the retention; with them ${Math.round(median('ms'))}`
    figures.push(
      figure(`${what}: read`, 'documents', readsOf(last.counts), stage.size, { note }),
      figure(`${what}: written`, 'documents', written, null, changes === 1 ? { target: { atMost: 6 } } : {}),
      figure(`${what}: time`, 'ms', median('msWithoutScans'), null, { note: timeNote }),
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

async function unlinking(scope: Scope, stage: Stage, agents: readonly Agent[], served: Unlinking): Promise<Figure[]> {
  const figures: Figure[] = []
  using connections = openConnections(1)
  const republish = async () => {
    const { status } = await connections.post(served.republish.origin, 'scheduler', {})
    if (status !== 200) throw new Error(`the republish answered ${status}`)
  }
  for (const schedule of ['running', 'paused'] as const) {
    progress(`room of ${thousands(stage.size)}: ${scope.unlinks} unlinks, schedule ${schedule}`)
    const area = seaAreas[schedule]
    const isRunning = schedule === 'running'
    const from = callersWanted + (isRunning ? 0 : scope.unlinks)
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
    const kept = isRunning ? keepSchedule() : Promise.resolve()
    const overMs = isRunning ? scope.unlinksOverMs : scope.unlinksOverMs / 3
    const times = await timeUnlinks(served, stage, area, targets, overMs, isRunning ? scope.waitForGoneMs : 0)
    stopping.abort()
    await kept
    const figure = figuresOf(`Unlinks: ${times.count}, room of ${thousands(stage.size)}, schedule ${schedule}`)
    const { ours, baseline, gone, answers } = times
    const note = `answers looked at: ${answers.ours} of two instances, the baseline's ${answers.baseline}; beside ${answers.load} others`
    const target = { atMost: 10 }
    figures.push(
      figure('out of every answer, p50', 's', ours.p50, baseline.p50),
      figure('out of every answer, p99', 's', ours.p99, baseline.p99),
      figure('out of every answer, worst', 's', ours.worst, baseline.worst, { target, note }),
    )
    if (!isRunning) continue
    const goneNote = `republished every ${scope.scheduleMs / 1_000} s; set for ${gone.count} of ${times.count}`
    figures.push(
      figure('to goneAtMs, p50', 's', gone.p50, null),
      figure('to goneAtMs, p99', 's', gone.p99, null, { target: { atMost: 75 }, note: goneNote }),
    )
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
  const ours = perSecond((input) => parse(schema, input))
  const baseline = perSecond((input) => JSON.parse(JSON.stringify(input)) as unknown)
  const note = 'baseline: JSON there and back, no rules'
  return figuresOf('Process')('validation of what publishProfile is sent', 'calls/s', ours, baseline, { note })
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
  process.exit(reportFailure(stopping.reason))
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
