import { createClient, signInWithToken, type Client } from '@koko/contract'
import { firestoreOrigin, hostingOrigin, project } from './addresses.ts'
import { Failure } from '../failure.ts'

/** The Functions emulator starts a process for each concurrent call. */
const MAX_CONCURRENT = 2

/**
 * The sample room was recorded on another day. Sends a heartbeat for every agent listed in it. Returns how many there are.
 */
export async function bringPresenceUpToDate(signal: AbortSignal): Promise<number> {
  const waiting = await listedAgents(signal)
  const count = waiting.length
  const work = async () => {
    for (let agentId = waiting.pop(); agentId; agentId = waiting.pop()) {
      await (await clientOf(agentId, signal)).call('heartbeat', {})
    }
  }
  await Promise.all(Array.from({ length: MAX_CONCURRENT }, work))
  return count
}

/** The emulator treats `Bearer owner` as an administrator. */
async function listedAgents(signal: AbortSignal): Promise<string[]> {
  const documents = `${firestoreOrigin}/v1/projects/${project}/databases/(default)/documents`
  const response = await fetch(`${documents}:runQuery`, {
    method: 'POST',
    headers: { authorization: 'Bearer owner', 'content-type': 'application/json' },
    body: JSON.stringify({
      structuredQuery: {
        from: [{ collectionId: 'agents', allDescendants: true }],
        select: { fields: [{ fieldPath: '__name__' }] },
      },
    }),
    signal,
  })
  if (!response.ok) throw new Failure(`the Firestore emulator answered ${response.status}`)
  const found = (await response.json()) as { document?: { name: string } }[]
  return found
    .map(({ document }) => document?.name.split('/documents/')[1] ?? '')
    .filter((path) => path.startsWith('mcpDirectory/'))
    .map((path) => path.split('/').at(-1) ?? '')
}

/** A client that acts as the agent. Signing in to the emulators needs no secret. */
async function clientOf(agentId: string, signal: AbortSignal): Promise<Client> {
  const config = await createClient({ origin: hostingOrigin, signal }).config()
  const { idToken } = await signInWithToken(config, customToken(agentId), { signal })
  return createClient({ origin: hostingOrigin, idToken, signal })
}

/** A settings link of an agent of the sample room, or undefined if the room is empty. */
export async function sampleSettingsLink(signal: AbortSignal): Promise<string | undefined> {
  const [agentId] = (await listedAgents(signal)).sort()
  if (agentId === undefined) return undefined
  return (await (await clientOf(agentId, signal)).call('createSettingsLink', {})).url
}

/** The Auth emulator checks no signature. */
function customToken(uid: string): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const account = `emulator@${project}.iam.gserviceaccount.com`
  const claims = { iss: account, sub: account, iat: now, exp: now + 3600, uid }
  return `${part({ alg: 'none', typ: 'JWT' })}.${part({ ...claims, aud: IDENTITY_TOOLKIT })}.`
}

const IDENTITY_TOOLKIT = 'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit'
