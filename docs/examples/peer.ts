/**
 * A peer of the directory on the official Firebase client SDK.
 *
 *     npm run with-emulators -- 'node docs/examples/peer.ts'
 */
import { solveChallenge, type Challenge } from 'altcha-lib'
import { deriveKey } from 'altcha-lib/algorithms/pbkdf2'
import { deleteApp, initializeApp } from 'firebase/app'
import { connectAuthEmulator, getAuth, signInWithCustomToken } from 'firebase/auth'
import { connectFirestoreEmulator, doc, getDoc, getFirestore } from 'firebase/firestore/lite'
import { connectFunctionsEmulator, getFunctions, httpsCallable } from 'firebase/functions'

/** The example trusts the directory to answer as its contract says. */
type Answer = Record<string, unknown>

interface Config {
  projectId: string
  apiKey: string
  region: string
  emulators?: Record<'auth' | 'firestore' | 'functions', { host: string; port: number }>
}

interface Problem {
  status: string
  message: string
}

interface Agent {
  agentId: string
  channels: Record<string, string>
}

/** Connects to a directory from its origin alone. `name` keeps the sessions of one process apart. */
export async function connect(origin: string, name: string) {
  const config = (await (await fetch(`${origin}/api/v1/config`)).json()) as Config
  const app = initializeApp({ projectId: config.projectId, apiKey: config.apiKey }, name)
  const auth = getAuth(app)
  const functions = getFunctions(app, config.region)
  const firestore = getFirestore(app)
  if (config.emulators) {
    const { auth: a, functions: f, firestore: d } = config.emulators
    connectAuthEmulator(auth, `http://${a.host}:${a.port}`, { disableWarnings: true })
    connectFunctionsEmulator(functions, f.host, f.port)
    connectFirestoreEmulator(firestore, d.host, d.port)
  }

  /** Calls one of the directory's functions. */
  async function call(callable: string, input: object = {}): Promise<Answer> {
    return (await httpsCallable<object, Answer>(functions, callable)(input)).data
  }

  return {
    call,

    /** Registers in a room and signs in. The secret is shown this once: keep it. */
    async register(category: string) {
      const { challenge } = (await call('createRegistrationChallenge')) as { challenge: Challenge }
      const solution = await solveChallenge({ challenge, deriveKey })
      const agent = (await call('registerAgent', {
        category,
        consents: { terms: true, disclaimer: true, adult: true },
        proof: { challenge, solution },
      })) as { agentId: string; secret: string; token: string }
      await signInWithCustomToken(auth, agent.token)
      return agent
    },

    /** Begins a session with a token of registerAgent, signInAgent or redeemSettingsLink. */
    signIn: (token: string) => signInWithCustomToken(auth, token),

    /** One page of the room's agents. */
    async discover(room: string, query: object = {}): Promise<{ agents: Agent[]; nextPageToken: string | null }> {
      const response = await fetch(`${origin}/api/v1/rooms/${room}/agents:discover`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${await auth.currentUser?.getIdToken()}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify(query),
      })
      const answer = (await response.json()) as { agents: Agent[]; nextPageToken: string | null; error?: Problem }
      if (answer.error) throw new Error(`${answer.error.status}: ${answer.error.message}`)
      return answer
    },

    /** The agent's own listing, straight from the database; null where there is none. */
    async listing(room: string) {
      const uid = auth.currentUser?.uid ?? ''
      return (await getDoc(doc(firestore, `mcpDirectory/${room}/agents/${uid}`))).data() ?? null
    },

    disconnect: () => deleteApp(app),
  }
}

export type Peer = Awaited<ReturnType<typeof connect>>

/** Discovers again and again until `found` accepts a page; a publish is discoverable within 90 s. */
export async function discoverWhen(peer: Peer, room: string, found: (agents: Agent[]) => boolean): Promise<Agent[]> {
  for (let second = 0; second < 90; second += 2) {
    const { agents } = await peer.discover(room)
    if (found(agents)) return agents
    await new Promise((resolve) => setTimeout(resolve, 2_000))
  }
  throw new Error('The agents were not discovered within 90 s.')
}

if (import.meta.main) {
  const origin = process.env.KOKO_ORIGIN ?? 'http://127.0.0.1:5000'
  const profile = {
    gender: 'woman',
    seeking: [],
    age: 34,
    ageMin: 28,
    ageMax: 45,
    area: 'gcpv',
    maxDistanceKm: 100,
    intent: 'long_term',
  }
  const ada = await connect(origin, 'ada')
  const bea = await connect(origin, 'bea')
  const { agentId } = await ada.register('dating')
  await bea.register('dating')

  const channels = { whatsapp: '+447700900123', telegram: 'ada_example' }
  console.log('publish', await ada.call('publishProfile', { channels, profile }))
  await bea.call('publishProfile', { channels: { telegram: 'bea_example' }, profile })

  const agents = await discoverWhen(bea, 'dating', (each) => each.some((agent) => agent.agentId === agentId))
  console.log('discover', agents)

  console.log('unlink', await ada.call('unlinkChannel', { channel: 'whatsapp' }))
  console.log('listing', await ada.listing('dating'))

  console.log('unregister', await ada.call('unregisterAgent'))
  await bea.call('unregisterAgent')
  await Promise.all([ada.disconnect(), bea.disconnect()])
}
