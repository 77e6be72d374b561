import { DirectoryError, minuteMs, type Listing, type RoomName } from '@koko/contract'
import { withoutChannels } from '../directory/listing-change.ts'
import { Manifest, paths, readDocument, Shard, type DamagedShard, type Entry } from '../documents.ts'
import {
  damageReportIntervalMs,
  removalLimits,
  shardCacheBytes,
  shareReadMs,
  viewMaxAgeMs,
  viewRefreshAgeMs,
  type RemovalLimits,
} from '../limits.ts'
import { OutcomeUnknown, type Ports } from '../ports.ts'
import { createPageAllowance, type PageAllowance } from './page-allowance.ts'
import { createPrepaid, type Prepaid } from './prepaid.ts'
import { createRemovalsView, type RemovalsRead, type RemovalsView } from './removals-view.ts'
import { emptyManifest, unpackEntries, type ShardInfo } from './shards.ts'

/** The shards at one moment, and the removals that hide parts of them. */
export interface View extends RemovalsRead {
  manifest: Manifest
}

/**
 * The shards as one instance caches them. It reads the removals before the manifest: the republish deletes a removal in
 * the transaction that writes the manifest, so this manifest names shards to which a deleted removal was applied.
 */
export interface DiscoveryView {
  /** A view recent enough to start with, if possible at this revision. Throws `unavailable` if it cannot be read. */
  current: (room: RoomName, revision?: number) => Promise<View>
  /** Whether an answer may use this view (the directory's second promise). */
  isFresh: (view: View) => boolean
  /** The entries of a shard of this view; null if the view is out of date. Reports a damaged shard to the republish. */
  entries: (room: RoomName, view: View, shard: ShardInfo) => Promise<readonly Entry[] | null>
  /** Assigns numbers to a backlog of removals, so that reading them stays short. Throws only `unavailable`. */
  assignNumbers: (room: RoomName, now: Date) => Promise<void>
  prepaid: Prepaid
  pages: PageAllowance
}

export function createDiscoveryView(
  { store, codec, monotonicMs }: Pick<Ports, 'store' | 'codec' | 'monotonicMs'>,
  limits: RemovalLimits = removalLimits,
): DiscoveryView {
  const removalViews = new Map<RoomName, RemovalsView>()
  const views = new Map<RoomName, View>()
  const reading = new Map<RoomName, { view: Promise<View>; beganAtMs: number }>()
  const shards = new Map<string, { info: ShardInfo; entries: readonly Entry[] }>()
  /** Shards at another revision than a view said, and when that was found; for a minute. */
  const mismatches = new Map<string, { revision: number; view: View; foundAtMs: number }>()
  /** When each damaged shard was last reported. */
  const reports = new Map<string, number>()
  let bytes = 0

  async function read(room: RoomName): Promise<View> {
    const removals = await removalsOf(room).read()
    const manifest = (await readDocument(store, paths.manifest(room), Manifest)) ?? emptyManifest
    const view: View = { ...removals, manifest }
    const newest = views.get(room)
    if (newest === undefined || newest.readAtMs <= view.readAtMs) views.set(room, view)
    return view
  }

  function removalsOf(room: RoomName): RemovalsView {
    const known = removalViews.get(room) ?? createRemovalsView({ store, monotonicMs }, room, limits)
    removalViews.set(room, known)
    return known
  }

  async function readEntries(room: RoomName, view: View, info: ShardInfo): Promise<readonly Entry[] | null> {
    const key = paths.shard(room, info.id)
    const [fields] = await store.get([key])
    const stored = Shard.safeParse(fields).data
    if (stored?.revision !== info.revision) {
      // Usually the shard was rewritten after the view was read. It is damaged if a view that was read later says the same.
      const earlier = mismatches.get(key)
      if (earlier?.revision !== info.revision) keepMismatch(key, info.revision, view)
      else if (earlier.view !== view && earlier.foundAtMs <= view.readAtMs) reportDamage(room, info)
      if (views.get(room) === view) views.delete(room)
      return null
    }
    let entries: Entry[]
    try {
      entries = unpackEntries(codec, stored.entries)
    } catch (error) {
      reportDamage(room, info)
      throw error
    }
    // Entries that do not parse are left out. The rebuild brings their agents back.
    if (entries.length !== info.agents) reportDamage(room, info)
    keep(key, info, entries)
    return entries
  }

  function keepMismatch(key: string, revision: number, view: View): void {
    const foundAtMs = monotonicMs()
    for (const [other, { foundAtMs: otherAtMs }] of mismatches) {
      if (foundAtMs - otherAtMs > minuteMs) mismatches.delete(other)
    }
    mismatches.set(key, { revision, view, foundAtMs })
  }

  /** Asks the republish to heal a shard. The answer under way neither waits for this nor fails with it. */
  function reportDamage(room: RoomName, { id, revision }: ShardInfo): void {
    const path = paths.damagedShard(room, id)
    const reportedAtMs = reports.get(path)
    if (reportedAtMs !== undefined && monotonicMs() - reportedAtMs < damageReportIntervalMs) return
    reports.set(path, monotonicMs())
    const report: DamagedShard = { room, shardId: id, revision }
    store
      .transaction((transaction) => {
        transaction.set(path, report)
        return Promise.resolve()
      })
      .catch(() => reports.delete(path))
  }

  function keep(key: string, info: ShardInfo, entries: readonly Entry[]): void {
    forget(key)
    shards.set(key, { info, entries })
    bytes += info.bytes
    for (const [oldest] of shards) {
      if (bytes <= shardCacheBytes || oldest === key) break
      forget(oldest)
    }
  }

  function forget(key: string): void {
    bytes -= shards.get(key)?.info.bytes ?? 0
    shards.delete(key)
  }

  return {
    prepaid: createPrepaid(),
    pages: createPageAllowance(monotonicMs),

    async assignNumbers(room, now) {
      try {
        await removalsOf(room).assignNumbers(now)
      } catch (error) {
        if (error instanceof OutcomeUnknown) unavailable(error)
        if (error instanceof DirectoryError && error.code === 'unavailable') throw error
        // It can lose a race with another instance. If the backlog grows too long, `current` throws.
      }
    },

    isFresh: ({ readAtMs }) => monotonicMs() - readAtMs <= viewMaxAgeMs,

    current(room, revision = 0) {
      const view = views.get(room)
      const isRecent = view !== undefined && monotonicMs() - view.readAtMs <= viewRefreshAgeMs
      if (isRecent && view.manifest.revision >= revision) return Promise.resolve(view)
      const pending = reading.get(room)
      // An older read may hang, and must not hold up a request that comes when the database is back.
      if (pending !== undefined && monotonicMs() - pending.beganAtMs <= shareReadMs) return pending.view
      const started = {
        beganAtMs: monotonicMs(),
        view: read(room)
          .catch(unavailable)
          .finally(() => {
            if (reading.get(room) === started) reading.delete(room)
          }),
      }
      reading.set(room, started)
      return started.view
    },

    async entries(room, view, info) {
      const key = paths.shard(room, info.id)
      const known = shards.get(key)
      if (known?.info.revision !== info.revision) return readEntries(room, view, info).catch(unavailable)
      keep(key, info, known.entries)
      return known.entries
    },
  }
}

function unavailable(cause: unknown): never {
  throw new DirectoryError('unavailable', 'Discovery cannot read the database. Try again in a minute.', { cause })
}

/** The listing as peers may see it; null if they may see none of it. */
export function visibleListing({ revision, listing }: Entry, removals: View['removals']): Listing | null {
  const removal = removals.get(listing.agentId)
  if (removal === undefined || removal.revision <= revision) return listing
  return withoutChannels(listing, removal.channels)
}
