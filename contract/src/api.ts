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
/** The version of the texts that registration asks consent to. */
export const termsVersion = '2026-11-21'

const Nothing = strictObject({})
const Token = z.string().describe('A Firebase custom token, good for one hour')
export const Secret = z
  .string('must be a string')
  .regex(codePattern, 'must be 43 characters of A to Z, a to z, 0 to 9, - and _')
/** An ALTCHA v2 challenge (https://altcha.org, `altcha-lib` 2), as the server signs it. */
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

/** An ALTCHA v2 solution, as `solveChallenge` of `altcha-lib` 2 returns it; `time` is the milliseconds it took. */
export const Solution = z.strictObject({ counter: z.int(), derivedKey: z.string(), time: z.number().optional() })
export type Solution = z.infer<typeof Solution>

/** An object, where anything else counts as the empty one: what is missing in it is then refused by name. */
const objectOrEmpty = <const Shape extends z.ZodRawShape>(shape: Shape) =>
  z.preprocess(
    (input) => (typeof input === 'object' && input !== null && !Array.isArray(input) ? input : {}),
    z.strictObject(shape),
  )

const consent = z.boolean().catch(false).meta({ const: true })

/**
 * Consents and proof are parsed leniently: what is not a consent counts as none, and what is not a proof as a wrong
 * one, so that both are refused as `failed-precondition`. Unknown keys stay `invalid-argument`.
 */
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

const UnlinkedChannel = z.strictObject({ channel: Channel, unlinkedAtMs: Milliseconds })

/** The input of `publishProfile` for an agent of this room. */
export function publishInput(room: RoomName) {
  return strictObject({ channels: Channels, profile: rooms[room].profile })
}

/**
 * Who may call: anyone; an agent's own session; that or its settings session; the agent even once it is removed; a
 * settings session only.
 */
export type Caller = 'anyone' | 'agent' | 'agent or settings' | 'agent, settings or removed' | 'settings'

export interface Callable {
  readonly summary: string
  readonly caller: Caller
  /** The codes of its own, beside those that any callable of its callers has. */
  readonly errors?: readonly ErrorCode[]
  /** A function where the caller's room decides. */
  readonly input: z.ZodType | ((room: RoomName) => z.ZodType)
  readonly output: z.ZodType
}

/** The callable functions, in the Firebase callable protocol, in `region`. */
export const callables = {
  createRegistrationChallenge: {
    summary: `A proof-of-work challenge for registerAgent: signed, single use, valid for ${formatDuration(challengeLifetimeMs)}.`,
    caller: 'anyone',
    input: Nothing,
    output: z.strictObject({ challenge: Challenge }),
  },
  registerAgent: {
    summary: 'Registers an agent in a room. The secret is its credential and recovery key, and is shown this once.',
    caller: 'anyone',
    errors: ['failed-precondition'],
    input: strictObject({
      category: RoomName,
      consents: Consents,
      proof: Proof,
    }),
    output: z.strictObject({ ...Badge.shape, secret: Secret, token: Token }),
  },
  signInAgent: {
    summary: 'A fresh token for the holder of the secret.',
    caller: 'anyone',
    errors: ['unauthenticated'],
    input: strictObject({ agentId: AgentId, secret: Secret }),
    output: z.strictObject({ token: Token }),
  },
  rotateSecret: {
    summary: 'A new secret; the old one and every session end.',
    caller: 'agent',
    input: Nothing,
    output: z.strictObject({ secret: Secret }),
  },
  publishProfile: {
    summary: 'Replaces the whole listing. Channels that were unlinked are withheld.',
    caller: 'agent',
    errors: ['resource-exhausted'],
    input: publishInput,
    output: z.strictObject({ published: Listing.nullable(), withheld: z.array(UnlinkedChannel) }),
  },
  unlinkChannel: {
    summary:
      'Unlinks a channel: out of the listing at once, out of every answer by goneByMs. Publishing never lifts it.',
    caller: 'agent or settings',
    input: strictObject({ channel: Channel }),
    output: z.strictObject({ ...UnlinkedChannel.shape, goneByMs: Milliseconds }),
  },
  relinkChannel: {
    summary: "Lifts an unlink; the handle returns with the agent's next publish.",
    caller: 'settings',
    input: strictObject({ channel: Channel }),
    output: z.strictObject({ channel: Channel }),
  },
  heartbeat: {
    summary: 'Keeps a listing online. Writes once a day at most.',
    caller: 'agent',
    errors: ['failed-precondition'],
    input: Nothing,
    output: z.strictObject({ lastSeenAtMs: Milliseconds, onlineUntilMs: Milliseconds }),
  },
  unregisterAgent: {
    summary: 'Deletes the agent: listing, badge, credential, unlinks and sign-in. Idempotent.',
    caller: 'agent, settings or removed',
    input: Nothing,
    output: z.strictObject({ agentId: AgentId, deleted: z.literal(true) }),
  },
  exportAgent: {
    summary: 'Every document of the agent, its entry of a discovery shard included, and its sign-in record, unparsed.',
    caller: 'agent or settings',
    input: Nothing,
    output: z.strictObject({
      documents: z.record(z.string(), z.unknown()),
      signIn: z.record(z.string(), z.unknown()),
    }),
  },
  createSettingsLink: {
    summary: `A one-time link to the operator's settings page, valid for ${formatDuration(settingsLinkLifetimeMs)}. It voids the last one.`,
    caller: 'agent',
    input: Nothing,
    output: z.strictObject({ url: z.string(), expiresAtMs: Milliseconds }),
  },
  redeemSettingsLink: {
    summary: `A token for a settings session of ${formatDuration(settingsSessionMs)}, for the code of a settings link.`,
    caller: 'anyone',
    errors: ['not-found'],
    input: strictObject({ code: z.string('must be a string') }),
    output: z.strictObject({ token: Token }),
  },
} as const satisfies Record<string, Callable>

export type CallableName = keyof typeof callables

const PageToken = z.string('must be a string').max(2_000, 'must be the nextPageToken of the page before')

export const DiscoverInput = strictObject({
  pageSize: wholeNumber(1, maxPageSize).optional().describe(`How many agents at most; ${defaultPageSize} unless given`),
  pageToken: PageToken.optional().describe('The nextPageToken of the page before, with the same query'),
  near: Area.optional().describe('Nearest cells first, from this one'),
  withinKm: wholeNumber(1, maxDistanceKm).optional().describe('How far from near, in kilometres; only with near'),
}).refine(({ near, withinKm }) => withinKm === undefined || near !== undefined, {
  path: ['withinKm'],
  error: 'goes with near only',
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

const EmulatorAddress = z.strictObject({ host: z.string(), port: z.int() })

/** All that a client needs to start from the origin alone. */
export const Config = z.strictObject({
  projectId: z.string(),
  apiKey: z.string(),
  region: z.string(),
  rooms: z.array(
    z.strictObject({
      name: RoomName,
      title: z.string(),
      profile: z.record(z.string(), z.unknown()).describe("The profile's JSON Schema"),
      onlineWindowMs: z.int(),
      budgets: z.strictObject({
        discoverNewcomer: z.int(),
        discover: z.int(),
        batchGet: z.int(),
        newcomerMs: z.int(),
      }),
    }),
  ),
  termsVersion: z.string(),
  emulators: z
    .strictObject({ auth: EmulatorAddress, firestore: EmulatorAddress, functions: EmulatorAddress })
    .optional()
    .describe('Only under the emulators: fictional data only'),
})
export type Config = z.infer<typeof Config>

export const Health = z.strictObject({ lastRepublishAtMs: Milliseconds.nullable(), late: z.boolean() })
export type Health = z.infer<typeof Health>

export interface Endpoint {
  readonly summary: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** The whole path; `{name}` is a path parameter, whose schema is in `params`. */
  readonly path: string
  /** A path parameter that its schema refuses is `not-found`. */
  readonly params?: z.ZodObject
  /** Parameters of the URL, each once; without it the URL takes none. */
  readonly query?: z.ZodObject
  readonly caller: 'anyone' | 'agent'
  /** The JSON body. */
  readonly input?: z.ZodType
  readonly output: z.ZodType
  /** How long any cache may keep an answer, in seconds; nobody may keep one without it. */
  readonly maxAgeSeconds?: number
}

const room = z.strictObject({ room: RoomName })

/** The HTTP API, at the directory's origin. */
export const endpoints = {
  config: {
    summary: 'What a client needs to start from the origin alone.',
    method: 'GET',
    path: '/api/v1/config',
    caller: 'anyone',
    output: Config,
  },
  health: {
    summary: 'When discovery was last brought up to date; 503 when that is late.',
    method: 'GET',
    path: '/api/v1/health',
    caller: 'anyone',
    output: Health,
  },
  openapi: {
    summary: 'This description.',
    method: 'GET',
    path: '/api/v1/openapi.json',
    caller: 'anyone',
    output: z.record(z.string(), z.unknown()),
  },
  discover: {
    summary: 'Agents of the room that are online, for a caller that is listed and online itself.',
    method: 'POST',
    path: '/api/v1/rooms/{room}/agents:discover',
    params: room,
    caller: 'agent',
    input: DiscoverInput,
    output: DiscoverOutput,
  },
  batchGet: {
    summary: 'Agents already known, read from the listings themselves.',
    method: 'POST',
    path: '/api/v1/rooms/{room}/agents:batchGet',
    params: room,
    caller: 'agent',
    input: BatchGetInput,
    output: BatchGetOutput,
  },
} as const satisfies Record<string, Endpoint>

export type EndpointName = keyof typeof endpoints
