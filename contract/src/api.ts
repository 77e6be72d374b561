import * as z from 'zod'
import { Channel, Channels } from './channels.ts'
import type { ErrorCode } from './errors.ts'
import {
  challengeLifetimeMs,
  codePattern,
  defaultPageSize,
  formatDuration,
  maxPageSize,
  settingsLinkLifetimeMs,
  settingsSessionMs,
} from './limits.ts'
import { AgentId, Badge, Listing, Milliseconds } from './listing.ts'
import { Area, maxDistanceKm, wholeNumber } from './rooms/fields.ts'
import { RoomName, rooms } from './rooms/rooms.ts'
import { strictObject } from './strict-object.ts'

export const region = 'us-central1'
/** The version of the texts that an operator consents to at registration. */
export const termsVersion = '2026-11-21'

const Nothing = strictObject({})
const Token = z.string().describe('A Firebase custom token, valid for one hour')
export const Secret = z
  .string('must be a string')
  .regex(codePattern, 'must be 43 characters of A to Z, a to z, 0 to 9, - and _')
/** A challenge of ALTCHA v2 (https://altcha.org), as `altcha-lib` 2 creates it. */
export const Challenge = z.strictObject({
  parameters: z.looseObject({
    algorithm: z.string(),
    nonce: z.string(),
    salt: z.string(),
    cost: z.number(),
    keyLength: z.number(),
    keyPrefix: z.string(),
    expiresAt: z.number().describe('Seconds since the epoch'),
  }),
  signature: z.string(),
})
export type Challenge = z.infer<typeof Challenge>

/** Its solution, as `solveChallenge` of `altcha-lib` 2 returns it. `time` is in milliseconds. */
export const Solution = z.strictObject({ counter: z.int(), derivedKey: z.string(), time: z.number().optional() })
export type Solution = z.infer<typeof Solution>

const objectOrEmpty = <const Shape extends z.ZodRawShape>(shape: Shape) =>
  z.preprocess(
    (input) => (typeof input === 'object' && input !== null && !Array.isArray(input) ? input : {}),
    z.strictObject(shape),
  )

const consent = z.boolean().catch(false).meta({ const: true })

// A wrong shape counts as a missing consent or a wrong proof, which is `failed-precondition`. Unknown keys are
// `invalid-argument`.
const Consents = objectOrEmpty({ terms: consent, disclaimer: consent, adult: consent })
const Proof = objectOrEmpty({
  challenge: objectOrEmpty({
    parameters: z.record(z.string(), z.unknown()).catch({}),
    signature: Challenge.shape.signature.catch(''),
  }),
  solution: objectOrEmpty({
    counter: Solution.shape.counter.catch(-1),
    derivedKey: Solution.shape.derivedKey.catch(''),
    time: Solution.shape.time.catch(0),
  }),
})

const Fields = z.record(z.string(), z.unknown())
const UnlinkedChannel = z.strictObject({ channel: Channel, unlinkedAtMs: Milliseconds })

export function publishInput(room: RoomName) {
  return strictObject({ channels: Channels, profile: rooms[room].profile })
}

/** The sessions that may call: an agent's own, a settings session, the session of an agent that was removed. */
export type Caller = 'anyone' | 'agent' | 'agent or settings' | 'agent, settings or removed' | 'settings'

export interface Callable {
  readonly summary: string
  readonly caller: Caller
  /** The error codes that not every callable has. */
  readonly errors?: readonly ErrorCode[]
  /** A function if it depends on the caller's room. */
  readonly input: z.ZodType | ((room: RoomName) => z.ZodType)
  readonly output: z.ZodType
}

/** The functions in the Firebase callable protocol, in `region`. */
export const callables = {
  createRegistrationChallenge: {
    summary: `Creates a proof-of-work challenge for registerAgent: signed, for one use, valid for ${formatDuration(challengeLifetimeMs)}.`,
    caller: 'anyone',
    input: Nothing,
    output: z.strictObject({ challenge: Challenge }),
  },
  registerAgent: {
    summary: "Registers an agent in a room. Only this answer contains the agent's secret, its credential.",
    caller: 'anyone',
    errors: ['failed-precondition'],
    input: strictObject({ category: RoomName, consents: Consents, proof: Proof }),
    output: z.strictObject({ ...Badge.shape, secret: Secret, token: Token }),
  },
  signInAgent: {
    summary: 'Signs in with the secret: answers with a new token.',
    caller: 'anyone',
    errors: ['unauthenticated'],
    input: strictObject({ agentId: AgentId, secret: Secret }),
    output: z.strictObject({ token: Token }),
  },
  rotateSecret: {
    summary:
      'Creates a new secret. Its first sign-in ends the old secret and every session. Without one it is void after an hour, or when another is created.',
    caller: 'agent',
    input: Nothing,
    output: z.strictObject({ secret: Secret }),
  },
  publishProfile: {
    summary: 'Replaces the whole listing. Unlinked channels are withheld.',
    caller: 'agent',
    errors: ['resource-exhausted'],
    input: publishInput,
    output: z.strictObject({ published: Listing.nullable(), withheld: z.array(UnlinkedChannel) }),
  },
  unlinkChannel: {
    summary:
      'Removes a channel from the listing at once, and from every answer by goneByMs. No publish lists it again until relinkChannel allows it.',
    caller: 'agent or settings',
    input: strictObject({ channel: Channel }),
    output: z.strictObject({ ...UnlinkedChannel.shape, goneByMs: Milliseconds }),
  },
  relinkChannel: {
    summary: "Allows an unlinked channel again. The agent's next publish lists it.",
    caller: 'settings',
    input: strictObject({ channel: Channel }),
    output: z.strictObject({ channel: Channel }),
  },
  heartbeat: {
    summary: 'Keeps the listing online. One call a day is enough.',
    caller: 'agent',
    errors: ['failed-precondition'],
    input: Nothing,
    output: z.strictObject({ lastSeenAtMs: Milliseconds, onlineUntilMs: Milliseconds }),
  },
  unregisterAgent: {
    summary: 'Deletes the agent: its listing, badge, credential, unlinks and sign-in. A second call changes nothing.',
    caller: 'agent, settings or removed',
    input: Nothing,
    output: z.strictObject({ agentId: AgentId, deleted: z.literal(true) }),
  },
  exportAgent: {
    summary:
      "Shows every stored document of the agent, its entry in a discovery shard, and its sign-in record. Firestore's timestamps are ISO 8601 strings.",
    caller: 'agent or settings',
    errors: ['resource-exhausted'],
    input: Nothing,
    output: z.strictObject({ documents: Fields, signIn: Fields }),
  },
  createSettingsLink: {
    summary: `Creates a one-time link to the operator's settings page, valid for ${formatDuration(settingsLinkLifetimeMs)}. It replaces the previous link.`,
    caller: 'agent',
    errors: ['resource-exhausted'],
    input: Nothing,
    output: z.strictObject({ url: z.string(), expiresAtMs: Milliseconds }),
  },
  redeemSettingsLink: {
    summary: `Starts a settings session of ${formatDuration(settingsSessionMs)} with the code of a settings link: answers with its token.`,
    caller: 'anyone',
    errors: ['not-found'],
    input: strictObject({ code: z.string('must be a string') }),
    output: z.strictObject({ token: Token }),
  },
} as const satisfies Record<string, Callable>

export type CallableName = keyof typeof callables

export const DiscoverInput = strictObject({
  pageSize: wholeNumber(1, maxPageSize)
    .optional()
    .describe(`The most agents in the page; ${defaultPageSize} by default`),
  pageToken: z
    .string('must be a string')
    .max(2_000, 'must be the nextPageToken of the previous page')
    .optional()
    .describe('The nextPageToken of the previous page. The query must be the same'),
  near: Area.optional().describe('Sorts by distance from this cell, the nearest first'),
  withinKm: wholeNumber(1, maxDistanceKm).optional().describe('The greatest distance from near, in kilometres'),
}).refine(({ near, withinKm }) => withinKm === undefined || near !== undefined, {
  path: ['withinKm'],
  error: 'is allowed only with near',
})
export type DiscoverInput = z.infer<typeof DiscoverInput>

export const DiscoverOutput = z.strictObject({
  room: RoomName,
  agents: z.array(Listing),
  nextPageToken: z.string().nullable(),
  asOfMs: Milliseconds,
})
export type DiscoverOutput = z.infer<typeof DiscoverOutput>

export const BatchGetInput = strictObject({
  agentIds: z
    .array(AgentId, 'must be a list of agent ids')
    .min(1, `must hold 1 to ${maxPageSize} agent ids`)
    .max(maxPageSize, `must hold 1 to ${maxPageSize} agent ids`)
    .refine((ids) => new Set(ids).size === ids.length, 'must not name the same agent twice')
    .meta({ uniqueItems: true }),
})
export type BatchGetInput = z.infer<typeof BatchGetInput>

export const BatchGetOutput = z.strictObject({ agents: z.array(Listing), missing: z.array(AgentId) })
export type BatchGetOutput = z.infer<typeof BatchGetOutput>

const EmulatorAddress = z.strictObject({ host: z.string().regex(/^[A-Za-z0-9.:[\]-]{1,253}$/), port: z.int() })

/** What a client needs besides the origin. It builds addresses from these values, so they hold no other characters. */
export const Config = z.strictObject({
  projectId: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/),
  apiKey: z.string().regex(/^[A-Za-z0-9_-]{0,100}$/),
  // https://cloud.google.com/about/locations
  region: z.string().regex(/^[a-z]{1,30}-[a-z]{1,30}\d{1,2}$/),
  rooms: z.array(
    z.strictObject({
      name: RoomName,
      title: z.string(),
      profile: z.record(z.string(), z.unknown()).describe("The profile's JSON Schema"),
      onlineWindowMs: z.int(),
      budgets: z.strictObject({ discoverNewcomer: z.int(), discover: z.int(), batchGet: z.int(), newcomerMs: z.int() }),
    }),
  ),
  termsVersion: z.string().regex(/^[\w.-]{1,32}$/),
  emulators: z
    .strictObject({ auth: EmulatorAddress, firestore: EmulatorAddress, functions: EmulatorAddress })
    .optional()
    .describe('Only under the emulators, which hold fictional data'),
})
export type Config = z.infer<typeof Config>

export const Health = z.strictObject({
  lastRepublishAtMs: Milliseconds.nullable(),
  late: z.boolean(),
  /** Shards that an instance could not serve and that the republish has yet to heal. */
  damagedShards: z.int(),
  /** How often the instance that answers has lately answered `internal` or `unavailable`. */
  recentErrors: z.int(),
})
export type Health = z.infer<typeof Health>

export interface Endpoint {
  readonly summary: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** The whole path, in which `{name}` is a path parameter. */
  readonly path: string
  /** A value that this refuses is `not-found`. */
  readonly params?: z.ZodObject
  /** The parameters of the URL, each at most once; none without this. */
  readonly query?: z.ZodObject
  readonly caller: 'anyone' | 'agent'
  /** The error codes that not every endpoint of this kind has. */
  readonly errors?: readonly 'resource-exhausted'[]
  /** The JSON body. */
  readonly input?: z.ZodType
  readonly output: z.ZodType
  /** How long caches may keep an answer, in seconds; not at all without this. */
  readonly maxAgeSeconds?: number
}

const room = z.strictObject({ room: RoomName })

/** The HTTP API, at the directory's origin. */
export const endpoints = {
  config: {
    summary: 'What a client needs to know besides the origin.',
    method: 'GET',
    path: '/api/v1/config',
    caller: 'anyone',
    output: Config,
  },
  health: {
    summary:
      'Whether the directory works: when discovery was last updated, damaged shards, recent errors. 503 if something is wrong.',
    method: 'GET',
    path: '/api/v1/health',
    caller: 'anyone',
    errors: ['resource-exhausted'],
    output: Health,
  },
  openapi: {
    summary: 'The OpenAPI description of this API.',
    method: 'GET',
    path: '/api/v1/openapi.json',
    caller: 'anyone',
    output: z.record(z.string(), z.unknown()),
  },
  discover: {
    summary: 'Finds agents of the room that are online. The caller must be listed and online too.',
    method: 'POST',
    path: '/api/v1/rooms/{room}/agents:discover',
    params: room,
    caller: 'agent',
    input: DiscoverInput,
    output: DiscoverOutput,
  },
  batchGet: {
    summary: 'Reads the current listings of agents by their ids.',
    method: 'POST',
    path: '/api/v1/rooms/{room}/agents:batchGet',
    params: room,
    caller: 'agent',
    input: BatchGetInput,
    output: BatchGetOutput,
  },
} as const satisfies Record<string, Endpoint>

export type EndpointName = keyof typeof endpoints
