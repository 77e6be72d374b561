import { Channel, isOnline, type RoomName, type Unlinks } from '@koko/contract'
import type { Change, Entry, Manifest } from '../documents.ts'
import type { RepublishLimits } from '../limits.ts'
import type { Codec } from '../ports.ts'
import { entryKey, infoOf, keyOf, lostShard, packShards, shardAt, type ShardInfo } from './shards.ts'

/** Changed agents of a room that one transaction brings up to date. */
export interface Batch {
  room: RoomName
  agentIds: string[]
}

/** Groups changed agents by the shards they touch, so that a transaction rewrites few shards for many agents. */
export function planBatches(
  room: RoomName,
  { shards }: Manifest,
  changes: readonly { agentId: string; change: Change }[],
  limits: RepublishLimits,
): Batch[] {
  const placed = changes
    .map(({ agentId, change }) => ({
      agentId,
      touched: [...shardsTouchedBy(shards, agentId, areasOf(change))].sort((a, b) => a - b),
    }))
    .sort((a, b) => (a.touched[0] ?? -1) - (b.touched[0] ?? -1))
  const batches: Batch[] = []
  let agentIds: string[] = []
  let together = new Set<number>()
  for (const { agentId, touched } of placed) {
    const withNext = new Set([...together, ...touched])
    if (agentIds.length > 0 && (agentIds.length >= limits.batchAgents || withNext.size > limits.batchShards)) {
      batches.push({ room, agentIds })
      agentIds = []
      together = new Set(touched)
    } else {
      together = withNext
    }
    agentIds.push(agentId)
  }
  if (agentIds.length > 0) batches.push({ room, agentIds })
  return batches
}

/** The areas under which the shards hold the agent's entry before or after the change. */
export function areasOf({ from, to }: Change): string[] {
  return [...new Set([from, to])].filter((area) => area !== null)
}

/** Replaces the agent's entry: takes it out of each of `areas`, then adds `entry`, if there is one. */
export interface EntryUpdate {
  agentId: string
  areas: readonly string[]
  entry: Entry | null
}

/** The shards that the updates touch, each as a group. */
export function planUpdates({ shards }: Manifest, updates: readonly EntryUpdate[]): ShardInfo[][] {
  const touched = new Set(updates.flatMap(({ agentId, areas }) => [...shardsTouchedBy(shards, agentId, areas)]))
  return shards.filter((_, index) => touched.has(index)).map((shard) => [shard])
}

function shardsTouchedBy(shards: readonly ShardInfo[], agentId: string, areas: readonly string[]): Set<number> {
  return new Set(areas.map((area) => shardAt(shards, keyOf(area, agentId))))
}

/** The groups of shards to rewrite: small neighbours, and shards with an entry last seen before `onlineSinceMs`. */
export function planTidying({ shards }: Manifest, onlineSinceMs: number, limits: RepublishLimits): ShardInfo[][] {
  const merges = planMerges(shards, limits)
  const merged = new Set(merges.flat())
  const isExpired = ({ isLost, oldestSeenAtMs }: ShardInfo) =>
    isLost !== true && oldestSeenAtMs !== null && oldestSeenAtMs < onlineSinceMs
  return [...merges, ...shards.filter((shard) => !merged.has(shard) && isExpired(shard)).map((shard) => [shard])]
}

/** Pairs of neighbours, from the left, that together are small. */
export function planMerges(shards: readonly ShardInfo[], limits: RepublishLimits): [ShardInfo, ShardInfo][] {
  const pairs: [ShardInfo, ShardInfo][] = []
  for (let index = 0; index + 1 < shards.length; index += 1) {
    const [left, right] = [shards[index], shards[index + 1]]
    if (left === undefined || right === undefined || left.isLost === true || right.isLost === true) continue
    if (left.agents + right.agents > limits.mergeAgents || left.bytes + right.bytes > limits.shardBytes / 2) continue
    pairs.push([left, right])
    index += 1
  }
  return pairs
}

/** What a transaction writes to rewrite shards. */
export interface Rewrite {
  manifest: Manifest
  shards: { id: string; bytes: Uint8Array }[]
  deletedIds: string[]
}

/**
 * Rewrites groups of neighbouring shards with the updates applied and without agents that are offline. `held` has the
 * entries of every shard in the groups; null marks one as lost. The updates of a lost shard are dropped, because its
 * rebuild reads the listings after this commit.
 */
export function planRewrite(
  codec: Codec,
  manifest: Manifest,
  groups: readonly (readonly ShardInfo[])[],
  held: ReadonlyMap<ShardInfo, readonly Entry[] | null>,
  updates: readonly EntryUpdate[],
  now: Date,
  limits: RepublishLimits,
): Rewrite {
  const revision = manifest.revision + 1
  const entries = applyUpdates(held, updates)
  const isLost = (shard: ShardInfo) => held.get(shard) === null
  const lost = groups.flat().filter(isLost)
  const replacements = new Map(lost.map((shard) => [shard, [lostShard(shard.id, shard.start, revision)]]))
  const shards: Rewrite['shards'] = []
  const deletedIds = lost.map(({ id }) => id)
  // The neighbour of a lost shard is not merged.
  const intact = groups.flatMap((group) =>
    group.some(isLost) ? group.filter((shard) => !isLost(shard)).map((shard) => [shard]) : [group],
  )
  for (const group of intact) {
    const [first, last] = [group[0], group.at(-1)]
    if (first === undefined || last === undefined) continue
    const end = manifest.shards[manifest.shards.indexOf(last) + 1]?.start
    const within = entries.filter((entry) => {
      const key = entryKey(entry)
      return key >= first.start && (end === undefined || key < end)
    })
    const online = within.filter(({ listing }) => isOnline(listing, now.getTime()))
    const leftOutAtMs = Math.max(
      online.length < within.length ? now.getTime() : 0,
      ...group.map((shard) => shard.leftOutAtMs ?? 0),
    )
    const infos = packShards(codec, first.start, online, limits).map((packed, index): ShardInfo => {
      const id = group[index]?.id ?? `${revision}-${shards.length + 1}`
      shards.push({ id, bytes: packed.bytes })
      return infoOf(packed, id, revision, leftOutAtMs)
    })
    deletedIds.push(...group.slice(infos.length).map(({ id }) => id))
    group.forEach((shard, index) => replacements.set(shard, index === 0 ? infos : []))
  }
  return {
    manifest: { revision, shards: manifest.shards.flatMap((shard) => replacements.get(shard) ?? [shard]) },
    shards,
    deletedIds,
  }
}

/** All entries in key order, with the updates applied. An entry that keeps its key keeps its `placedAt`. */
function applyUpdates(held: ReadonlyMap<ShardInfo, readonly Entry[] | null>, updates: readonly EntryUpdate[]): Entry[] {
  const entries = new Map([...held.values()].flatMap((some) => some ?? []).map((entry) => [entryKey(entry), entry]))
  for (const { agentId, areas, entry } of updates) {
    const before = entry === null ? undefined : entries.get(entryKey(entry))
    for (const area of areas) entries.delete(keyOf(area, agentId))
    if (entry !== null) entries.set(entryKey(entry), { ...entry, placedAt: before?.placedAt ?? entry.placedAt })
  }
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry)
}

/** The unlinks after the last shard has lost their handles. */
export function planUnlinksGone(unlinks: Unlinks, now: Date): Unlinks {
  const gone: Unlinks = {}
  for (const channel of Channel.options) {
    const unlink = unlinks[channel]
    if (unlink === undefined) continue
    gone[channel] = { ...unlink, goneAtMs: unlink.goneAtMs ?? Math.max(now.getTime(), unlink.unlinkedAtMs) }
  }
  return gone
}
