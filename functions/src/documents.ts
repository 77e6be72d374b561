import {
  AgentId,
  Area,
  badgePath,
  Channel,
  DirectoryError,
  Listing,
  listingPath,
  listingsPath,
  Milliseconds,
  RoomName,
  Unlink,
  unlinksPath,
  type Unlinks,
} from '@koko/contract'
import * as z from 'zod'
import type { Fields, Query, Reader, Store, Stored } from './ports.ts'

export const paths = {
  badge: badgePath,
  listing: listingPath,
  listings: listingsPath,
  unlinks: unlinksPath,
  account: (agentId: string) => `accounts/${agentId}`,
  change: (agentId: string) => `changes/${agentId}`,
  removal: (agentId: string) => `removals/${agentId}`,
  settingsLink: (codeHash: string) => `settingsLinks/${codeHash}`,
  proof: (challengeHash: string) => `proofs/${challengeHash}`,
  departure: (id: string) => `departures/${id}`,
  takedown: (handleHash: string) => `takedowns/${handleHash}`,
  manifest: (room: RoomName) => `discovery/${room}`,
  shard: (room: RoomName, shardId: string) => `${paths.shards(room)}/${shardId}`,
  shards: (room: RoomName) => `discovery/${room}/shards`,
  damagedShard: (room: RoomName, shardId: string) => `damagedShards/${room}-${shardId}`,
  republishRun: 'runs/republishDiscovery',
  removalNumbers: 'runs/removals',
}

export function idOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Every document of a collection in the order of ids, in pages of at most `limit`. No page is empty. */
export async function* pagesOf(
  store: Pick<Store, 'query'>,
  query: Pick<Query, 'collection' | 'idsOnly' | 'limit'>,
): AsyncGenerator<Stored[]> {
  let page = await store.query(query)
  for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
    yield page
    page = await store.query({ ...query, afterId: idOf(last.path) })
  }
}

// Server-only documents are parsed leniently: another version of the server may have added fields.

/** `accounts/{agentId}`: what only the server knows about an agent. */
export const Account = z.object({
  /** SHA-256 of the secret. */
  secretHash: z.string(),
  /** SHA-256 of the secret that replaces it when it first signs in, until `voidAtMs`; null if there is none. */
  pendingSecret: z.object({ hash: z.string(), voidAtMs: Milliseconds }).nullable().default(null),
  /** Incremented when the secret changes. A session carries the generation it began with. */
  generation: z.int(),
  /** Incremented by each change of the listing, to order the entries of an agent. */
  revision: z.int(),
  /** The publishes used, and the time from which one is regained each minute: a whole minute, unless all are used. */
  publishAllowance: z.object({ used: z.int(), regainsFromMs: Milliseconds }).default({ used: 0, regainsFromMs: 0 }),
  /** The UTC day that the counts belong to, and the listings and ids served on it. */
  budget: z.object({ dayMs: Milliseconds, discovered: z.int(), fetched: z.int() }),
  /** The hash of the open settings link's code. */
  settingsLinkHash: z.string().nullable(),
  /** The UTC day since which the agent has had no listing; null while it has one. */
  unlistedSinceMs: Milliseconds.nullable(),
  /** The area of the agent's listing; null without one. */
  area: Area.nullable().default(null),
})
export type Account = z.infer<typeof Account>

/** `changes/{agentId}`: the agent's listing changed, and the republish has not applied it to the shards yet. */
export const Change = z.object({
  room: RoomName,
  revision: z.int(),
  /** The area under which the shards hold the agent; null for none. */
  from: Area.nullable(),
  /** The area that the agent has now; null for none. */
  to: Area.nullable(),
  /** The republish must still write an unlink's `goneAtMs`. */
  unlinked: z.boolean(),
})
export type Change = z.infer<typeof Change>

/** The sequence number of a removal that has none yet. It sorts above every assigned one. */
export const unassignedNumber = Number.MAX_SAFE_INTEGER

/** `removals/{agentId}`: a tombstone. Entries of shards below `revision` must not show these channels. */
export const Removal = z.object({
  room: RoomName,
  revision: z.int(),
  channels: z.array(Channel),
  /** The sequence number by which an instance finds new removals when there are many. */
  number: z.int().default(unassignedNumber),
})
export type Removal = z.infer<typeof Removal>

/** `runs/removals`: the last sequence number that was assigned. */
export const RemovalNumbers = z.object({ last: z.int() })
export type RemovalNumbers = z.infer<typeof RemovalNumbers>

/** `settingsLinks/{hash of the code}`. */
export const SettingsLink = z.object({ agentId: AgentId, expiresAt: z.date() })
export type SettingsLink = z.infer<typeof SettingsLink>

/** `departures/{random id}`: a removed agent whose sign-in is deleted again when its last token has expired. */
export const Departure = z.object({ sealedAgentId: z.string(), dueAtMs: Milliseconds })
export type Departure = z.infer<typeof Departure>

/** `takedowns/{keyed hash of a handle}`: the UTC day since which no agent may publish that handle. */
export const Takedown = z.object({ sinceMs: Milliseconds })
export type Takedown = z.infer<typeof Takedown>

/** `discovery/{room}`: the shards in key order. Each holds the keys from its `start` to the next shard's. */
export const Manifest = z.object({
  revision: z.int(),
  shards: z.array(
    z.object({
      id: z.string(),
      start: z.string(),
      revision: z.int(),
      agents: z.int(),
      bytes: z.int(),
      /** The oldest and the newest `lastSeenAtMs` of its entries; null for none. */
      oldestSeenAtMs: Milliseconds.nullable(),
      newestSeenAtMs: Milliseconds.nullable(),
      /** The latest time at which agents of its range were left out as offline. */
      leftOutAtMs: Milliseconds.optional(),
      /** The document is missing or damaged. Its entries have to be rebuilt from the listings. */
      isLost: z.literal(true).optional(),
    }),
  ),
})
export type Manifest = z.infer<typeof Manifest>

/** `discovery/{room}/shards/{id}`: entries as compressed JSON. */
export const Shard = z.object({
  revision: z.int(),
  entries: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
})
export type Shard = z.infer<typeof Shard>

/**
 * `damagedShards/{room}-{shard}`: an instance could not serve this shard, because its document is not what the manifest
 * says. The next republish heals it and deletes this.
 */
export const DamagedShard = z.object({
  room: RoomName,
  shardId: z.string(),
  /** The shard's revision in the manifest. */
  revision: z.int(),
})
export type DamagedShard = z.infer<typeof DamagedShard>

export const Entry = z.object({
  revision: z.int(),
  /** The manifest's revision since which the agent has this key. */
  placedAt: z.int().default(0),
  listing: Listing,
})
export type Entry = z.infer<typeof Entry>

/** `runs/republishDiscovery`. */
export const Run = z.object({
  /** When a run last had no work left; null if none ever had. */
  finishedAtMs: Milliseconds.nullable().default(null),
  /** How many runs in a row did not come to their own end. */
  cutOffRuns: z.int().default(0),
})
export type Run = z.infer<typeof Run>

/** Reads one document; null if it does not exist. Throws `internal` for an unknown shape. */
export async function readDocument<T>(reader: Reader, path: string, schema: z.ZodType<T>): Promise<T | null> {
  const [fields] = await reader.get([path])
  return parseStored(schema, fields ?? null)
}

export function parseStored<T>(schema: z.ZodType<T>, fields: Fields | null): T | null {
  if (fields === null) return null
  const result = schema.safeParse(fields)
  if (result.success) return result.data
  throw new DirectoryError('internal', 'A stored document does not have the shape that this version writes.')
}

/** The stored unlinks. A value of an unknown shape counts as an unlink made now, so that it hides the channel. */
export function unlinksOf(fields: Fields | null | undefined, now: Date): Unlinks {
  const unlinks: Unlinks = {}
  for (const channel of Channel.options) {
    const value = fields?.[channel]
    if (value === undefined) continue
    const unlink = Unlink.safeParse(value)
    unlinks[channel] = unlink.success ? unlink.data : { unlinkedAtMs: now.getTime(), goneAtMs: null }
  }
  return unlinks
}
