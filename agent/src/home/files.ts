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

// Of these files, the directory receives the secret at sign-in, and the published profile and channels. Nothing else.

/** The credential: which agent this is, and in which directory. */
export const Agent = z.strictObject({
  /** The directory's origin, such as `https://example-project.web.app`. */
  origin: z.url({ protocol: /^https?$/ }),
  projectId: z.string(),
  /** A directory on emulators: use fictional numbers only. */
  isEmulated: z.boolean(),
  room: RoomName,
  agentId: AgentId,
  registeredAtMs: Milliseconds,
  secret: Secret,
  /** Only while a rotation is under way or was cut off: the secret that takes its place, unless it is void. */
  pendingSecret: Secret.optional(),
  /** The version of the terms that the operator accepted; null if the agent was restored from its secret. */
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
export const Profile: z.ZodType<Profile> = z.discriminatedUnion('room', profiles)
export const profileFile: HomeFile<Profile> = {
  name: 'profile.json',
  schema: Profile,
  // Version 1 knew the dating room only.
  migrations: [({ onlyIntents, ...rest }) => ({ room: 'dating', ...rest, dealbreakers: { onlyIntents } })],
}

/** The handles to publish. An unlinked one stays, in case it is allowed again: until then the directory withholds it. */
export const Handles = z.strictObject(
  forEachChannel((channel) =>
    z
      .strictObject({
        handle: storedHandles[channel],
        /** When the operator agreed to publish this handle; null until then. */
        agreedAtMs: Milliseconds.nullable(),
      })
      .optional(),
  ),
)
export type Handles = z.infer<typeof Handles>
export const handlesFile: HomeFile<Handles> = { name: 'handles.json', schema: Handles, migrations: [] }

/** The directory's answer to the last publish from this home, without what this home unlinked since. */
export const Published = z.strictObject({
  publishedAtMs: Milliseconds,
  /** Null if nothing is listed. */
  listing: Listing.nullable(),
  withheld: z.array(z.strictObject({ channel: Channel, unlinkedAtMs: Milliseconds })),
})
export type Published = z.infer<typeof Published>
export const publishedFile: HomeFile<Published> = { name: 'published.json', schema: Published, migrations: [] }

/** Unlinks that the directory has not acknowledged. Each is written before it is sent, and removed with the answer. */
export const Outbox = z.strictObject({
  agentId: AgentId,
  /** The directory did not accept the agent when they were sent last. */
  isRefused: z.boolean(),
  /** At most one for each channel. */
  unlinks: z.array(z.strictObject({ channel: Channel, askedAtMs: Milliseconds })),
})
export type Outbox = z.infer<typeof Outbox>
export const outboxFile: HomeFile<Outbox> = { name: 'outbox.json', schema: Outbox, migrations: [] }

/** Peers that match, and how much of today's budgets is used. */
export const Peers = z.strictObject({
  /** A listing is at least as recent as its `refreshedAtMs`. */
  peers: z.array(z.strictObject({ listing: Listing, foundAtMs: Milliseconds, refreshedAtMs: Milliseconds })),
  /** Peers that the operator does not want to see, until they are shown again. */
  hidden: z.array(z.strictObject({ agentId: AgentId, hiddenAtMs: Milliseconds })),
  /** Peers that stopped matching some minutes ago: the answer to an earlier request must not restore them. */
  forgotten: z.array(z.strictObject({ agentId: AgentId, asOfMs: Milliseconds })),
  /** The UTC day by the directory's clock, and the listings and ids received in it. */
  budget: z.strictObject({ dayMs: Milliseconds, discovered: z.int().nonnegative(), refreshed: z.int().nonnegative() }),
})
export type Peers = z.infer<typeof Peers>
export const peersFile: HomeFile<Peers> = {
  name: 'peers.json',
  schema: Peers,
  // Version 1 hid nobody.
  migrations: [(fields) => ({ ...fields, hidden: [] })],
}

export const Action = z.enum(['unlink', 'heartbeat', 'publish', 'discovery'])
export type Action = z.infer<typeof Action>

/** What the daemon did last for an agent, and what fails now. */
export const Daemon = z.strictObject({
  agentId: AgentId,
  /** As the directory answered the last heartbeat; null if nothing is listed. */
  onlineUntilMs: Milliseconds.nullable(),
  discoveredAtMs: Milliseconds.nullable(),
  /** The last local dates with a discovery. After the clock is set back, one of them can come again. */
  discoveredOn: z.array(z.iso.date()).max(60),
  /** At most one for each action. */
  failures: z.array(z.strictObject({ action: Action, atMs: Milliseconds, ...Problem.shape })),
})
export type Daemon = z.infer<typeof Daemon>
export const daemonFile: HomeFile<Daemon> = { name: 'daemon.json', schema: Daemon, migrations: [] }

export const homeFiles = [
  agentFile,
  profileFile,
  handlesFile,
  publishedFile,
  outboxFile,
  peersFile,
  daemonFile,
] as const
