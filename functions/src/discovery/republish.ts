import { DirectoryError, Listing, RoomName, rooms, Unlinks } from '@koko/contract'
import { Change, idOf, pagesOf, parseStored, paths, type Manifest, type Run, type Shard } from '../documents.ts'
import { changesPerQuery, republishBudgetMs, republishLimits, type RepublishLimits } from '../limits.ts'
import { deleteDepartedSignIns, removeInactiveAgents } from '../directory/retention.ts'
import type { Ports, Transaction } from '../ports.ts'
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
import { findBroken, rebuildStep } from './rebuild.ts'
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

/**
 * Applies every committed change to the discovery shards, with work in proportion to the changes. Each step is one
 * transaction that re-reads what it writes, so a run may be killed anywhere, and two may run side by side.
 */
export async function republishDiscovery(
  ports: Ports,
  now: () => Date,
  limits: RepublishLimits = republishLimits,
  onFault: (error: unknown) => void = () => undefined,
): Promise<RepublishReport> {
  const startedMs = ports.monotonicMs()
  const hasTime = () => ports.monotonicMs() - startedMs < republishBudgetMs
  const report: RepublishReport = { agents: 0, shardsWritten: 0, removedForRetention: 0, failed: 0, finished: true }

  /** A document of an unknown shape fails this work only; the run then does not count as finished. */
  const isolate = async (work: () => Promise<void>): Promise<boolean> => {
    try {
      await work()
      return true
    } catch (error) {
      if (!(error instanceof DirectoryError) || error.code !== 'internal') throw error
      onFault(error)
      return false
    }
  }
  const apply = async (batch: Batch): Promise<void> => {
    const isApplied = await isolate(async () => {
      const applied = await applyBatch(ports, batch, now(), limits)
      report.agents += applied.agents
      report.shardsWritten += applied.shards
    })
    if (isApplied) return
    const { room, agentIds } = batch
    const half = agentIds.length >>> 1
    if (half === 0) report.failed += 1
    else for (const ids of [agentIds.slice(0, half), agentIds.slice(half)]) await apply({ room, agentIds: ids })
  }

  const applyChanges = async () => {
    for await (const page of pagesOf(ports.store, { collection: 'changes', limit: changesPerQuery })) {
      const changes = page.flatMap(({ path, fields }) => {
        const change = Change.safeParse(fields).data
        return change === undefined ? [] : [{ agentId: idOf(path), change }]
      })
      for (const [room, ofRoom] of Map.groupBy(changes, ({ change }) => change.room)) {
        for (const batch of planBatches(room, await readManifest(ports.store, room, now()), ofRoom, limits)) {
          if (!hasTime()) return
          await apply(batch)
        }
      }
    }
  }
  await applyChanges()
  for (const room of RoomName.options) {
    const isTidy = await isolate(async () => {
      report.shardsWritten += await tidy(ports, room, now(), hasTime, limits)
    })
    if (!isTidy) report.failed += 1
  }
  report.finished = hasTime() && report.failed === 0
  if (report.finished) {
    await ports.store.transaction((transaction) => {
      transaction.set(paths.republishRun, { finishedAtMs: now().getTime() } satisfies Run)
      return Promise.resolve()
    })
  }
  // These can wait, so they come last and use the remaining time.
  report.removedForRetention = await removeInactiveAgents(ports, now(), hasTime, onFault)
  if (report.removedForRetention > 0) await applyChanges()
  await deleteDepartedSignIns(ports, now(), hasTime, onFault)
  return report
}

/** Rewrites the shards that these agents touch, from their current listings. */
async function applyBatch(ports: Ports, { room, agentIds }: Batch, now: Date, limits: RepublishLimits) {
  return ports.store.transaction(async (transaction) => {
    const read = [paths.manifest(room), ...agentIds.map(paths.change)]
    const [manifestFields, ...changeFields] = await transaction.get(read)
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

/** Rebuilds lost shards, merges small neighbours and drops agents that went offline. Returns how many shards it wrote. */
async function tidy(
  ports: Ports,
  room: RoomName,
  now: Date,
  hasTime: () => boolean,
  limits: RepublishLimits,
): Promise<number> {
  const broken = await findBroken(ports, room, now)
  let total = 0
  const repeat = async (step: (transaction: Transaction) => Promise<number | null>) => {
    while (hasTime()) {
      const written = await ports.store.transaction(step)
      if (written === null) return
      total += written
    }
  }
  for (const id of broken) {
    if (!hasTime()) return total
    // The rewrite marks the shard as lost, unless another run has written it since.
    total += await ports.store.transaction(async (transaction) => {
      const manifest = await readManifest(transaction, room, now)
      const groups = manifest.shards.filter((shard) => shard.id === id).map((shard) => [shard])
      return rewrite(ports, transaction, room, manifest, groups, [], now, limits)
    })
  }
  await repeat((transaction) => rebuildStep(ports, transaction, room, now, limits))
  await repeat(async (transaction) => {
    const manifest = await readManifest(transaction, room, now)
    const due = planTidying(manifest, now.getTime() - rooms[room].onlineWindowMs, limits)
    if (due.length === 0) return null
    return rewrite(ports, transaction, room, manifest, due.slice(0, limits.batchShards / 2), [], now, limits)
  })
  return total
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
