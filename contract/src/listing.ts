import * as z from 'zod'
import { forEachChannel, StoredChannels } from './channels.ts'
import { forEachRoom, RoomName, rooms } from './rooms/rooms.ts'

/** A UUID v4, minted by the server. */
export const AgentId = z.uuidv4('must be a UUID v4')
export type AgentId = z.infer<typeof AgentId>

/** Integer milliseconds since the epoch. */
export const Milliseconds = z.int('must be whole milliseconds since the epoch').nonnegative()

/** `agents/{agentId}`: the badge. `category` never changes. */
export const Badge = z.strictObject({ agentId: AgentId, category: RoomName, registeredAtMs: Milliseconds })
export type Badge = z.infer<typeof Badge>

/** The times of a listing, each the start of a UTC day: presence must not show when a person sleeps. */
export const Presence = z.strictObject({
  registeredAtMs: Milliseconds,
  publishedAtMs: Milliseconds,
  lastSeenAtMs: Milliseconds,
})
export type Presence = z.infer<typeof Presence>

/** The listing in each room. */
export const listings = forEachRoom((name, { profile }) =>
  z.strictObject({
    agentId: AgentId,
    category: z.literal(name),
    channels: StoredChannels,
    profile,
    presence: Presence,
  }),
)

/** `mcpDirectory/{room}/agents/{agentId}`: the listing, as it is stored and as peers receive it. */
export type Listing = z.infer<(typeof listings)[number]>
export const Listing: z.ZodType<Listing> = z.discriminatedUnion('category', listings)

export const listingsPath = (room: RoomName) => `mcpDirectory/${room}/agents`
export const listingPath = (room: RoomName, agentId: AgentId) => `${listingsPath(room)}/${agentId}`
export const badgePath = (agentId: AgentId) => `agents/${agentId}`
export const unlinksPath = (agentId: AgentId) => `unlinks/${agentId}`

/**
 * `goneAtMs` is when the last discovery shard lost the handle; null before that. It is `unlinkedAtMs` if the channel was in
 * no listing and no shard when it was unlinked.
 */
export const Unlink = z.strictObject({ unlinkedAtMs: Milliseconds, goneAtMs: Milliseconds.nullable() })

/** `unlinks/{agentId}`: the channels that a publish must not list again. Holds no handle. */
export const Unlinks = z.strictObject(forEachChannel(() => Unlink.optional()))
export type Unlinks = z.infer<typeof Unlinks>

export function isOnline(listing: Pick<Listing, 'category' | 'presence'>, nowMs: number): boolean {
  return listing.presence.lastSeenAtMs >= nowMs - rooms[listing.category].onlineWindowMs
}
