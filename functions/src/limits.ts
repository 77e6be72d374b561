/** Every policy number of the server, with its unit and its reason. Each room's own numbers are in the contract. */

import { dayMs as day, goneWithinMs, hourMs as hour, minuteMs as minute, secondMs as second } from '@koko/contract'

export { day, hour, minute, second }

/** A custom token can be exchanged for an hour: https://firebase.google.com/docs/auth/admin/create-custom-tokens */
export const customTokenLifetimeMs = hour
/** A removed agent's sign-in is deleted again after its last token's hour; the minute covers slow calls and clocks. */
export const departureDelayMs = customTokenLifetimeMs + minute

/** Publishing: this many at once, then one a minute. A person edits in bursts; this slows a loop. */
export const publishBurst = 60
export const publishIntervalMs = minute

/** How old an instance's view of the removals may be when it answers. */
export const viewMaxAgeMs = goneWithinMs / 2
/** An older view is refreshed before use, so that slow work still ends within `viewMaxAgeMs`. */
export const viewRefreshAgeMs = 3 * second

/** An agent that sends no heartbeat for this long is removed. */
export const retentionMs = 30 * day
/** Retention removes at most this many agents of each query in a run, so that a run ends. */
export const retentionBatch = 100

/** About as long as somebody looks at one page. */
export const pageTokenLifetimeMs = 10 * minute
/** How many pages one charge pays for, within half of the remaining budget, so that later pages cost no write. */
export const pagesPerCharge = 5
/** Smaller pages are charged one by one: their caller probably wants no further page. */
export const minPrepaidPageSize = 50
/** How many callers' prepaid listings an instance remembers: about a megabyte. */
export const maxPrepaidCallers = 10_000

/** The sizes of shards and of transactions; tests use smaller ones. */
export interface RepublishLimits {
  /** A shard above either number is split. Firestore allows 1 MiB a document. */
  shardAgents: number
  shardBytes: number
  /** Neighbours with at most this many together are merged: half a full shard, so that they do not split again soon. */
  mergeAgents: number
  /** One transaction applies the changes of at most this many agents, to about this many shards. */
  batchAgents: number
  batchShards: number
}
export const republishLimits: RepublishLimits = {
  shardAgents: 1_000,
  shardBytes: 400_000,
  mergeAgents: 500,
  batchAgents: 100,
  batchShards: 8,
}
/** How many shards a run compares with the manifest, in turn, so that no shard stays damaged for long. */
export const shardsCheckedPerRun = 8
/** Ids of shards in one query, when the number of shards is not what the manifest says. */
export const shardIdsPerQuery = 300
/** A run starts no batch after this long: the next run starts after a minute. */
export const republishBudgetMs = 45 * second
/** After this long without a finished run, `health` reports that discovery is late. */
export const republishLateMs = 3 * minute

/** Bytes of shards, as stored, that an instance caches. Parsed, they take about eight times as much memory. */
export const shardCacheBytes = 8_000_000

/** How deeply a request's body may be nested; our deepest has six levels. */
export const maxBodyDepth = 12

/** How an instance reads removals; tests use smaller numbers. */
export interface RemovalLimits {
  /** Fewer removals are read whole each time: a fraction of a second, even on the emulator. */
  readWholeBelow: number
  /** Documents in one query of a full read. A full read happens once, so it may take many queries. */
  pageSize: number
  /** More new removals than an instance can read in half of `viewMaxAgeMs`: it answers 503 and assigns numbers. */
  maxNewPerRead: number
  /** The backlog of removals without a number from which an instance assigns some, `numberBatch` in a transaction. */
  minBacklog: number
  numberBatch: number
  /** With more removals in total, the instance answers 503: about 20 MB. */
  maxTotal: number
}
export const removalLimits: RemovalLimits = {
  readWholeBelow: 1_000,
  pageSize: 2_000,
  maxNewPerRead: 5_000,
  minBacklog: 200,
  numberBatch: 400,
  maxTotal: 100_000,
}
/** The republish reads at most this many changes before it plans; it reads the rest after it has applied them. */
export const changesPerQuery = 20_000
