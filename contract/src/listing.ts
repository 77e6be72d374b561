import * as z from 'zod'
import { StoredChannels } from './channels.ts'
import { rooms, RoomName } from './rooms.ts'

/** A UUID v4, minted by the server. */
export const AgentId = z.uuidv4('must be a UUID v4')
export type AgentId = z.infer<typeof AgentId>

/** Integer milliseconds since the epoch. */
export const Milliseconds = z.int('must be whole milliseconds since the epoch').nonnegative()

/** `agents/{agentId}`: the badge. `category` never changes. */
export const Badge = z.strictObject({ agentId: AgentId, category: RoomName, registeredAtMs: Milliseconds })
export type Badge = z.infer<typeof Badge>

/** The three times of a listing, floored to the UTC day: presence is no record of when somebody sleeps. */
export const Presence = z.strictObject({
  registeredAtMs: Milliseconds,
  publishedAtMs: Milliseconds,
  lastSeenAtMs: Milliseconds,
})
export type Presence = z.infer<typeof Presence>

function listingOf<Name extends RoomName>(name: Name) {
  return z.strictObject({
    agentId: AgentId,
    category: z.literal(name),
    channels: StoredChannels,
    profile: rooms[name].profile,
    presence: Presence,
  })
}

/** `mcpDirectory/{room}/agents/{agentId}`: the listing, as it is stored and as peers receive it. */
export const Listing = z.discriminatedUnion('category', [listingOf('dating')])
export type Listing = z.infer<typeof Listing>

/** When a channel was taken back, and since when no discovery shard holds its handle. */
export const Unlink = z.strictObject({
  unlinkedAtMs: Milliseconds,
  /** When no discovery shard held the handle any more; null until then. */
  goneAtMs: Milliseconds.nullable(),
})

/** `unlinks/{agentId}`: the channels that publishing must not bring back. Holds no handle. */
export const Unlinks = z.strictObject({
  whatsapp: Unlink.optional(),
  telegram: Unlink.optional(),
  discord: Unlink.optional(),
  slack: Unlink.optional(),
})
export type Unlinks = z.infer<typeof Unlinks>

/** True while the agent counts as online in its room at `nowMs`. */
export function isOnline(listing: Pick<Listing, 'category' | 'presence'>, nowMs: number): boolean {
  return listing.presence.lastSeenAtMs >= nowMs - rooms[listing.category].onlineWindowMs
}
