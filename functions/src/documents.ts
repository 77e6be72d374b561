import { AgentId, Area, Badge, Channel, DirectoryError, Listing, Milliseconds, RoomName, Unlinks } from '@koko/contract'
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
  manifest: (room: RoomName) => `discovery/${room}`,
  shard: (room: RoomName, shardId: string) => `discovery/${room}/shards/${shardId}`,
  republishRun: 'runs/republishDiscovery',
}

/** `accounts/{agentId}`: what the server alone knows of an agent. */
export const Account = z.strictObject({
  /** SHA-256 of the secret. */
  secretHash: z.string(),
  /** Raised when the secret changes; a session carries the one it began under. */
  generation: z.int(),
  /** Raised by each change of the listing, so that a shard's entry can be told from a newer one. */
  revision: z.int(),
  /** When the publishing allowance will be whole again (generic cell rate algorithm, ATM Forum TM 4.0). */
  publishAllowanceFullAtMs: Milliseconds,
  /** The UTC day that the counts belong to, and the listings and ids served on it. */
  budget: z.strictObject({ dayMs: Milliseconds, discovered: z.int(), fetched: z.int() }),
  /** The settings link that is open, by the hash of its code. */
  settingsLinkHash: z.string().nullable(),
  /** Since which UTC day the agent has no listing; null while it has one. */
  unlistedSinceMs: Milliseconds.nullable(),
})
export type Account = z.infer<typeof Account>

/** `changes/{agentId}`: the republish owes this agent a visit. */
export const Change = z.strictObject({
  room: RoomName,
  revision: z.int(),
  /** Every area that the agent may have in a shard, or has now. */
  areas: z.array(Area),
  /** An unlink waits for its `goneAtMs`. */
  unlinked: z.boolean(),
})
export type Change = z.infer<typeof Change>

/** `removals/{agentId}`: entries of shards below `revision` must not show these channels. */
export const Removal = z.strictObject({ room: RoomName, revision: z.int(), channels: z.array(Channel) })
export type Removal = z.infer<typeof Removal>

/** `settingsLinks/{hash of the code}`. */
export const SettingsLink = z.strictObject({ agentId: AgentId, expiresAt: z.date() })
export type SettingsLink = z.infer<typeof SettingsLink>

/** `departures/{random id}`: a removed agent whose sign-in is deleted again when its last token has run out. */
export const Departure = z.strictObject({ sealedAgentId: z.string(), dueAtMs: Milliseconds })
export type Departure = z.infer<typeof Departure>

/** `discovery/{room}`: the shards, in the order of their keys. Each holds the keys from its start to the next one's. */
export const Manifest = z.strictObject({
  revision: z.int(),
  shards: z.array(
    z.strictObject({
      id: z.string(),
      start: z.string(),
      revision: z.int(),
      agents: z.int(),
      bytes: z.int(),
      /** The oldest `lastSeenAtMs` of its entries; null for none. */
      oldestSeenAtMs: Milliseconds.nullable(),
    }),
  ),
})
export type Manifest = z.infer<typeof Manifest>

/** `discovery/{room}/shards/{id}`: entries as compressed JSON. */
export const Shard = z.strictObject({
  revision: z.int(),
  entries: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
})
export type Shard = z.infer<typeof Shard>

export const Entry = z.strictObject({
  revision: z.int(),
  /** The manifest's revision since which the agent is at this place in the shards. */
  placedAt: z.int().default(0),
  listing: Listing,
})
export type Entry = z.infer<typeof Entry>

/** `runs/republishDiscovery`. */
export const Run = z.strictObject({ finishedAtMs: Milliseconds })
export type Run = z.infer<typeof Run>

export { Badge, Listing, Unlinks }

/** Reads one document; null where there is none. A document of a shape that is not ours is `internal`. */
export async function readDocument<T>(reader: Reader, path: string, schema: z.ZodType<T>): Promise<T | null> {
  const [fields] = await reader.get([path])
  return parseStored(schema, fields ?? null)
}

export function parseStored<T>(schema: z.ZodType<T>, fields: Fields | null): T | null {
  if (fields === null) return null
  const result = schema.safeParse(fields)
  if (result.success) return result.data
  throw new DirectoryError('internal', 'A stored document does not have the shape that this version writes.', {
    cause: result.error.issues.map(({ code, path }) => `${code} at ${path.join('.')}`).join(', '),
  })
}
