import { Channel, DirectoryError, isOnline, Listing, RoomName, rooms, Unlinks } from '@koko/contract'
import type { Entry, Run } from '../documents.ts'
import { Change, Departure, paths, parseStored, type Manifest, type Shard } from '../documents.ts'
import {
  mostChanges,
  republishBudgetMs,
  republishLimits,
  retentionBatch,
  retentionMs,
  type RepublishLimits,
} from '../limits.ts'
import type { Fields, Ports, Stored, Transaction } from '../ports.ts'
import { findBroken, rebuildStep } from './rebuild.ts'
import { removeAgent } from '../directory/removal.ts'
import {
  entriesOf,
  entryKey,
  infoOf,
  keyOf,
  lostStretch,
  manifestOf,
  packStretch,
  planMerges,
  shardAt,
  type ShardInfo,
} from './shards.ts'

const roomNames = RoomName.options

/** What a run did. Numbers only: this is logged. */
export interface RepublishReport {
  agents: number
  shardsWritten: number
  removedForRetention: number
  /** Agents, or rooms, that a document in a form that is not ours kept from being brought up to date. */
  failed: number
  /** False where the run stopped with work left; the next one goes on. */
  finished: boolean
}

/**
 * Brings the discovery shards up to every change that was committed, in proportion to the changes. Each step is one
 * transaction that re-reads what it writes, so that a run may be killed anywhere, and two may run side by side.
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

  /** A document in a form that is not ours stands in nobody else's way; the run is then not said to have finished. */
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
    const { room, agentIds } = batch
    const half = agentIds.length >>> 1
    if (isApplied) return
    if (half === 0) {
      report.failed += 1
      return
    }
    await apply({ room, agentIds: agentIds.slice(0, half) })
    await apply({ room, agentIds: agentIds.slice(half) })
  }

  const applyChanges = async () => {
    let afterId: string | undefined
    for (;;) {
      const after = afterId === undefined ? {} : { afterId }
      const stored = await ports.store.query({ collection: 'changes', limit: mostChanges, ...after })
      for (const batch of await planBatches(ports, stored, now(), limits)) {
        if (!hasTime()) return
        await apply(batch)
      }
      const last = stored.at(-1)
      if (last === undefined) return
      afterId = idOf(last)
    }
  }
  await applyChanges()
  for (const room of roomNames) {
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
  // Last, and with what time is left: nobody waits for it.
  report.removedForRetention = await retire(ports, now(), hasTime, onFault)
  if (report.removedForRetention > 0) await applyChanges()
  await forgetDepartures(ports, now(), hasTime, onFault)
  return report
}

interface Batch {
  room: RoomName
  agentIds: string[]
}

/** Groups changed agents by the shards they touch, so that a transaction rewrites few shards for many agents. */
async function planBatches(
  { store }: Ports,
  stored: readonly Stored[],
  now: Date,
  limits: RepublishLimits,
): Promise<Batch[]> {
  const batches: Batch[] = []
  for (const room of roomNames) {
    const [fields] = await store.get([paths.manifest(room)])
    const manifest = manifestOf(fields, now)
    const changes = stored.flatMap((document) => {
      const change = Change.safeParse(document.fields)
      return change.success && isOf(room, change.data) ? [{ agentId: idOf(document), change: change.data }] : []
    })
    batches.push(...planRoomBatches(room, manifest, changes, limits))
  }
  return batches
}

export function planRoomBatches(
  room: RoomName,
  manifest: Manifest,
  changes: readonly { agentId: string; change: Change }[],
  limits: RepublishLimits,
): Batch[] {
  const placed = changes
    .map(({ agentId, change }) => ({
      agentId,
      shards: [...new Set(areasOf(change).map((area) => shardAt(manifest.shards, keyOf(area, agentId))))].sort(
        (a, b) => a - b,
      ),
    }))
    .sort((a, b) => (a.shards[0] ?? -1) - (b.shards[0] ?? -1))
  const batches: Batch[] = []
  let agentIds: string[] = []
  let shards = new Set<number>()
  for (const change of placed) {
    const together = new Set([...shards, ...change.shards])
    if (agentIds.length > 0 && (agentIds.length >= limits.batchAgents || together.size > limits.batchShards)) {
      batches.push({ room, agentIds })
      agentIds = []
      shards = new Set(change.shards)
    } else {
      shards = together
    }
    agentIds.push(change.agentId)
  }
  if (agentIds.length > 0) batches.push({ room, agentIds })
  return batches
}

/** Rewrites the shards that these agents touch, from their listings as they are now. */
async function applyBatch(ports: Ports, { room, agentIds }: Batch, now: Date, limits: RepublishLimits) {
  return ports.store.transaction(async (transaction) => {
    const [manifestFields, ...changeFields] = await transaction.get([
      paths.manifest(room),
      ...agentIds.map(paths.change),
    ])
    const manifest = manifestOf(manifestFields, now)
    const changes = agentIds.flatMap((agentId, index) => {
      const change = parseStored(Change, changeFields[index] ?? null)
      return change === null ? [] : [{ agentId, change }]
    })
    if (changes.length === 0) return { agents: 0, shards: 0 }

    const listings = await transaction.get(changes.map(({ agentId }) => paths.listing(room, agentId)))
    const unlinked = changes.filter(({ change }) => change.unlinked)
    const unlinks = await transaction.get(unlinked.map(({ agentId }) => paths.unlinks(agentId)))
    const visits = changes.map(({ agentId, change }, index): Visit => {
      // A listing that cannot be read is not served.
      const listing = Listing.safeParse(listings[index])
      const entry =
        listing.success && listing.data.profile.area === change.to
          ? { revision: change.revision, placedAt: manifest.revision + 1, listing: listing.data }
          : null
      return { agentId, areas: areasOf(change), entry }
    })
    const touched = new Set(
      visits.flatMap(({ agentId, areas }) => areas.map((area) => shardAt(manifest.shards, keyOf(area, agentId)))),
    )
    const stretches = manifest.shards.filter((_, index) => touched.has(index)).map((shard) => [shard])
    const shards = await rewrite(ports, transaction, room, manifest, stretches, visits, now, limits)

    for (const { agentId } of changes) {
      transaction.delete(paths.change(agentId))
      transaction.delete(paths.removal(agentId))
    }
    unlinked.forEach(({ agentId }, index) => settleUnlinks(transaction, agentId, unlinks[index] ?? null, now))
    return { agents: changes.length, shards }
  })
}

/** Where the agent's entry may be, and where it is to be. */
function areasOf({ from, to }: Change): string[] {
  return [...new Set([from, to])].filter((area) => area !== null)
}

/** An agent's place in the shards: out of every area named, and in again with its entry, if it has one. */
interface Visit {
  agentId: string
  areas: readonly string[]
  entry: Entry | null
}

/** No shard holds the handles of these unlinks any more. */
function settleUnlinks(transaction: Transaction, agentId: string, fields: Fields | null, now: Date): void {
  const unlinks = Unlinks.safeParse(fields)
  if (!unlinks.success) return
  const settled: Unlinks = {}
  for (const channel of Channel.options) {
    const unlink = unlinks.data[channel]
    if (unlink === undefined) continue
    settled[channel] = { ...unlink, goneAtMs: unlink.goneAtMs ?? Math.max(now.getTime(), unlink.unlinkedAtMs) }
  }
  transaction.set(paths.unlinks(agentId), settled)
}

/**
 * Rebuilds what was lost, merges small neighbours and drops what went offline, until nothing is due. Returns how many
 * shards were written.
 */
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
  const inManifest = async (transaction: Transaction) => {
    const [fields] = await transaction.get([paths.manifest(room)])
    return manifestOf(fields, now)
  }
  for (const id of broken) {
    if (!hasTime()) return total
    // It turns out to be lost, or was written since.
    total += await ports.store.transaction(async (transaction) => {
      const manifest = await inManifest(transaction)
      const stretches = manifest.shards.filter((shard) => shard.id === id).map((shard) => [shard])
      return rewrite(ports, transaction, room, manifest, stretches, [], now, limits)
    })
  }
  await repeat((transaction) => rebuildStep(ports, transaction, room, now, limits))
  await repeat(async (transaction) => {
    const manifest = await inManifest(transaction)
    const due = planTidying(manifest, now.getTime() - rooms[room].onlineWindowMs, limits)
    if (due.length === 0) return null
    return rewrite(ports, transaction, room, manifest, due.slice(0, limits.batchShards / 2), [], now, limits)
  })
  return total
}

/** The stretches to be written anew: small neighbours together, and shards with an entry seen before `onlineSinceMs`. */
export function planTidying(manifest: Manifest, onlineSinceMs: number, limits: RepublishLimits): ShardInfo[][] {
  const merges = planMerges(manifest.shards, limits)
  const merged = new Set(merges.flat())
  const expired = manifest.shards.filter(
    (shard) =>
      !merged.has(shard) &&
      shard.isLost !== true &&
      shard.oldestSeenAtMs !== null &&
      shard.oldestSeenAtMs < onlineSinceMs,
  )
  return [...merges, ...expired.map((shard) => [shard])]
}

/**
 * Writes stretches of neighbouring shards anew, with the visits applied and without who is offline, and the manifest.
 * Returns how many shards were written. The last reads of the transaction are in here. A shard that turns out to be
 * lost is marked so; its visits need no place, because what rebuilds it reads the listings after this commit.
 */
async function rewrite(
  { codec }: Ports,
  transaction: Transaction,
  room: RoomName,
  manifest: Manifest,
  stretches: readonly (readonly ShardInfo[])[],
  visits: readonly Visit[],
  now: Date,
  limits: RepublishLimits,
): Promise<number> {
  const sources = stretches.flat()
  if (sources.length === 0) return 0
  const stored = await transaction.get(sources.map(({ id }) => paths.shard(room, id)))
  const held = new Map(sources.map((source, index) => [source, entriesOf(codec, source, stored[index])]))
  const isLost = (source: ShardInfo) => held.get(source) === null
  const left = new Map<string, Entry>()
  for (const entry of [...held.values()].flatMap((entries) => entries ?? [])) left.set(entryKey(entry), entry)
  for (const { agentId, areas, entry } of visits) {
    const kept = entry === null ? undefined : left.get(entryKey(entry))
    for (const area of areas) left.delete(keyOf(area, agentId))
    if (entry !== null) left.set(entryKey(entry), { ...entry, placedAt: kept?.placedAt ?? entry.placedAt })
  }
  const entries = [...left.entries()]
    .filter(([, { listing }]) => isOnline(listing, now.getTime()))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, entry]) => entry)

  const revision = manifest.revision + 1
  const replaced = new Map<ShardInfo, ShardInfo[]>()
  for (const [index, source] of sources.entries()) {
    if (!isLost(source)) continue
    replaced.set(source, [lostStretch(source.id, source.start, revision)])
    if (stored[index] !== null) transaction.delete(paths.shard(room, source.id))
  }
  // What is beside a lost shard stays by itself.
  const targets = stretches.flatMap((stretch) =>
    stretch.some(isLost) ? stretch.filter((source) => !isLost(source)).map((source) => [source]) : [stretch],
  )
  let written = 0
  for (const sourcesOfStretch of targets) {
    const first = sourcesOfStretch[0]
    const last = sourcesOfStretch.at(-1)
    if (first === undefined || last === undefined) continue
    const end = manifest.shards[manifest.shards.indexOf(last) + 1]?.start
    const within = entries.filter((entry) => {
      const key = entryKey(entry)
      return key >= first.start && (end === undefined || key < end)
    })
    const packed = packStretch(codec, first.start, within, limits)
    const infos = packed.map((shard, index): ShardInfo => {
      written += 1
      const info = infoOf(shard, sourcesOfStretch[index]?.id ?? `${revision}-${written}`, revision)
      transaction.set(paths.shard(room, info.id), { revision, entries: shard.bytes } satisfies Shard)
      return info
    })
    for (const { id } of sourcesOfStretch.slice(infos.length)) transaction.delete(paths.shard(room, id))
    replaced.set(first, infos)
    for (const source of sourcesOfStretch.slice(1)) replaced.set(source, [])
  }
  const shards = manifest.shards.flatMap((shard) => replaced.get(shard) ?? [shard])
  transaction.set(paths.manifest(room), { revision, shards } satisfies Manifest)
  return written
}

/** Removes agents that have not been seen for the retention's length, listed or not. */
async function retire(
  ports: Ports,
  now: Date,
  hasTime: () => boolean,
  onFault: (error: unknown) => void,
): Promise<number> {
  const cutoffMs = now.getTime() - retentionMs
  const isDue = (value: unknown) => typeof value === 'number' && value <= cutoffMs
  let removed = 0
  const remove = async ({ path }: Stored, lastSeen: (fields: Fields) => unknown, room?: RoomName) => {
    if (!hasTime()) return
    const agentId = idOf({ path })
    const stillDue = async (transaction: Transaction) => {
      const [fields] = await transaction.get([path])
      return fields !== null && fields !== undefined && isDue(lastSeen(fields))
    }
    if (!(await removeAgent(ports, agentId, now, stillDue, room))) return
    removed += 1
    // Where this fails, the departure deletes it later.
    await ports.signIns.remove(agentId).catch(onFault)
  }
  for (const room of roomNames) {
    const where = { field: 'presence.lastSeenAtMs', atMost: cutoffMs }
    const query = { collection: paths.listings(room), where, limit: retentionBatch }
    for (const document of await ports.store.query(query)) await remove(document, lastSeenOf, room)
  }
  const where = { field: 'unlistedSinceMs', atMost: cutoffMs }
  for (const document of await ports.store.query({ collection: 'accounts', where, limit: retentionBatch })) {
    await remove(document, ({ unlistedSinceMs }) => unlistedSinceMs)
  }
  return removed
}

function lastSeenOf({ presence }: Fields): unknown {
  return typeof presence === 'object' && presence !== null && 'lastSeenAtMs' in presence
    ? presence.lastSeenAtMs
    : undefined
}

/** Deletes again the sign-ins of removed agents whose last token has run out: it may have recreated them. */
async function forgetDepartures(
  { store, signIns, vault }: Ports,
  now: Date,
  hasTime: () => boolean,
  onFault: (error: unknown) => void,
): Promise<void> {
  const where = { field: 'dueAtMs', atMost: now.getTime() }
  for (const { path, fields } of await store.query({ collection: 'departures', where, limit: retentionBatch })) {
    if (!hasTime()) return
    const departure = Departure.safeParse(fields)
    const agentId = departure.success ? vault.open('departure', departure.data.sealedAgentId) : null
    try {
      if (agentId !== null) await signIns.remove(agentId)
    } catch (error) {
      // The next run tries again.
      onFault(error)
      continue
    }
    await store.transaction((transaction) => {
      transaction.delete(path)
      return Promise.resolve()
    })
  }
}

function isOf(room: string, change: Change): boolean {
  return change.room === room
}

function idOf({ path }: Pick<Stored, 'path'>): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
