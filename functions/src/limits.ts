// The server's policy numbers. A room's own numbers are in its definition, those that clients rely on in the contract.

import { goneWithinMs, hourMs, minuteMs, secondMs, type CallableName } from '@koko/contract'

/** A custom token can be exchanged for an hour: https://firebase.google.com/docs/auth/admin/create-custom-tokens */
export const customTokenLifetimeMs = hourMs
/** A removed agent's sign-in is deleted again once its last token has expired. The minute covers slow calls and clocks. */
export const departureDelayMs = customTokenLifetimeMs + minuteMs

/** A new secret that nobody signed in with is void after this time: long enough for an agent that was cut off. */
export const pendingSecretLifetimeMs = hourMs

/** An agent may publish this often in a row, then once in each interval: enough for a person, slow for a loop. */
export const publishBurst = 60
export const publishIntervalMs = minuteMs

/** A number of calls at once, then one in each interval. */
export interface Allowance {
  burst: number
  intervalMs: number
}

/** How often an instance lets somebody call. Tests use other numbers. */
export interface AllowanceLimits {
  /** Of one agent, for each of the calls that have such a limit. */
  perAgent: Allowance
  /** Of everyone together, for each call that has such a limit. */
  anonymous: Allowance
  /** An instance counts the calls of this many agents: about 1 MB. */
  maxAgents: number
}
export const allowanceLimits: AllowanceLimits = {
  // Several settings pages ask for 12 exports a minute each; an agent signs in once an hour.
  perAgent: { burst: 60, intervalMs: secondMs },
  // A million agents that register within a day make 12 calls a second.
  anonymous: { burst: 300, intervalMs: secondMs / 50 },
  maxAgents: 10_000,
}

/**
 * How many instances of each function the platform may start. The ceiling of a day's bill follows from it (`npm run
 * costs`). An instance serves at least 50 calls a second, so that these are enough for a million agents. Each function has
 * its own: nobody who floods one of them slows down an unlink.
 */
export const maxInstances = {
  api: 6,
  createRegistrationChallenge: 1,
  registerAgent: 1,
  signInAgent: 2,
  rotateSecret: 1,
  publishProfile: 2,
  unlinkChannel: 4,
  relinkChannel: 1,
  heartbeat: 2,
  unregisterAgent: 2,
  exportAgent: 2,
  createSettingsLink: 1,
  redeemSettingsLink: 1,
  republishDiscovery: 1,
} as const satisfies Record<CallableName | 'api' | 'republishDiscovery', number>

/** The greatest age of the removals in an answer. */
export const viewMaxAgeMs = goneWithinMs / 2
/** An instance reads an older view again before it starts a page, so that a slow page still meets `viewMaxAgeMs`. */
export const viewRefreshAgeMs = 3 * secondMs

/**
 * Deadlines of a call. A read that takes longer than `viewMaxAgeMs` can rarely be served anyway. A transaction may lose several
 * races first. A patient one takes a handle out, and goes on for as long as `koko` waits for an answer. With the checks of
 * a token before it and of a sign-in after it, a call ends within the 40 s after which the platform ends it unanswered. A
 * registration that undoes itself because Authentication fails too can take longer.
 */
export const callDeadlines = { readMs: viewMaxAgeMs, transactionMs: 20 * secondMs, patientTransactionMs: 25 * secondMs }
/**
 * The deadline of a page of discovery, which may take many reads and several attempts. With the check of its token, it
 * ends before the platform ends the call unanswered.
 */
export const discoverDeadlineMs = 20 * secondMs
/** The deadline of a call to Firebase Authentication or to IAM, which normally take a fraction of a second. */
export const signInDeadlineMs = 5 * secondMs
/**
 * Deadlines of the republish and of scripts, which read and write much at once. A run that starts its last step within
 * `republishBudgetMs` still ends before the platform ends it after 120 s.
 */
export const batchDeadlines = {
  readMs: 30 * secondMs,
  transactionMs: 30 * secondMs,
  patientTransactionMs: minuteMs,
}

/** Requests share one read of a view if they come within this time, so that many requests are few reads. */
export const shareReadMs = secondMs

/** The most agents that one retention query returns, so that a run ends. */
export const retentionBatch = 100

/** Longer than a person looks at one page. */
export const pageTokenLifetimeMs = 10 * minuteMs
/** One charge pays for this many pages, with at most half of the remaining budget. The later pages then need no write. */
export const pagesPerCharge = 5
/** Smaller pages are charged one by one, because their caller probably wants only one. */
export const minPrepaidPageSize = 50
/** An instance serves a caller at most this many pages in any minute: more than a whole budget in pages of 50. */
export const maxPagesPerMinute = 30
/** An instance remembers the prepaid listings, and the last pages, of this many callers: a few megabytes. */
export const maxPrepaidCallers = 10_000

/** Nothing is written by a machine whose clock differs from the database's by more. A read or a pause takes less. */
export const maxClockSkewMs = minuteMs

/** The sizes of shards and transactions. Tests use smaller ones. */
export interface RepublishLimits {
  /** A shard above either number is split. Firestore allows 1 MiB a document. */
  shardAgents: number
  shardBytes: number
  /** Neighbours with at most this many agents together are merged: half a full shard, which does not split again soon. */
  mergeAgents: number
  /** One transaction changes at most this many agents and about this many shards. */
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
/** Each run checks this many shards in turn, besides those that an instance has reported. */
export const shardsCheckedPerRun = 8
export const shardIdsPerQuery = 300
/** A run starts no batch after this time, because the next run starts after a minute. */
export const republishBudgetMs = 45 * secondMs
/** After this time without a finished run, `health` reports that discovery is late. */
export const republishLateMs = 3 * minuteMs
/** `health` reports an error that an instance answered with for this long, so that a check each minute meets it. */
export const recentErrorsMs = 5 * minuteMs
/** More errors are counted as this many. */
export const maxRecentErrors = 1_000

/** An instance caches shards of this stored size. Parsed, they take about eight times as much memory. */
export const shardCacheBytes = 8_000_000

/** An instance reports a damaged shard at most this often, however many pages need it. */
export const damageReportIntervalMs = minuteMs

/** The deepest valid body has six levels. */
export const maxBodyDepth = 12

/** How an instance reads removals. Tests use smaller numbers. */
export interface RemovalLimits {
  /** Below this number, each read is of all removals: a fraction of a second, even on the emulator. */
  readWholeBelow: number
  /** Removals in one query of a full read. */
  pageSize: number
  /** What an instance can read in half of `viewMaxAgeMs`. With more new removals it answers 503 and assigns numbers. */
  maxNewPerRead: number
  /** With this many removals without a number, an instance assigns numbers, `numberBatch` in a transaction. */
  minBacklog: number
  numberBatch: number
  /** About 20 MB. With more removals, an instance answers 503. */
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
/**
 * The republish applies this many changes before it reads more. Many together touch each shard once; the first are
 * fewer, so that the run soon writes something.
 */
export const changesPerQuery = 20_000
export const firstChangesPerQuery = 2_000
/** After each run that was cut off, the next one halves its units of work, up to this often. */
export const maxHalvings = 6
/** A run reads this many reports of damaged shards. */
export const damageReportsPerRun = 100
