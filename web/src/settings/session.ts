import {
  Badge,
  badgePath,
  createClient,
  defaultRoom,
  DirectoryError,
  Listing,
  listingPath,
  Unlinks,
  unlinksPath,
  type Client,
} from '@koko/contract'
import { deleteApp, FirebaseError, initializeApp, setLogLevel } from 'firebase/app'
import { connectAuthEmulator, inMemoryPersistence, initializeAuth, signInWithCustomToken } from 'firebase/auth'
// The full Firestore client listens instead of asking, and weighs four times as much: more than a page may here. A
// listener would also outlive its session, since rules look at the time when it begins.
import { connectFirestoreEmulator, doc, getDoc, getFirestore } from 'firebase/firestore/lite'
import { patienceMs, unavailable, within } from './within.ts'

/** A document as this page knows it. */
export type Stored<T> = { state: 'absent' } | { state: 'readable'; value: T } | { state: 'unreadable' }

export interface Snapshot {
  listing: Stored<Listing>
  unlinks: Stored<Unlinks>
}

/** What an opening has done to its link: nothing, perhaps used it up (no answer came), or used it up. */
export type LinkState = 'whole' | 'unknown' | 'used'

export interface Opener {
  code: string
  /** Redeems the code and signs in, in this tab's memory alone. After a failure it goes on where it stopped. */
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
  /** The listing and the unlinks as they are stored now. Throws `unauthenticated` where the session opens nothing more. */
  look: () => Promise<Snapshot>
  /** Reads the agent's documents again, by their paths: whether something is there, null where that cannot be told. */
  readAgain: () => Promise<{ path: string; found: boolean | null }[]>
  /** Forgets everything; the sign-in was only ever in this tab's memory. */
  end: () => Promise<void>
}

export function createOpener(code: string): Opener {
  const { origin } = window.location
  const callablesUrl = `${origin}/api/v1/callables`
  const anyone = createClient({ origin, callablesUrl, fetch: fetchInTime })
  let token: string | undefined
  let linkState: LinkState = 'whole'

  async function redeem(): Promise<string> {
    linkState = 'unknown'
    try {
      const redeemed = await anyone.call('redeemSettingsLink', { code })
      linkState = 'used'
      return redeemed.token
    } catch (error) {
      if (error instanceof DirectoryError && error.code !== 'unavailable' && error.code !== 'internal') {
        linkState = 'whole'
      }
      throw error
    }
  }

  return {
    code,
    async open() {
      const config = await anyone.config()
      token ??= await redeem()
      return signIn(config, token)
    },
    linkState: () => linkState,
  }
}

type Config = Awaited<ReturnType<Client['config']>>

async function signIn({ projectId, apiKey, emulators }: Config, token: string): Promise<Session> {
  const { origin } = window.location
  // What fails is said on the page; the SDK would log the agent's paths as well.
  setLogLevel('silent')
  const app = initializeApp({ projectId, apiKey }, crypto.randomUUID())
  const auth = initializeAuth(app, { persistence: inMemoryPersistence })
  const firestore = getFirestore(app)
  if (emulators !== undefined) {
    connectAuthEmulator(auth, `http://${emulators.auth.host}:${emulators.auth.port}`, { disableWarnings: true })
    connectFirestoreEmulator(firestore, emulators.firestore.host, emulators.firestore.port)
  }
  const end = () => deleteApp(app).catch(() => undefined)
  const opened = await within(
    signInWithCustomToken(auth, token).then(async ({ user }) => ({ user, result: await user.getIdTokenResult() })),
  ).catch(async (cause: unknown) => {
    await end()
    throw sessionError(cause)
  })

  const { user, result } = opened
  const agentId = user.uid
  const behindMs = Date.now() - Date.parse(result.issuedAtTime)
  const client = createClient({
    origin,
    callablesUrl: `${origin}/api/v1/callables`,
    fetch: fetchInTime,
    idToken: () => within(user.getIdToken()).catch((cause: unknown) => Promise.reject(sessionError(cause))),
  })

  const read = (path: string): Promise<unknown> =>
    within(getDoc(doc(firestore, path)).then((document): unknown => document.data() ?? absent)).catch(
      (cause: unknown) => {
        if (cause instanceof FirebaseError && cause.code === 'permission-denied') return refused
        throw sessionError(cause)
      },
    )

  // A badge that cannot be read says no room; the server refuses to serve its agent too.
  const badge = await read(badgePath(agentId)).catch(async (cause: unknown) => {
    await end()
    throw cause
  })
  const room = Badge.safeParse(badge).data?.category ?? defaultRoom
  const paths = [badgePath(agentId), listingPath(room, agentId), unlinksPath(agentId)] as const

  return {
    agentId,
    untilMs: Number(result.claims.untilMs),
    nowMs: () => Date.now() - behindMs,
    call: client.call,

    async look() {
      const [listing, unlinks] = await Promise.all([read(paths[1]), read(paths[2])])
      // A document is refused where it has another form than the rules know; everything is where the session is over.
      if ([listing, unlinks].includes(refused) || listing === absent) {
        const badge = await read(paths[0])
        if (badge === absent) throw new DirectoryError('not-found', 'The agent is not registered any more.')
        if (badge === refused) throw new DirectoryError('unauthenticated', 'The session opens nothing any more.')
      }
      return { listing: storedOf(Listing, listing), unlinks: storedOf(Unlinks, unlinks) }
    },

    readAgain: () =>
      Promise.all(
        paths.map(async (path) => ({
          path,
          found: await read(path).then(
            (fields) => (fields === refused ? null : fields !== absent),
            () => null,
          ),
        })),
      ),

    end,
  }
}

const absent = Symbol('absent')
const refused = Symbol('refused')

interface Schema<T> {
  safeParse: (input: unknown) => { success: true; data: T } | { success: false }
}

function storedOf<T>(schema: Schema<T>, fields: unknown): Stored<T> {
  if (fields === absent) return { state: 'absent' }
  const result = schema.safeParse(fields)
  return result.success ? { state: 'readable', value: result.data } : { state: 'unreadable' }
}

/** A failure of the Firebase SDK: nobody answered, or the sign-in is no good any more. */
function sessionError(cause: unknown): Error {
  if (!(cause instanceof FirebaseError)) return cause instanceof Error ? cause : unavailable(cause)
  const isOver =
    cause.code === 'unauthenticated' ||
    /^auth\/(user-|invalid-|id-token-|requires-recent-login|null-user|no-such)/.test(cause.code)
  return isOver ? new DirectoryError('unauthenticated', 'The sign-in is not accepted any more.') : unavailable(cause)
}

async function fetchInTime(url: string, init: RequestInit): Promise<Response> {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), patienceMs)
  try {
    const response = await fetch(url, {
      ...init,
      signal: controller.signal,
      referrerPolicy: 'no-referrer',
      cache: 'no-store',
    })
    // The body may come late as well.
    return new Response(await response.blob(), response)
  } finally {
    clearTimeout(timer)
  }
}
