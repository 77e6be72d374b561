import { authOrigin, environment, firestoreOrigin, project } from './addresses.ts'
import { Failure } from './failure.ts'

/** More at once make the Functions emulator start a process for each. */
const AT_ONCE = 2

/**
 * The sample room was recorded on some other day. Every agent listed in it says by the public API that it is here today.
 * Answers how many.
 */
export async function bringPresenceUpToDate(signal: AbortSignal): Promise<number> {
  const waiting = await listedAgents(signal)
  const count = waiting.length
  const work = async () => {
    for (let agentId = waiting.pop(); agentId; agentId = waiting.pop()) await sayHello(agentId, signal)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return count
}

/** The emulator takes `Bearer owner` for an administrator. */
async function listedAgents(signal: AbortSignal): Promise<string[]> {
  const documents = `${firestoreOrigin}/v1/projects/${project}/databases/(default)/documents`
  const found = (await post(
    `${documents}:runQuery`,
    {
      structuredQuery: {
        from: [{ collectionId: 'agents', allDescendants: true }],
        select: { fields: [{ fieldPath: '__name__' }] },
      },
    },
    'owner',
    signal,
  )) as { document?: { name: string } }[]
  return found
    .map(({ document }) => document?.name.split('/documents/')[1] ?? '')
    .filter((path) => path.startsWith('mcpDirectory/'))
    .map((path) => path.split('/').at(-1) ?? '')
}

async function sayHello(agentId: string, signal: AbortSignal): Promise<void> {
  const identityToolkit = `${authOrigin}/identitytoolkit.googleapis.com/v1`
  const { idToken } = (await post(
    `${identityToolkit}/accounts:signInWithCustomToken?key=emulator`,
    { token: customToken(agentId), returnSecureToken: true },
    undefined,
    signal,
  )) as { idToken: string }
  await post(`${environment.KOKO_FUNCTIONS_ORIGIN}/heartbeat`, { data: {} }, idToken, signal)
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

async function post(url: string, body: unknown, bearer: string | undefined, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(bearer ? { Authorization: `Bearer ${bearer}` } : {}) },
    body: JSON.stringify(body),
    signal,
  })
  if (!response.ok) throw new Failure(`${url} answered ${response.status} ${await response.text()}`)
  return response.json()
}
