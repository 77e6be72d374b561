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
import { agentFile, privateFields, Profile as OwnProfile, profileFile } from '../home/files.ts'
import type { Home } from '../home/home.ts'

/** Values by the name of a field, or of a private dealbreaker. */
export const Values: z.ZodType<Readonly<Record<string, FieldValue>>> = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.null(), z.array(z.string())]),
)
export type Values = z.infer<typeof Values>

/** The room of this home's agent; without an agent, that of its profile, or the default. */
export async function roomOf({ read }: Pick<Home, 'read'>): Promise<RoomName> {
  const [agent, own] = [await read(agentFile), await read(profileFile)]
  return agent?.room ?? own?.room ?? defaultRoom
}

/** The profile for this room; undefined if there is none. */
export async function readProfile({ read }: Pick<Home, 'read'>, room: RoomName): Promise<OwnProfile | undefined> {
  const own = await read(profileFile)
  return own?.room === room ? own : undefined
}

/** The schemas of the fields of all rooms; one that several rooms have accepts what any of them accepts. */
export function fieldsOfAllRooms(): Record<string, z.ZodType> {
  const schemas: Record<string, z.ZodType> = {}
  for (const [name, { schema }] of forEachRoom((_, { fields }) => Object.entries<Field>(fields)).flat()) {
    const known = schemas[name]
    schemas[name] = known === undefined ? schema : z.union([known, schema])
  }
  return schemas
}

const [firstProfile, ...otherProfiles] = forEachRoom((_, { profile }) => profile)
/** The profile of any room. */
export const AnyProfile = otherProfiles.length === 0 ? firstProfile : z.union([firstProfile, ...otherProfiles])

/**
 * Changes fields of the profile at home, and private dealbreakers; the others stay. Sends nothing. Throws `UserError` that
 * names a value that is not valid.
 */
export async function editProfile(home: Home, room: RoomName, values: Values): Promise<EditedProfile> {
  return home.change(async (files) => {
    const own = await readProfile(files, room)
    const isPrivate = (name: string) => Object.hasOwn(privateFields(rooms[room]), name)
    const [dealbreakers, fields] = [true, false].map((wanted) =>
      Object.fromEntries(Object.entries(values).filter(([name]) => isPrivate(name) === wanted)),
    )
    const edited = OwnProfile.safeParse({
      room,
      profile: { ...own?.profile, ...fields },
      dealbreakers: { ...noDealbreakers(room), ...own?.dealbreakers, ...dealbreakers },
    })
    if (!edited.success) throw invalidProfile(edited.error)
    const former: { room: string } | undefined = await files.read(profileFile)
    const isOther = former !== undefined && former.room !== room
    const setAside = isOther ? { room: former.room, file: await files.setAside(profileFile, former.room) } : null
    await files.write(profileFile, edited.data)
    return { ...edited.data, setAside }
  })
}

/** `setAside` is the room and the file of a profile of another room, which is kept beside the new one. */
export type EditedProfile = OwnProfile & { setAside: { room: string; file: string } | null }

/** Private dealbreakers that accept every match. */
export function noDealbreakers(room: RoomName): Record<string, string[]> {
  return Object.fromEntries(Object.keys(privateFields(rooms[room])).map((name) => [name, []]))
}

export function missingFields(room: RoomName, values: Partial<Profile>): string[] {
  return Object.keys(rooms[room].fields).filter((name) => values[name] === undefined)
}

function invalidProfile({ issues: [issue] }: z.ZodError): UserError {
  return new UserError(
    `The profile was not changed: ${String(issue?.path[1] ?? 'it')} ${issue?.message ?? 'is not valid'}.`,
    'Give a valid value.',
  )
}
