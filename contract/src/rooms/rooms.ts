import * as z from 'zod'
import * as list from './list.ts'
import type { Room } from './room.ts'

export type RoomName = keyof typeof list

/** The rooms of the directory by their names. */
export const rooms: Readonly<Record<RoomName, Room>> = { ...list }

const names = Object.keys(rooms) as [RoomName, ...RoomName[]]

/** The first room in the list, where nothing names another. */
export const [defaultRoom] = names

export const RoomName = z.enum(names, { error: `must be one of ${names.join(', ')}` })

/** One value for each room. */
export function forEachRoom<T>(valueOf: (name: RoomName, room: Room) => T): T[] {
  return names.map((name) => valueOf(name, rooms[name]))
}
