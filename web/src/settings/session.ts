import { createClient, DirectoryError, Listing, Unlinks, type Client } from '@koko/contract'
import { initializeApp, deleteApp, type FirebaseApp } from 'firebase/app'
import { connectAuthEmulator, inMemoryPersistence, initializeAuth, signInWithCustomToken } from 'firebase/auth'
// The full Firestore client listens instead of asking, and weighs four times as much: more than a page may here.
import { connectFirestoreEmulator, doc, getDoc, getFirestore } from 'firebase/firestore/lite'

/** No spinner without an end: a call that takes longer has failed. */
const callTimeoutMs = 20_000

/** A document as this page knows it. */
export type Stored<T> = { state: 'absent' } | { state: 'readable'; value: T } | { state: 'unreadable' }

export interface Snapshot {
  listing: Stored<Listing>
  unlinks: Stored<Unlinks>
}

export interface Session {
  agentId: string
  room: string
  untilMs: number
  call: Client['call']
  /** The listing and the unlinks as they are stored now. Throws where they cannot be read. */
  look: () => Promise<Snapshot>
  /** Reads the paths of the agent's documents again: true where something is there. */
  readAgain: () => Promise<{ path: string; found: boolean | null }[]>
  /** Forgets everything; the token was only ever in this tab's memory. */
  end: () => Promise<void>
}

/** Redeems a code and signs in, in this tab's memory alone. Throws `DirectoryError`. */
export async function openSession(code: string): Promise<Session> {
  const { origin } = window.location
  const fetchInTime = (url: string, init: RequestInit) =>
    fetch(url, {
      ...init,
      signal: AbortSignal.timeout(callTimeoutMs),
      referrerPolicy: 'no-referrer',
      cache: 'no-store',
    })
  const callablesUrl = `${origin}/api/v1/callables`
  const anyone = createClient({ origin, callablesUrl, fetch: fetchInTime })
  const { projectId, apiKey, emulators, rooms } = await anyone.config()
  const { token } = await anyone.call('redeemSettingsLink', { code })

  const app = initializeApp({ projectId, apiKey })
  const auth = initializeAuth(app, { persistence: inMemoryPersistence })
  const firestore = getFirestore(app)
  if (emulators !== undefined) {
    connectAuthEmulator(auth, `http://${emulators.auth.host}:${emulators.auth.port}`, { disableWarnings: true })
    connectFirestoreEmulator(firestore, emulators.firestore.host, emulators.firestore.port)
  }
  const { user } = await signInWithCustomToken(auth, token).catch((cause: unknown) => {
    throw new DirectoryError('internal', 'The sign-in service refused a fresh token.', { cause })
  })
  const { claims } = await user.getIdTokenResult()
  const agentId = user.uid
  const client = createClient({
    origin,
    callablesUrl,
    fetch: fetchInTime,
    idToken: () => user.getIdToken().catch(() => Promise.reject(sessionOver())),
  })
  const room = rooms[0]?.name ?? 'dating'
  const paths = [`agents/${agentId}`, `mcpDirectory/${room}/agents/${agentId}`, `unlinks/${agentId}`] as const

  const read = (path: string) => inTime(getDoc(doc(firestore, path)).then((document): unknown => document.data()))

  return {
    agentId,
    room,
    untilMs: Number(claims.untilMs),
    call: client.call,

    async look() {
      const [listing, unlinks] = await Promise.all([read(paths[1]), read(paths[2])])
      return {
        listing: storedOf(Listing.safeParse(listing), listing),
        unlinks: storedOf(Unlinks.safeParse(unlinks), unlinks),
      }
    },

    async readAgain() {
      return Promise.all(
        paths.map(async (path) => ({
          path,
          found: await read(path).then(
            (fields) => fields !== undefined,
            () => null,
          ),
        })),
      )
    },

    end: () => endApp(app),
  }
}

function storedOf<T>(result: { success: true; data: T } | { success: false }, fields: unknown): Stored<T> {
  if (fields === undefined) return { state: 'absent' }
  return result.success ? { state: 'readable', value: result.data } : { state: 'unreadable' }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new DirectoryError('unavailable', 'The database does not answer.')),
    callTimeoutMs,
  )
  return Promise.race([work, promise]).finally(() => clearTimeout(timer))
}

async function endApp(app: FirebaseApp): Promise<void> {
  await deleteApp(app).catch(() => undefined)
}

function sessionOver(): DirectoryError {
  return new DirectoryError('unauthenticated', 'The session is over.')
}
