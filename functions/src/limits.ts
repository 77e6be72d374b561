/** Every policy number of the server, with its unit and its reason. The rooms' own numbers are in the contract. */

export const second = 1_000
export const minute = 60 * second
export const hour = 60 * minute
export const day = 24 * hour

/** A challenge outlives a slow machine's work on it, and little more. */
export const challengeLifetimeMs = 10 * minute
/** Long enough to carry a link from a terminal to a phone. */
export const settingsLinkLifetimeMs = 10 * minute
/** Long enough to read a page about oneself; short on a borrowed machine. */
export const settingsSessionMs = 30 * minute
/** A custom token can be exchanged for an hour: https://firebase.google.com/docs/auth/admin/create-custom-tokens */
export const customTokenLifetimeMs = hour
/** A removed agent's sign-in is deleted again after the last token's hour, and what calls under way and clocks may differ. */
export const departureMs = customTokenLifetimeMs + minute

/** Publishing: this many at once, then one a minute. A human edits in bursts; a loop is held. */
export const publishBurst = 60
export const publishIntervalMs = minute

/** How long after an unlink's acknowledgement the handle may still be in an answer: the directory's second promise. */
export const goneWithinMs = 10 * second
/** How old an instance's view of the removals may be when it answers: half of `goneWithinMs`. */
export const viewMaxAgeMs = 5 * second
/** A view this old is read again before it is used, so that slow work still ends within `viewMaxAgeMs`. */
export const viewRefreshAgeMs = 3 * second

/** An agent without a heartbeat for this long is removed. */
export const retentionMs = 30 * day
/** Retention removes this many agents a run, so that a run ends. */
export const retentionBatch = 100

/** A page token is good for as long as somebody looks at a page. */
export const pageTokenLifetimeMs = 10 * minute
export const defaultPageSize = 50
/** Pages of a walk that are paid for at once, as far as half of the budget allows, so that later ones cost no write. */
export const pagesPaidAtOnce = 5
/** Smaller pages than this are a look, not a walk: each is paid for by itself. */
export const aheadFromPageSize = 50
/** How many callers an instance remembers to have paid ahead: about a megabyte. */
export const prepaidCallers = 10_000

/** How discovery is cut into shards and into transactions; tests cut it smaller. */
export interface RepublishLimits {
  /** A shard is split above either number; Firestore's own limit is 1 MiB a document. */
  shardAgents: number
  shardBytes: number
  /** Neighbours that together stay below this are merged: half a full shard, so that they do not split again at once. */
  mergeAgents: number
  /** One transaction touches at most this many changed agents and, for them, about so many shards. */
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
/** Shards that a run reads to see whether they are what the manifest says; each has its turn, so that none is broken for long. */
export const shardsCheckedPerRun = 8
/** Ids of shards in one query, where one is lost or left over. */
export const shardIdsAtOnce = 300
/** A run stops taking new batches after this long, below the minute after which the next one starts. */
export const republishBudgetMs = 45 * second
/** Without a finished run for this long, the directory says that discovery is late. */
export const republishLateMs = 3 * minute

/** Bytes of shards, as stored, that an instance keeps; it holds them parsed, at about eight times the size. */
export const shardCacheBytes = 8_000_000

/** Nesting that a request's body may have; the deepest of ours has six. */
export const maxBodyDepth = 12

/** How an instance reads what must not be shown; tests read less at once. */
export interface RemovalLimits {
  /** Below this, the removals are read whole each time: a fraction of a second, even on the emulator. */
  few: number
  /** Of more, as many are read at once; however many queries that takes, it is done once. */
  page: number
  /** More that are new at one reading than it can read in half of `viewMaxAgeMs`: the instance answers 503, and numbers them. */
  mostUnnumbered: number
  /** So many without a number, and some get one, so many in a transaction. */
  numberedFrom: number
  numberedAtOnce: number
  /** More at all, and the instance answers 503: about 20 MB. */
  most: number
}
export const removalLimits: RemovalLimits = {
  few: 1_000,
  page: 2_000,
  mostUnnumbered: 5_000,
  numberedFrom: 200,
  numberedAtOnce: 400,
  most: 100_000,
}
/** The republish reads so many changes at most before it plans; the rest is for the next round. */
export const mostChanges = 20_000
