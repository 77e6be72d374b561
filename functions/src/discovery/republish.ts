import { DirectoryError, Listing, RoomName, rooms, Unlinks } from '@koko/contract'
import { withCheckedClock } from '../checked-clock.ts'
import { Change, DamagedShard, idOf, parseStored, paths, Run, type Manifest, type Shard } from '../documents.ts'
import {
  changesPerQuery,
  damageReportsPerRun,
  firstChangesPerQuery,
  maxHalvings,
  republishBudgetMs,
  republishLimits,
  type RepublishLimits,
} from '../limits.ts'
import { deleteDepartedSignIns, removeInactiveAgents } from '../directory/retention.ts'
import type { Fields, Ports, Store, Stored, Transaction } from '../ports.ts'
import {
  areasOf,
  planBatches,
  planRewrite,
  planTidying,
  planUnlinksGone,
  planUpdates,
  type Batch,
  type EntryUpdate,
} from './plan-republish.ts'
import { findRebuild, loseBroken, rebuildStep } from './rebuild.ts'
import { entriesOf, manifestOf, readManifest, type ShardInfo } from './shards.ts'

/** What a run did. It has only numbers, because it is logged. */
interface RepublishReport {
  agents: number
  shardsWritten: number
  removedForRetention: number
  /** Agents, or rooms, that could not be brought up to date because a document has an unknown shape. */
  failed: number
  /** False if the run stopped with work left; the next run continues. */
  finished: boolean
}

/** Work of a run in short steps, each of which keeps what it did. */
type Work = AsyncGenerator<unknown, void>

/**
 * Applies every committed change to the discovery shards, with work in proportion to the changes, and keeps them whole.
 * Each step is one transaction that re-reads what it writes, so a run may be killed anywhere, and two may run side by
 * side. The kinds of work take turns, step by step, so that none holds up another for long.
 *
 * `machineNow` is only compared with the database's clock, which alone decides.
 */
export async function republishDiscovery(
  given: Ports,
  machineNow: () => Date,
  limits: RepublishLimits = republishLimits,
  onFault: (error: unknown) => void = () => undefined,
): Promise<RepublishReport> {
  const ports: Ports = { ...given, store: withCheckedClock(given.store, machineNow) }
  const { store, monotonicMs } = ports
  const startedMs = monotonicMs()
  const hasTime = () => monotonicMs() - startedMs < republishBudgetMs
  const report: RepublishReport = { agents: 0, shardsWritten: 0, removedForRetention: 0, failed: 0, finished: false }

  const { startedAt, cutOffRuns } = await beginRun(store)
  const beganMs = monotonicMs()
  const now = () => new Date(startedAt.getTime() + monotonicMs() - beganMs)
  const smaller = (unit: number) => Math.max(1, Math.floor(unit / 2 ** Math.min(cutOffRuns, maxHalvings)))
  const batchLimits: RepublishLimits = {
    ...limits,
    batchAgents: smaller(limits.batchAgents),
    batchShards: smaller(limits.batchShards),
  }

  /** A document of an unknown shape fails this work only; the run then does not count as finished. */
  const isolate = async <T>(work: () => Promise<T>): Promise<T | 'failed'> => {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof DirectoryError) || error.code !== 'internal') throw error
      onFault(error)
      return 'failed'
    }
  }
  const apply = async (batch: Batch): Promise<void> => {
    const applied = await isolate(() => applyBatch(ports, batch, batchLimits))
    if (applied !== 'failed') {
      report.agents += applied.agents
      report.shardsWritten += applied.shards
      return
    }
    const { room, agentIds } = batch
    const half = agentIds.length >>> 1
    if (half === 0) report.failed += 1
    else for (const ids of [agentIds.slice(0, half), agentIds.slice(half)]) await apply({ room, agentIds: ids })
  }

  async function* applyChanges(): Work {
    const queryChanges = (limit: number, afterId?: string) =>
      store.query({ collection: 'changes', limit: smaller(limit), ...(afterId === undefined ? {} : { afterId }) })
    let page = await queryChanges(firstChangesPerQuery)
    for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
      const changes = page.flatMap(({ path, fields }) => {
        const change = Change.safeParse(fields).data
        return change === undefined ? [] : [{ agentId: idOf(path), change }]
      })
      for (const [room, ofRoom] of Map.groupBy(changes, ({ change }) => change.room)) {
        for (const batch of planBatches(room, await readManifest(store, room, now()), ofRoom, batchLimits)) {
          await apply(batch)
          yield
        }
      }
      page = await queryChanges(changesPerQuery, idOf(last.path))
    }
  }
  let isPublished = false
  async function* publish(): Work {
    try {
      yield* applyChanges()
    } finally {
      isPublished = true
    }
  }

  /** Rebuilds lost shards, merges small neighbours and drops agents that went offline, until the changes are applied. */
  async function* settle(room: RoomName, reports: readonly Stored[]): Work {
    yield* loseBroken(ports, room, reports, startedAt)
    for (let seen: number | null = null; ;) {
      if (seen !== report.shardsWritten) {
        seen = report.shardsWritten
        const manifest = await readManifest(store, room, now())
        if (findRebuild(manifest, now()) >= 0) {
          const rebuild = (transaction: Transaction) =>
            rebuildStep(ports, transaction, room, smaller(limits.shardAgents), limits)
          report.shardsWritten += (await store.transaction(rebuild)) ?? 0
          yield
        }
        if (planTidying(manifest, onlineSince(room, now()), limits).length > 0) {
          report.shardsWritten += await tidy(ports, room, batchLimits)
          yield
        }
      } else if (isPublished) return
      else yield
    }
  }
  async function* removeInactive(): Work {
    for await (const isRemoved of removeInactiveAgents(ports, now, onFault)) {
      if (isRemoved) report.removedForRetention += 1
      yield
    }
    if (report.removedForRetention > 0) yield* applyChanges()
  }

  const reports = await readReports(store)
  const due = [publish(), ...RoomName.options.map((room) => settle(room, reports.get(room) ?? []))]
  // These can wait, so a run finishes without them.
  const later = [removeInactive(), deleteDepartedSignIns(ports, now, onFault)]
  const all = [...due, ...later]
  // If runs are always cut off at the same place, each kind of work is the first of one of them.
  const first = cutOffRuns % all.length
  const waiting = new Set<Work>([...all.slice(first), ...all.slice(0, first)])
  let isEnded = false
  while (waiting.size > 0 && hasTime()) {
    for (const work of waiting) {
      if (!hasTime()) break
      const step = await isolate(() => work.next())
      if (step === 'failed') report.failed += 1
      if (step === 'failed' || step.done === true) waiting.delete(work)
    }
    if (isEnded || due.some((work) => waiting.has(work))) continue
    isEnded = true
    report.finished = report.failed === 0
    await endRun(store, report.finished)
  }
  if (!isEnded) await endRun(store, false)
  return report
}

/** Counts this run as cut off until it ends. Returns the database's time, and how many runs before it were cut off. */
async function beginRun(store: Store): Promise<{ startedAt: Date; cutOffRuns: number }> {
  return store.transaction(async (transaction) => {
    const run = runOf(await transaction.get([paths.republishRun]))
    transaction.set(paths.republishRun, { ...run, cutOffRuns: run.cutOffRuns + 1 } satisfies Run)
    return { startedAt: transaction.readTime(), cutOffRuns: run.cutOffRuns }
  })
}

async function endRun(store: Store, isFinished: boolean): Promise<void> {
  await store.transaction(async (transaction) => {
    const { finishedAtMs } = runOf(await transaction.get([paths.republishRun]))
    transaction.set(paths.republishRun, {
      finishedAtMs: isFinished ? transaction.readTime().getTime() : finishedAtMs,
      cutOffRuns: 0,
    } satisfies Run)
  })
}

function runOf([fields]: (Fields | null)[]): Run {
  return Run.safeParse(fields).data ?? { finishedAtMs: null, cutOffRuns: 0 }
}

/** The reports of damaged shards, by room. Deletes those that this version cannot read. */
async function readReports(store: Store): Promise<Map<RoomName, Stored[]>> {
  const found = await store.query({ collection: 'damagedShards', limit: damageReportsPerRun })
  const byRoom = Map.groupBy(found, ({ fields }) => DamagedShard.safeParse(fields).data?.room ?? null)
  const unreadable = byRoom.get(null) ?? []
  if (unreadable.length > 0) {
    await store.transaction((transaction) => {
      for (const { path } of unreadable) transaction.delete(path)
      return Promise.resolve()
    })
  }
  return new Map([...byRoom].flatMap(([room, ofRoom]) => (room === null ? [] : [[room, ofRoom]])))
}

function onlineSince(room: RoomName, now: Date): number {
  return now.getTime() - rooms[room].onlineWindowMs
}

/** Rewrites the shards that these agents touch, from their current listings. */
async function applyBatch(ports: Ports, { room, agentIds }: Batch, limits: RepublishLimits) {
  return ports.store.transaction(async (transaction) => {
    const read = [paths.manifest(room), ...agentIds.map(paths.change)]
    const [manifestFields, ...changeFields] = await transaction.get(read)
    const now = transaction.readTime()
    const manifest = manifestOf(manifestFields, now)
    const changes = agentIds.flatMap((agentId, index) => {
      const change = parseStored(Change, changeFields[index] ?? null)
      return change === null ? [] : [{ agentId, change }]
    })
    if (changes.length === 0) return { agents: 0, shards: 0 }

    const listings = await transaction.get(changes.map(({ agentId }) => paths.listing(room, agentId)))
    const unlinked = changes.filter(({ change }) => change.unlinked)
    const unlinks = await transaction.get(unlinked.map(({ agentId }) => paths.unlinks(agentId)))
    const updates = changes.map(({ agentId, change }, index): EntryUpdate => {
      // A listing that does not parse is not served.
      const listing = Listing.safeParse(listings[index])
      const entry =
        listing.success && listing.data.profile.area === change.to
          ? { revision: change.revision, placedAt: manifest.revision + 1, listing: listing.data }
          : null
      return { agentId, areas: areasOf(change), entry }
    })
    const touched = planUpdates(manifest, updates)
    const shards = await rewrite(ports, transaction, room, manifest, touched, updates, now, limits)

    for (const { agentId } of changes) {
      transaction.delete(paths.change(agentId))
      transaction.delete(paths.removal(agentId))
    }
    unlinked.forEach(({ agentId }, index) => {
      const stored = Unlinks.safeParse(unlinks[index])
      if (stored.success) transaction.set(paths.unlinks(agentId), planUnlinksGone(stored.data, now))
    })
    return { agents: changes.length, shards }
  })
}

/** Merges small neighbours and drops agents that went offline, in a few shards. Returns how many it wrote. */
async function tidy(ports: Ports, room: RoomName, limits: RepublishLimits): Promise<number> {
  return ports.store.transaction(async (transaction) => {
    const [fields] = await transaction.get([paths.manifest(room)])
    const now = transaction.readTime()
    const manifest = manifestOf(fields, now)
    const groups = planTidying(manifest, onlineSince(room, now), limits)
    const some = groups.slice(0, Math.max(1, limits.batchShards / 2))
    return rewrite(ports, transaction, room, manifest, some, [], now, limits)
  })
}

/** Reads the shards of the groups, the transaction's last reads, and rewrites them. Returns how many it wrote. */
async function rewrite(
  { codec }: Ports,
  transaction: Transaction,
  room: RoomName,
  manifest: Manifest,
  groups: readonly (readonly ShardInfo[])[],
  updates: readonly EntryUpdate[],
  now: Date,
  limits: RepublishLimits,
): Promise<number> {
  const sources = groups.flat()
  if (sources.length === 0) return 0
  const stored = await transaction.get(sources.map(({ id }) => paths.shard(room, id)))
  const held = new Map(sources.map((source, index) => [source, entriesOf(codec, source, stored[index])]))
  const plan = planRewrite(codec, manifest, groups, held, updates, now, limits)
  const { revision } = plan.manifest
  for (const { id, bytes } of plan.shards) {
    transaction.set(paths.shard(room, id), { revision, entries: bytes } satisfies Shard)
  }
  for (const id of plan.deletedIds) transaction.delete(paths.shard(room, id))
  transaction.set(paths.manifest(room), plan.manifest)
  return plan.shards.length
}
