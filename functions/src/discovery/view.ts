import { DirectoryError, type Listing, type RoomName } from '@koko/contract'
import { withoutChannels } from '../directory/listing-change.ts'
import { Manifest, paths, readDocument, Shard, type Entry } from '../documents.ts'
import { removalLimits, shardCacheBytes, viewMaxAgeMs, viewRefreshAgeMs, type RemovalLimits } from '../limits.ts'
import type { Ports } from '../ports.ts'
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
  /** The entries of a shard at the view's revision; null if the view is out of date. */
  entries: (room: RoomName, shard: ShardInfo) => Promise<readonly Entry[] | null>
  /** Assigns numbers to a backlog of removals, so that reading them stays short. Never throws. */
  assignNumbers: (room: RoomName, now: Date) => Promise<void>
  prepaid: Prepaid
}

export function createDiscoveryView(
  { store, codec, monotonicMs }: Pick<Ports, 'store' | 'codec' | 'monotonicMs'>,
  limits: RemovalLimits = removalLimits,
): DiscoveryView {
  const removalViews = new Map<RoomName, RemovalsView>()
  const views = new Map<RoomName, View>()
  const reading = new Map<RoomName, Promise<View>>()
  const shards = new Map<string, { info: ShardInfo; entries: readonly Entry[] }>()
  let bytes = 0

  async function read(room: RoomName): Promise<View> {
    const removals = await removalsOf(room).read()
    const manifest = (await readDocument(store, paths.manifest(room), Manifest)) ?? emptyManifest
    const view: View = { ...removals, manifest }
    views.set(room, view)
    return view
  }

  function removalsOf(room: RoomName): RemovalsView {
    const known = removalViews.get(room) ?? createRemovalsView({ store, monotonicMs }, room, limits)
    removalViews.set(room, known)
    return known
  }

  async function readEntries(room: RoomName, info: ShardInfo): Promise<readonly Entry[] | null> {
    const key = paths.shard(room, info.id)
    const stored = await readDocument(store, key, Shard)
    if (stored?.revision !== info.revision) {
      // The shard was rewritten after the view was read.
      views.delete(room)
      return null
    }
    const entries = unpackEntries(codec, stored.entries)
    keep(key, info, entries)
    return entries
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

    async assignNumbers(room, now) {
      // It can lose a race with another instance. If the backlog grows too long, `current` throws.
      await removalsOf(room)
        .assignNumbers(now)
        .catch(() => undefined)
    },

    isFresh: ({ readAtMs }) => monotonicMs() - readAtMs <= viewMaxAgeMs,

    current(room, revision = 0) {
      const view = views.get(room)
      const isRecent = view !== undefined && monotonicMs() - view.readAtMs <= viewRefreshAgeMs
      if (isRecent && view.manifest.revision >= revision) return Promise.resolve(view)
      const pending = reading.get(room)
      if (pending !== undefined) return pending
      const started = read(room)
        .catch(unavailable)
        .finally(() => reading.delete(room))
      reading.set(room, started)
      return started
    },

    async entries(room, info) {
      const key = paths.shard(room, info.id)
      const known = shards.get(key)
      if (known?.info.revision !== info.revision) return readEntries(room, info).catch(unavailable)
      keep(key, info, known.entries)
      return known.entries
    },
  }
}

function unavailable(cause: unknown): never {
  throw new DirectoryError('unavailable', 'Discovery cannot be brought up to date. Try again.', { cause })
}

/** The listing as peers may see it; null if they may see none of it. */
export function visibleListing({ revision, listing }: Entry, removals: View['removals']): Listing | null {
  const removal = removals.get(listing.agentId)
  if (removal === undefined || removal.revision <= revision) return listing
  return withoutChannels(listing, removal.channels)
}
