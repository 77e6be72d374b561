import {
  AgentId,
  Area,
  Channel,
  DirectoryError,
  Listing,
  Milliseconds,
  RoomName,
  Unlink,
  type Unlinks,
} from '@koko/contract'
import * as z from 'zod'
import type { Fields, Reader } from './ports.ts'

/** The paths of every kind of document there is. */
export const paths = {
  badge: (agentId: string) => `agents/${agentId}`,
  listing: (room: RoomName, agentId: string) => `${paths.listings(room)}/${agentId}`,
  listings: (room: RoomName) => `mcpDirectory/${room}/agents`,
  unlinks: (agentId: string) => `unlinks/${agentId}`,
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
  republishRun: 'runs/republishDiscovery',
  removalNumbers: 'runs/removals',
}

// Server-only documents are read without regard to fields that another version of the server may have added.

/** `accounts/{agentId}`: what the server alone knows of an agent. */
export const Account = z.object({
  /** SHA-256 of the secret. */
  secretHash: z.string(),
  /** Raised when the secret changes; a session carries the one it began under. */
  generation: z.int(),
  /** Raised by each change of the listing, so that a shard's entry can be told from a newer one. */
  revision: z.int(),
  /** When the publishing allowance will be whole again (generic cell rate algorithm, ATM Forum TM 4.0). */
  publishAllowanceFullAtMs: Milliseconds,
  /** The UTC day that the counts belong to, and the listings and ids served on it. */
  budget: z.object({ dayMs: Milliseconds, discovered: z.int(), fetched: z.int() }),
  /** The settings link that is open, by the hash of its code. */
  settingsLinkHash: z.string().nullable(),
  /** Since which UTC day the agent has no listing; null while it has one. */
  unlistedSinceMs: Milliseconds.nullable(),
  /** The area of the agent's listing; null where it has none. */
  area: Area.nullable().default(null),
})
export type Account = z.infer<typeof Account>

/** `changes/{agentId}`: the republish owes this agent a visit. */
export const Change = z.object({
  room: RoomName,
  revision: z.int(),
  /** The area that the agent has in a shard; null for none. */
  from: Area.nullable(),
  /** The area that the agent has now; null for none. */
  to: Area.nullable(),
  /** An unlink waits for its `goneAtMs`. */
  unlinked: z.boolean(),
})
export type Change = z.infer<typeof Change>

/** In the stead of a removal's number until it gets one: above every number. */
export const unnumbered = Number.MAX_SAFE_INTEGER

/** `removals/{agentId}`: entries of shards below `revision` must not show these channels. */
export const Removal = z.object({
  room: RoomName,
  revision: z.int(),
  channels: z.array(Channel),
  /** By which an instance finds those that are new to it, where there are many. */
  number: z.int().default(unnumbered),
})
export type Removal = z.infer<typeof Removal>

/** `runs/removals`: the last number that a removal was given. */
export const RemovalNumbers = z.object({ last: z.int() })
export type RemovalNumbers = z.infer<typeof RemovalNumbers>

/** `settingsLinks/{hash of the code}`. */
export const SettingsLink = z.object({ agentId: AgentId, expiresAt: z.date() })
export type SettingsLink = z.infer<typeof SettingsLink>

/** `departures/{random id}`: a removed agent whose sign-in is deleted again when its last token has run out. */
export const Departure = z.object({ sealedAgentId: z.string(), dueAtMs: Milliseconds })
export type Departure = z.infer<typeof Departure>

/** `takedowns/{keyed hash of a handle}`: since which UTC day nobody may publish that handle. */
export const Takedown = z.object({ sinceMs: Milliseconds })
export type Takedown = z.infer<typeof Takedown>

/** `discovery/{room}`: the shards, in the order of their keys. Each holds the keys from its start to the next one's. */
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
      /** There is no such document any more: what was in it is yet to be taken from the listings. */
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

export const Entry = z.object({
  revision: z.int(),
  /** The manifest's revision since which the agent is at this place in the shards. */
  placedAt: z.int().default(0),
  listing: Listing,
})
export type Entry = z.infer<typeof Entry>

/** `runs/republishDiscovery`. */
export const Run = z.object({ finishedAtMs: Milliseconds })
export type Run = z.infer<typeof Run>

/** Reads one document; null where there is none. A document of a shape that is not ours is `internal`. */
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

/** The unlinks as they are stored. What is there in some other form is an unlink all the same, of this moment. */
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
