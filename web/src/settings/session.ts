import {
  Badge,
  badgePath,
  createClient,
  DirectoryError,
  Listing,
  listingPath,
  RoomName,
  Unlinks,
  unlinksPath,
  type Client,
  type Config,
} from '@koko/contract'
import { deleteApp, FirebaseError, initializeApp, setLogLevel } from 'firebase/app'
import { connectAuthEmulator, inMemoryPersistence, initializeAuth, signInWithCustomToken } from 'firebase/auth'
// The full Firestore client listens instead of asking, and is four times as large: more than this page may load. A
// listener would also outlive its session, since rules look at the time when it begins.
import { connectFirestoreEmulator, doc, getDoc, getFirestore } from 'firebase/firestore/lite'
import { timeoutMs, unavailable, withTimeout } from './timeout.ts'

/** A stored document. It is `unreadable` if its format is unknown to this page. */
export type Stored<T> = { state: 'absent' | 'unreadable' } | { state: 'readable'; value: T }

export interface Snapshot {
  listing: Stored<Listing>
  unlinks: Stored<Unlinks>
}

/** Whether a link has been used up; `unknown` after a redemption without a clear answer. */
export type LinkState = 'unused' | 'unknown' | 'used'

export interface Opener {
  code: string
  /** Redeems the code and signs in, in the memory of this tab only. After a failure it continues where it stopped. */
  open: () => Promise<Session>
  linkState: () => LinkState
}

export interface Session {
  agentId: string
  /** When the session ends, by the directory's clock. */
  untilMs: number
  /** The directory's clock, or a second or two behind it; this machine's may be wrong by hours. */
  nowMs: () => number
  call: Client['call']
  /** Reads the listing and the unlinks. Throws `not-found` without a badge, `unauthenticated` after the session's end. */
  read: () => Promise<Snapshot>
  /** Checks the paths of the agent's documents: whether something is there, null where that cannot be read. */
  check: () => Promise<{ path: string; found: boolean | null }[]>
  /** Forgets the sign-in. */
  end: () => Promise<void>
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
      return signIn(config, token)
    },
    linkState: () => linkState,
  }
}

async function signIn({ projectId, apiKey, emulators }: Config, token: string): Promise<Session> {
  // The page shows failures itself; the SDK would log the agent's paths as well.
  setLogLevel('silent')
  const app = initializeApp({ projectId, apiKey }, crypto.randomUUID())
  const auth = initializeAuth(app, { persistence: inMemoryPersistence })
  const firestore = getFirestore(app)
  if (emulators !== undefined) {
    connectAuthEmulator(auth, `http://${emulators.auth.host}:${emulators.auth.port}`, { disableWarnings: true })
    connectFirestoreEmulator(firestore, emulators.firestore.host, emulators.firestore.port)
  }
  const end = () => deleteApp(app).catch(() => undefined)
  const { user, result } = await withTimeout(
    signInWithCustomToken(auth, token).then(async ({ user }) => ({ user, result: await user.getIdTokenResult() })),
  ).catch(async (cause: unknown) => {
    await end()
    throw sessionError(cause)
  })

  const agentId = user.uid
  const behindMs = Date.now() - Date.parse(result.issuedAtTime)
  const { call } = createClient({
    ...directory,
    idToken: () => withTimeout(user.getIdToken()).catch((cause: unknown) => Promise.reject(sessionError(cause))),
  })

  const get = (path: string): Promise<unknown> =>
    withTimeout(getDoc(doc(firestore, path)).then((document): unknown => document.data() ?? absent)).catch(
      (cause: unknown) => {
        if (cause instanceof FirebaseError && cause.code === 'permission-denied') return refused
        throw sessionError(cause)
      },
    )

  async function getBadge(): Promise<unknown> {
    const badge = await get(badgePath(agentId))
    if (badge === absent) throw new DirectoryError('not-found', 'The agent is no longer registered.')
    // The rules refuse a document of an unknown format, and every document after the session's end.
    if (badge === refused) throw new DirectoryError('unauthenticated', 'The session is no longer valid.')
    return badge
  }

  // An agent's room never changes. It is read after signing in, since a database that does not answer must not prevent
  // an unlink.
  let room: RoomName | undefined

  return {
    agentId,
    untilMs: Number(result.claims.untilMs),
    nowMs: () => Date.now() - behindMs,
    call,

    async read() {
      room ??= Badge.parse(await getBadge()).category
      const [listing, unlinks] = await Promise.all([get(listingPath(room, agentId)), get(unlinksPath(agentId))])
      if (listing === absent || listing === refused || unlinks === refused) await getBadge()
      return { listing: storedOf(listing, Listing), unlinks: storedOf(unlinks, Unlinks) }
    },

    check() {
      const rooms = room === undefined ? RoomName.options : [room]
      const paths = [badgePath(agentId), ...rooms.map((each) => listingPath(each, agentId)), unlinksPath(agentId)]
      return Promise.all(
        paths.map(async (path) => {
          const fields = await get(path).catch(() => refused)
          return { path, found: fields === refused ? null : fields !== absent }
        }),
      )
    },

    end,
  }
}

const absent = Symbol('absent')
const refused = Symbol('refused')

type Parse<T> = (input: unknown) => { success: true; data: T } | { success: false }

function storedOf<T>(fields: unknown, schema: { safeParse: Parse<T> }): Stored<T> {
  if (fields === absent) return { state: 'absent' }
  const result = schema.safeParse(fields)
  return result.success ? { state: 'readable', value: result.data } : { state: 'unreadable' }
}

/** The error for a failure of the Firebase SDK: `unauthenticated` if the sign-in is refused, else `unavailable`. */
function sessionError(cause: unknown): Error {
  if (!(cause instanceof FirebaseError)) return cause instanceof Error ? cause : unavailable(cause)
  const isOver =
    cause.code === 'unauthenticated' ||
    /^auth\/(user-|invalid-|id-token-|requires-recent-login|null-user|no-such)/.test(cause.code)
  return isOver ? new DirectoryError('unauthenticated', 'The sign-in is no longer accepted.') : unavailable(cause)
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
