import { Channel, DirectoryError, type Listing, type RoomName } from '@koko/contract'
import { Manifest, paths, readDocument, Shard, type Entry, type Removal } from '../documents.ts'
import { removalLimits, shardCacheBytes, viewMaxAgeMs, viewRefreshAgeMs, type RemovalLimits } from '../limits.ts'
import type { Ports } from '../ports.ts'
import { createPrepaid, type Prepaid } from './prepaid.ts'
import { createRemovalsView, type RemovalsView } from './removals-view.ts'
import { emptyManifest, unpackEntries, type ShardInfo } from './shards.ts'

/** What an instance knew at one moment: which shards there are, and what must not be shown of them. */
export interface View {
  readonly manifest: Manifest
  readonly removals: ReadonlyMap<string, Removal>
  /** When the reading of it began, on the monotonic clock. */
  readonly readAtMs: number
}

/**
 * The shards as one instance keeps them. The removals are read before the manifest, never after: a removal that is no
 * longer recorded is then in a shard that this manifest names at its new revision.
 */
export interface DiscoveryView {
  /** A view that is young enough to begin work on, best at this revision. Throws `unavailable` where it cannot be read. */
  current: (room: RoomName, revision?: number) => Promise<View>
  /** True while an answer may be made from this view (the directory's second promise). */
  isFresh: (view: View) => boolean
  /** The entries of a shard as the view names it; null where the view is out of date. */
  entries: (room: RoomName, shard: ShardInfo) => Promise<readonly Entry[] | null>
  /** Does what keeps the reading of removals short, while they are many. Fails silently: a view that is late fails loudly. */
  settle: (room: RoomName, now: Date) => Promise<void>
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
    try {
      const { removals, readAtMs } = await removalsOf(room).read()
      const manifest = (await readDocument(store, paths.manifest(room), Manifest)) ?? emptyManifest
      const view: View = { manifest, removals, readAtMs }
      views.set(room, view)
      return view
    } catch (cause) {
      throw unavailable(cause)
    }
  }

  function removalsOf(room: RoomName): RemovalsView {
    const known = removalViews.get(room) ?? createRemovalsView({ store, monotonicMs }, room, limits)
    removalViews.set(room, known)
    return known
  }

  function unpack(packed: Uint8Array): Entry[] {
    try {
      return unpackEntries(codec, packed)
    } catch (cause) {
      throw unavailable(cause)
    }
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

    async settle(room, now) {
      // Another instance may be at it.
      await removalsOf(room)
        .number(now)
        .catch(() => undefined)
    },

    isFresh: ({ readAtMs }) => monotonicMs() - readAtMs <= viewMaxAgeMs,

    current(room, revision = 0) {
      const view = views.get(room)
      const isYoung = view !== undefined && monotonicMs() - view.readAtMs <= viewRefreshAgeMs
      if (isYoung && view.manifest.revision >= revision) return Promise.resolve(view)
      const underWay = reading.get(room)
      if (underWay !== undefined) return underWay
      const begun = read(room).finally(() => reading.delete(room))
      reading.set(room, begun)
      return begun
    },

    async entries(room, info) {
      const key = paths.shard(room, info.id)
      const known = shards.get(key)
      if (known?.info.revision === info.revision) {
        keep(key, info, known.entries)
        return known.entries
      }
      const stored = await readDocument(store, key, Shard).catch((cause: unknown) => {
        throw unavailable(cause)
      })
      if (stored?.revision !== info.revision) {
        // It was rewritten since the view was read.
        views.delete(room)
        return null
      }
      const entries = unpack(stored.entries)
      keep(key, info, entries)
      return entries
    },
  }
}

function unavailable(cause: unknown): DirectoryError {
  return new DirectoryError('unavailable', 'Discovery cannot be brought up to date. Try again.', { cause })
}

/** What peers may see of an entry; null for nothing. */
export function visibleListing({ revision, listing }: Entry, removals: View['removals']): Listing | null {
  const removal = removals.get(listing.agentId)
  if (removal === undefined || removal.revision <= revision) return listing
  const channels = Object.fromEntries(
    Channel.options
      .filter((channel) => listing.channels[channel] !== undefined && !removal.channels.includes(channel))
      .map((channel) => [channel, listing.channels[channel]]),
  )
  return Object.keys(channels).length === 0 ? null : { ...listing, channels }
}
