import * as z from 'zod'
import { keysOf } from '../keys-of.ts'
import * as list from './list.ts'
import type { Room } from './room.ts'

export type RoomName = keyof typeof list

export const rooms: Readonly<Record<RoomName, Room>> = { ...list }

/** The room for a person who has chosen none. */
export const defaultRoom: RoomName = 'dating'

const names = keysOf(rooms)

export const RoomName = z.enum(names, { error: `must be one of ${names.join(', ')}` })

/** How many listings discovery returns in a UTC day to an agent that registered at this time. */
export function discoverBudget(
  { discoverNewcomer, discover, newcomerMs }: Room['budgets'],
  registeredAtMs: number,
  nowMs: number,
): number {
  return nowMs - registeredAtMs < newcomerMs ? discoverNewcomer : discover
}

/** One value for each room. */
export function forEachRoom<T>(valueOf: (name: RoomName, room: Room) => T): [T, ...T[]] {
  const [first, ...others] = names
  return [valueOf(first, rooms[first]), ...others.map((name) => valueOf(name, rooms[name]))]
}
