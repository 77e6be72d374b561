import {
  AgentId,
  Badge,
  badgePath,
  Channel,
  createClient,
  DirectoryError,
  Listing,
  listingPath,
  Milliseconds,
  RoomName,
  signInWithToken,
  Unlink,
  Unlinks,
  unlinksPath,
  type Client,
  type Config,
} from '@koko/contract'
import * as z from 'zod'
import { forgetSession, keepSession } from './kept-session.ts'
import { timeoutMs } from './timeout.ts'

/** A stored document. It is `unreadable` if its format is unknown to this page. */
export type Stored<T> = { state: 'absent' | 'unreadable' } | { state: 'readable'; value: T }

/** What the directory stores about the agent. */
export interface Snapshot {
  /** When it was read, by the directory's clock: it is as new as this, or newer. */
  readAtMs: number
  /** The answer of `exportAgent`, unparsed. */
  exported: { documents: Record<string, unknown>; signIn: Record<string, unknown> }
  listing: Stored<Listing>
  /** The unlinks whose format is known. */
  unlinks: Unlinks
  /** Whether the format of every unlink is known. */
  areUnlinksReadable: boolean
  /** The UTC day since which the agent has had no listing; null if it has one, or that is not known. */
  unlistedSinceMs: number | null
}

/** Whether a link has been used up; `unknown` after a redemption without a clear answer. */
export type LinkState = 'unused' | 'unknown' | 'used'

export interface Opener {
  code: string
  /** Redeems the code and signs in, in this tab only. After a failure it continues where it stopped. */
  open: () => Promise<Session>
  linkState: () => LinkState
}

export interface Session {
  agentId: string
  /** When the session ends, by the directory's clock. */
  untilMs: number
  /** The directory's clock, or a second or two behind it; this machine's may be wrong by hours. */
  nowMs: () => number
  /** As the client's, except that it throws `not-found` if the agent is no longer registered. */
  call: Client['call']
  read: () => Promise<Snapshot>
  /** Checks the paths of the agent's documents: whether something is there, null where that cannot be read. */
  check: () => Promise<{ path: string; found: boolean | null }[]>
  /** Forgets the sign-in. */
  end: () => void
}

const directory = {
  origin: window.location.origin,
  callablesUrl: `${window.location.origin}/api/v1/callables`,
  fetch: fetchWithTimeout,
}

export function createOpener(code: string): Opener {
  const client = createClient(directory)
  let token: string | undefined
  let linkState: LinkState = 'unused'

  async function redeem(): Promise<string> {
    const before = linkState
    linkState = 'unknown'
    try {
      const redeemed = await client.call('redeemSettingsLink', { code })
      linkState = 'used'
      return redeemed.token
    } catch (error) {
      if (error instanceof DirectoryError && error.code !== 'unavailable' && error.code !== 'internal') {
        linkState = before
      }
      throw error
    }
  }

  return {
    code,
    async open() {
      const config = await client.config()
      token ??= await redeem()
      // The first ID token outlives the session, so the token that could renew it is dropped here.
      const { idToken: firstIdToken } = await signInWithToken(config, token, { fetch: fetchWithTimeout })
      const idToken = await firstIdToken()
      const kept: Kept = { idToken, behindMs: Date.now() - claimsOf(idToken).iat * 1_000 }
      keepSession(JSON.stringify(kept))
      return openSession(kept)
    },
    linkState: () => linkState,
  }
}

const Kept = z.strictObject({ idToken: z.string(), behindMs: z.number() })
type Kept = z.infer<typeof Kept>
const Claims = z.object({ sub: AgentId, iat: z.int(), untilMs: Milliseconds })

/** The session that this tab kept before a reload; null if that cannot be read. */
export function resumeSession(kept: string): Session | null {
  try {
    return openSession(Kept.parse(JSON.parse(kept)))
  } catch {
    forgetSession()
    return null
  }
}

function claimsOf(idToken: string): z.infer<typeof Claims> {
  const payload = idToken.split('.')[1] ?? ''
  return Claims.parse(JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))))
}

function openSession({ idToken, behindMs }: Kept): Session {
  const { sub: agentId, untilMs } = claimsOf(idToken)
  const nowMs = () => Date.now() - behindMs
  let hasEnded = false
  const client = createClient({
    ...directory,
    idToken: () =>
      hasEnded
        ? Promise.reject(new DirectoryError('unauthenticated', 'The session has ended.'))
        : Promise.resolve(idToken),
  })

  /** Reads whether a document exists; null if that is refused. The rules let a session get its own three documents. */
  async function exists(path: string): Promise<boolean | null> {
    const config = await client.config()
    const documents = `projects/${config.projectId}/databases/(default)/documents`
    const response = await fetchWithTimeout(`${firestoreUrl(config)}/v1/${documents}:batchGet`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${idToken}` },
      body: JSON.stringify({ documents: [`${documents}/${path}`] }),
    })
    const answer = Found.safeParse(await response.json().catch(() => undefined))
    if (!response.ok || !answer.success) return null
    return answer.data.some(({ found }) => found !== undefined)
  }

  const call: Client['call'] = async (name, input) => {
    try {
      return await client.call(name, input)
    } catch (error) {
      const isRefused = error instanceof DirectoryError && error.code === 'unauthenticated' && !hasEnded
      if (isRefused && (await exists(badgePath(agentId)).catch(() => null)) === false) {
        throw new DirectoryError('not-found', 'The agent is no longer registered.')
      }
      throw error
    }
  }

  // An agent's room never changes.
  let room: RoomName | undefined

  return {
    agentId,
    untilMs,
    nowMs,
    call,

    async read() {
      const readAtMs = nowMs()
      const exported = await call('exportAgent', {})
      const { documents } = exported
      room ??= Badge.safeParse(documents[badgePath(agentId)]).data?.category
      return { readAtMs, exported, ...parsedDocuments(documents, agentId) }
    },

    check() {
      const rooms = room === undefined ? RoomName.options : [room]
      const paths = [badgePath(agentId), ...rooms.map((each) => listingPath(each, agentId)), unlinksPath(agentId)]
      return Promise.all(paths.map(async (path) => ({ path, found: await exists(path).catch(() => null) })))
    },

    end() {
      hasEnded = true
      forgetSession(JSON.stringify({ idToken, behindMs } satisfies Kept))
    },
  }
}

const Found = z.array(z.object({ found: z.unknown().optional() }))

function firestoreUrl({ emulators }: Config): string {
  return emulators === undefined
    ? 'https://firestore.googleapis.com'
    : `http://${emulators.firestore.host}:${emulators.firestore.port}`
}

function parsedDocuments(documents: Record<string, unknown>, agentId: string) {
  // The room may be one that this page does not know.
  const listingAt = Object.keys(documents).find((path) => /^mcpDirectory\/[^/]+\/agents\/[^/]+$/.test(path))
  const unlinks = Object(documents[unlinksPath(agentId)] ?? {}) as Record<string, unknown>
  const known: Unlinks = {}
  for (const channel of Channel.options) {
    const unlink = Unlink.safeParse(unlinks[channel])
    if (unlink.success) known[channel] = unlink.data
  }
  return {
    listing: storedOf(listingAt === undefined ? undefined : documents[listingAt], Listing),
    unlinks: known,
    areUnlinksReadable: Unlinks.safeParse(unlinks).success,
    unlistedSinceMs: Account.safeParse(documents[`accounts/${agentId}`]).data?.unlistedSinceMs ?? null,
  }
}

/** The one field of the account that the page explains. */
const Account = z.object({ unlistedSinceMs: Milliseconds.nullable() })

type Parse<T> = (input: unknown) => { success: true; data: T } | { success: false }

function storedOf<T>(fields: unknown, schema: { safeParse: Parse<T> }): Stored<T> {
  if (fields === undefined) return { state: 'absent' }
  const result = schema.safeParse(fields)
  return result.success ? { state: 'readable', value: result.data } : { state: 'unreadable' }
}

async function fetchWithTimeout(url: string, init: RequestInit): Promise<Response> {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), timeoutMs)
  try {
    const response = await fetch(url, {
      ...init,
      signal: controller.signal,
      referrerPolicy: 'no-referrer',
      cache: 'no-store',
    })
    // The timeout covers the body too.
    return new Response(await response.blob(), response)
  } finally {
    clearTimeout(timer)
  }
}
