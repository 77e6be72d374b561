import {
  defaultRoom,
  forEachRoom,
  rooms,
  type Field,
  type FieldValue,
  type Profile,
  type RoomName,
} from '@koko/contract'
import * as z from 'zod'
import { UserError } from '../errors.ts'
import { agentFile, privateDealbreakers, profileFile, type Profile as OwnProfile } from '../home/files.ts'
import type { Home } from '../home/home.ts'

/** Values of a profile by field. */
export const Values: z.ZodType<Readonly<Record<string, FieldValue>>> = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.null(), z.array(z.string())]),
)
export type Values = z.infer<typeof Values>

/** The room of this home's agent; before there is one, that of the profile, or the first in the list. */
export async function roomOf({ read }: Pick<Home, 'read'>): Promise<RoomName> {
  const [agent, own] = [await read(agentFile), await read(profileFile)]
  return agent?.room ?? own?.room ?? defaultRoom
}

/** The profile that is kept for this room; undefined where there is none. */
export async function readProfile({ read }: Pick<Home, 'read'>, room: RoomName): Promise<OwnProfile | undefined> {
  const own = await read(profileFile)
  return own?.room === room ? own : undefined
}

/** The fields of every room, each with its schema; one that several rooms have may be as any of them says. */
export function fieldsOfAllRooms(): Record<string, z.ZodType> {
  const fields = forEachRoom((_, room) => Object.entries<Field>(room.fields)).flat()
  return Object.fromEntries(
    [...Map.groupBy(fields, ([name]) => name)].map(([name, group]) => {
      const [first, ...others] = [...new Set(group.map(([, { schema }]) => schema))]
      return [name, first === undefined || others.length === 0 ? (first ?? z.never()) : z.union([first, ...others])]
    }),
  )
}

const [firstProfile, ...otherProfiles] = forEachRoom((_, { profile }) => profile)
if (firstProfile === undefined) throw new Error('The directory has no room.')
/** The profile of any room. */
export const AnyProfile = otherProfiles.length === 0 ? firstProfile : z.union([firstProfile, ...otherProfiles])

/**
 * Changes fields of the profile at home, and dealbreakers where they are given; what is left out stays. Sends nothing.
 * Throws `UserError` that names the field that does not pass.
 */
export async function editProfile(
  home: Home,
  room: RoomName,
  fields: Values,
  dealbreakers?: Readonly<Record<string, string[]>>,
): Promise<OwnProfile> {
  return home.change(async (files) => {
    const own = await readProfile(files, room)
    const edited = rooms[room].profile.safeParse({ ...own?.profile, ...fields })
    if (!edited.success) throw refusedProfile(edited.error)
    const next: OwnProfile = {
      room,
      profile: edited.data,
      dealbreakers: { ...noDealbreakers(room), ...own?.dealbreakers, ...dealbreakers },
    }
    await files.write(profileFile, next)
    return next
  })
}

/** The dealbreakers that stay at home, none of which leaves anybody out. */
export function noDealbreakers(room: RoomName): Record<string, string[]> {
  return Object.fromEntries(privateDealbreakers(rooms[room]).map(({ name }) => [name, []]))
}

/** The names of the fields that a profile lacks. */
export function missingFields(room: RoomName, values: Partial<Profile>): string[] {
  return Object.keys(rooms[room].fields).filter((name) => values[name] === undefined)
}

function refusedProfile({ issues: [issue] }: z.ZodError): UserError {
  return new UserError(
    `The profile was not changed: ${String(issue?.path[0] ?? 'it')} ${issue?.message ?? 'is not valid'}.`,
    'Give a value that passes.',
  )
}
