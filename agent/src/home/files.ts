import {
  AgentId,
  Channel,
  forEachChannel,
  forEachRoom,
  Listing,
  Milliseconds,
  RoomName,
  Secret,
  storedHandles,
  type Field,
  type Room,
} from '@koko/contract'
import * as z from 'zod'
import { Problem } from '../problem.ts'
import type { HomeFile } from './home.ts'

// What is kept at home, one schema for each file. Of all this the cloud gets the published profile and channels, and the
// secret where it signs in; nothing else.

/** Who this agent is, and where: the credential. */
export const Agent = z.strictObject({
  /** The directory's origin, such as `https://example-project.web.app`. */
  origin: z.url({ protocol: /^https?$/ }),
  projectId: z.string(),
  /** A directory under emulators: fictional numbers only. */
  isEmulated: z.boolean(),
  room: RoomName,
  agentId: AgentId,
  registeredAtMs: Milliseconds,
  secret: Secret,
  /** The version of the texts that were consented to; null where the agent was restored from its secret. */
  termsVersion: z.string().nullable(),
})
export type Agent = z.infer<typeof Agent>
export const agentFile: HomeFile<Agent> = { name: 'agent.json', schema: Agent, migrations: [] }

/** The dealbreakers of a room that stay at home, each as a list of the values that a match may have. */
export function privateFields({ fields, dealbreakers }: Room): Record<string, Field & { kind: 'list' }> {
  const entries = dealbreakers.flatMap((each) => {
    if (each.kind !== 'private') return []
    const field = fields[each.of]
    if (field?.kind !== 'choice') throw new Error(`A private dealbreaker needs a choice, and ${each.of} is none.`)
    const { name, description, label } = each
    const question = `${each.question} This stays at home.`
    const schema = z.array(field.schema.transform(String))
    return [
      [name, { kind: 'list', schema, values: field.values, none: 'anything', description, label, question }] as const,
    ]
  })
  return Object.fromEntries(entries)
}

const profiles = forEachRoom((name, room) =>
  z.strictObject({
    room: z.literal(name),
    profile: room.profile,
    /** By name, the values that a match may have; empty is any. Never published. */
    dealbreakers: z.strictObject(
      Object.fromEntries(Object.entries(privateFields(room)).map(([name, { schema }]) => [name, schema])),
    ),
  }),
)

/** The profile to publish, and the dealbreakers that stay at home. */
export type Profile = z.infer<(typeof profiles)[number]>
const [firstProfile, ...otherProfiles] = profiles
if (firstProfile === undefined) throw new Error('The directory has no room.')
export const Profile: z.ZodType<Profile> = z.discriminatedUnion('room', [firstProfile, ...otherProfiles])
export const profileFile: HomeFile<Profile> = {
  name: 'profile.json',
  schema: Profile,
  // Version 1 knew the dating room only.
  migrations: [({ profile, onlyIntents }) => ({ room: 'dating', profile, dealbreakers: { onlyIntents } })],
}

/** The handles to publish. One that was unlinked stays, for the day it is allowed again: the directory withholds it. */
export const Handles = z.strictObject(
  forEachChannel((channel) =>
    z
      .strictObject({
        /** In its canonical form. */
        handle: storedHandles[channel],
        /** When the operator agreed to publish this very handle; null until then. */
        agreedAtMs: Milliseconds.nullable(),
      })
      .optional(),
  ),
)
export type Handles = z.infer<typeof Handles>
export const handlesFile: HomeFile<Handles> = { name: 'handles.json', schema: Handles, migrations: [] }

/** What the directory answered to the last publish from this home, less what was unlinked from here since. */
export const Published = z.strictObject({
  publishedAtMs: Milliseconds,
  /** As it is stored; null where nothing is listed. */
  listing: Listing.nullable(),
  withheld: z.array(z.strictObject({ channel: Channel, unlinkedAtMs: Milliseconds })),
})
export type Published = z.infer<typeof Published>
export const publishedFile: HomeFile<Published> = { name: 'published.json', schema: Published, migrations: [] }

/** Peers that match, and what of today's budgets is used. */
export const Peers = z.strictObject({
  /** A listing was so at `refreshedAtMs` at the earliest. */
  peers: z.array(z.strictObject({ listing: Listing, foundAtMs: Milliseconds, refreshedAtMs: Milliseconds })),
  /** Who is no match any more, for some minutes: an answer that was asked for before must not bring them back. */
  forgotten: z.array(z.strictObject({ agentId: AgentId, asOfMs: Milliseconds })),
  /** The UTC day that is counted, as the directory tells it, and the listings and ids got in it. */
  budget: z.strictObject({ dayMs: Milliseconds, discovered: z.int().nonnegative(), refreshed: z.int().nonnegative() }),
})
export type Peers = z.infer<typeof Peers>
export const peersFile: HomeFile<Peers> = { name: 'peers.json', schema: Peers, migrations: [] }

/** What a daemon does for its agent. */
export const Action = z.enum(['heartbeat', 'publish', 'discovery'])
export type Action = z.infer<typeof Action>

/** What the daemon has done last for an agent, and what does not succeed now. */
export const Daemon = z.strictObject({
  agentId: AgentId,
  /** The online time that the directory answered to the last heartbeat; null where it told of no listing. */
  onlineUntilMs: Milliseconds.nullable(),
  discoveredAtMs: Milliseconds.nullable(),
  /** The last local dates, such as `2026-11-21`, on which it discovered: a clock that is set back brings one again. */
  discoveredOn: z.array(z.iso.date()).max(60),
  /** One for each action at most. */
  failures: z.array(z.strictObject({ action: Action, atMs: Milliseconds, ...Problem.shape })),
})
export type Daemon = z.infer<typeof Daemon>
export const daemonFile: HomeFile<Daemon> = { name: 'daemon.json', schema: Daemon, migrations: [] }

export const homeFiles = [agentFile, profileFile, handlesFile, publishedFile, peersFile, daemonFile] as const
