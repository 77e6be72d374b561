import { exactDocument, keysOf, rows, variantsOf } from './documents.ts'
import type { Fields } from './documents.ts'

/** A client's token, unsigned as the emulators take it; `null` is no token at all. */
export type Token = Record<string, unknown> | null

/** What a client tries, in the words of a sentence, and whether it is on a document that is there. */
export const operations = {
  gets: { onPresent: true, isGet: true, isWrite: false },
  'gets null, as there is none yet, for': { onPresent: false, isGet: true, isWrite: false },
  'lists the collection of': { onPresent: true, isGet: false, isWrite: false },
  'lists what has the id of': { onPresent: true, isGet: false, isWrite: false },
  'lists what has the agentId of': { onPresent: true, isGet: false, isWrite: false },
  counts: { onPresent: true, isGet: false, isWrite: false },
  'queries all collections named like that of': { onPresent: true, isGet: false, isWrite: false },
  creates: { onPresent: false, isGet: false, isWrite: true },
  replaces: { onPresent: true, isGet: false, isWrite: true },
  'merges into': { onPresent: true, isGet: false, isWrite: true },
  updates: { onPresent: true, isGet: false, isWrite: true },
  deletes: { onPresent: true, isGet: false, isWrite: true },
}
export type Operation = keyof typeof operations

export interface Case {
  /** The place in question, or the row whose fields are. */
  readonly subject: string
  readonly name: string
  readonly token: Token
  readonly operation: Operation
  readonly path: string
  readonly agentId: string
  /** What a write would leave there. */
  readonly document: Fields
  readonly allowed: boolean
}

/** Fictional agents: a UUID v4 for each number. */
const agent = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`

/** Agents by what the server keeps as their account; of each one that has published and one that has no document. */
const accounts = {
  'no account': undefined,
  'generation 0': { generation: 0 },
  'generation 2': { generation: 2 },
  'an account without generation': { secretHash: 'fictional' },
} satisfies Record<string, Fields | undefined>
type Account = keyof typeof accounts

const accountNames: readonly Account[] = keysOf(accounts)
const operationNames = keysOf(operations)
const present = (account: Account) => agent(10 + accountNames.indexOf(account))
const absent = (account: Account) => agent(20 + accountNames.indexOf(account))
const peer = agent(30)

const hour = 3_600_000
const past = Date.now() - 1
const ahead = Date.now() + hour

function tokenOf(uid: string, claims: Fields = {}, provider = 'custom'): Token {
  return { sub: uid, user_id: uid, firebase: { sign_in_provider: provider, identities: {} }, ...claims }
}

interface Actor {
  readonly of: Account
  readonly mayRead: boolean
  readonly claims?: Fields
  readonly provider?: string
  /** Who it is, where it is not the owner. */
  readonly uid?: string | null
}

const actors: Record<string, Actor> = {
  nobody: { of: 'no account', uid: null, mayRead: false },
  'an anonymous user': { of: 'no account', uid: 'anonymous-user', provider: 'anonymous', mayRead: false },
  'a user with a password': { of: 'no account', uid: 'password-user', provider: 'password', mayRead: false },
  'a listed peer': { of: 'no account', uid: peer, mayRead: false },
  "a listed peer's settings session": {
    of: 'no account',
    uid: peer,
    claims: { settings: true, untilMs: ahead },
    mayRead: false,
  },
  'an owner': { of: 'no account', mayRead: true },
  'an owner signed in with a password linked to it': { of: 'no account', provider: 'password', mayRead: false },
  'an owner signed in anonymously': { of: 'no account', provider: 'anonymous', mayRead: false },
  'an owner with a generation but no account': { of: 'no account', claims: { generation: 7 }, mayRead: true },
  'an owner without a generation': { of: 'generation 0', mayRead: true },
  'an owner of the generation 0': { of: 'generation 0', claims: { generation: 0 }, mayRead: true },
  'an owner of a later generation': { of: 'generation 0', claims: { generation: 1 }, mayRead: false },
  'an owner of the current generation': { of: 'generation 2', claims: { generation: 2 }, mayRead: true },
  'an owner of the generation before': { of: 'generation 2', claims: { generation: 1 }, mayRead: false },
  'an owner from before there were generations': { of: 'generation 2', mayRead: false },
  'an owner whose generation is text': { of: 'generation 2', claims: { generation: '2' }, mayRead: false },
  'an owner whose account counts nothing': { of: 'an account without generation', mayRead: false },
  'a settings session in time': {
    of: 'generation 2',
    claims: { generation: 2, settings: true, untilMs: ahead },
    mayRead: true,
  },
  'a settings session in time of the generation before': {
    of: 'generation 2',
    claims: { generation: 1, settings: true, untilMs: ahead },
    mayRead: false,
  },
  'a settings session past its end': { of: 'no account', claims: { settings: true, untilMs: past }, mayRead: false },
  'a settings session without an end': { of: 'no account', claims: { settings: true }, mayRead: false },
  'a settings session whose end is null': {
    of: 'no account',
    claims: { settings: true, untilMs: null },
    mayRead: false,
  },
  'a settings session whose end is text': {
    of: 'no account',
    claims: { settings: true, untilMs: String(ahead) },
    mayRead: false,
  },
  'a settings session whose end is no whole number': {
    of: 'no account',
    claims: { settings: true, untilMs: ahead + 0.5 },
    mayRead: false,
  },
  'a session whose settings claim is text': { of: 'no account', claims: { settings: 'true' }, mayRead: false },
  'a session that says it is no settings session': { of: 'no account', claims: { settings: false }, mayRead: true },
}

interface Place {
  readonly path: (agentId: string) => string
  /** What is planted there for each agent that has published. */
  readonly document?: Fields
  readonly isRow: boolean
}

const readable = Object.entries(rows).map(([name, { path, group }]): [string, Place] => [
  `the ${name}`,
  { path, document: exactDocument(group), isRow: true },
])
const listing = exactDocument(rows['dating listing'].group)
const places: Record<string, Place> = Object.fromEntries([
  ...readable,
  ...readable.flatMap(([name, { path, document = {} }]): [string, Place][] => [
    [`a document below ${name}`, { path: (agentId) => `${path(agentId)}/agents/${agentId}`, document, isRow: false }],
    [
      `any document beside ${name}`,
      { path: (agentId) => path(agentId).replace(/(\w+)(\/[^/]+)$/, '$1Archive$2'), document, isRow: false },
    ],
  ]),
  ...[
    'mcpDirectory/nowhere/agents',
    'elsewhere/dating/agents',
    'mcpDirectory',
    'changes',
    'removals',
    'settingsLinks',
    'proofs',
    'departures',
    'takedowns',
    'discovery',
    'discovery/dating/shards',
    'damagedShards',
    'runs',
    'budgets',
    'identities',
  ].map((collection): [string, Place] => [
    `any entry of ${collection}`,
    { path: (agentId) => `${collection}/${agentId}`, document: listing, isRow: false },
  ]),
  ['the account', { path: (agentId) => `accounts/${agentId}`, isRow: false }] satisfies [string, Place],
])

const variants = Object.entries(rows)
  .flatMap(([name, { path, group }]) => variantsOf(group).map((variant) => ({ ...variant, of: name, path })))
  .map(({ name, document, isExact, of, path }, index) => ({
    subject: `the fields of the ${of}`,
    name: `${of} that ${name}`,
    agentId: agent(1_000 + index),
    document,
    isExact,
    path,
  }))

export interface Planted {
  readonly path: string
  readonly agentId: string
  readonly document: Fields
}

/** Every document of the store that the cases are run against. */
export const planted: readonly Planted[] = [
  ...accountNames.flatMap((account) =>
    [present(account), absent(account)].flatMap((agentId) => {
      const document = accounts[account]
      return document ? [{ path: `accounts/${agentId}`, agentId, document }] : []
    }),
  ),
  ...Object.values(places).flatMap(({ path, document }) =>
    document ? [...accountNames.map(present), peer].map((agentId) => ({ path: path(agentId), agentId, document })) : [],
  ),
  ...variants.map(({ path, agentId, document }) => ({ path: path(agentId), agentId, document })),
]

/** Every actor × operation × place: an owner gets its own three documents, and there is nothing else to be allowed. */
const accessCases = Object.entries(places).flatMap(([place, { path, document = {}, isRow }]) =>
  Object.entries(actors).flatMap(([actor, { of, uid, claims, provider, mayRead }]) =>
    operationNames.map((operation): Case => {
      const { onPresent, isGet } = operations[operation]
      const agentId = onPresent ? present(of) : absent(of)
      return {
        subject: place,
        name: `${actor} ${operation} ${place}`,
        token: uid === null ? null : tokenOf(uid ?? agentId, claims, provider),
        operation,
        path: path(agentId),
        agentId,
        document,
        allowed: mayRead && isGet && isRow,
      }
    }),
  ),
)

/** An owner gets each of its documents, changed in one place. */
const fieldCases = variants.map(({ subject, name, agentId, document, isExact, path }): Case => ({
  subject,
  name: `an owner gets a ${name}`,
  token: tokenOf(agentId),
  operation: 'gets',
  path: path(agentId),
  agentId,
  document,
  allowed: isExact,
}))

export const cases: readonly Case[] = [...fieldCases, ...accessCases]
