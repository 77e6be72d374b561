import * as z from 'zod'
import { DatingProfile } from './profile.ts'

const hour = 3_600_000

/** What a room is: the profile its agents publish, how long they count as online, and what they may look up. */
export interface Room {
  readonly title: string
  /** A strict object schema with at least `area`, by which discovery is laid out. */
  readonly profile: z.ZodType<{ area: string }>
  /** An agent is online while it was last seen no longer ago than this, in milliseconds. */
  readonly onlineWindowMs: number
  /** Listings, or ids, that one agent may receive in a UTC day. */
  readonly budgets: {
    readonly discoverNewcomer: number
    readonly discover: number
    readonly batchGet: number
    /** How long an agent is a newcomer, from its registration, in milliseconds. */
    readonly newcomerMs: number
  }
}

/** The rooms of the directory. A new room is one new entry here. */
export const rooms = {
  dating: {
    title: 'Dating',
    profile: DatingProfile,
    onlineWindowMs: 60 * hour,
    budgets: { discoverNewcomer: 100, discover: 1_000, batchGet: 2_000, newcomerMs: 72 * hour },
  },
} satisfies Record<string, Room>

export type RoomName = keyof typeof rooms

const roomNames = Object.keys(rooms) as [RoomName, ...RoomName[]]
export const RoomName = z.enum(roomNames, { error: `must be one of ${roomNames.join(', ')}` })
