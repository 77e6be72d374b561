import {
  createClient,
  DirectoryError,
  signInWithToken,
  type AgentId,
  type Channels,
  type Client,
  type DatingProfile,
} from '@koko/contract'
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { registerWith } from '../testing/register.ts'
import { hostingOrigin } from './stack/addresses.ts'
import { Failure, runUntilStopped } from './failure.ts'

const USAGE = 'usage: npm run smoke -- [--origin https://<project>.web.app]'
/** A publish must be discoverable by then. */
const DISCOVERY_TIMEOUT_MS = 90_000
/** The republish runs every minute, and is late after three. */
const HEALTH_TIMEOUT_MS = 200_000
const POLL_MS = 2_000

/** In the South Pacific, far from every coast: the run finds no other agent there. */
const AREA = '1r23'

const profile: DatingProfile = {
  gender: 'other',
  seeking: [],
  age: 99,
  ageMin: 99,
  ageMax: 99,
  area: AREA,
  maxDistanceKm: 1,
  intent: 'open',
}

/**
 * Uses a directory as two fictional agents and their operator: registers, publishes, discovers, unlinks, opens a settings
 * link, unregisters. Leaves nothing behind. Throws a Failure that names the step.
 */
export async function runSmoke(
  origin: string,
  { signal, report }: { signal: AbortSignal; report: (line: string) => void },
): Promise<{ name: string; ms: number }[]> {
  const steps: { name: string; ms: number }[] = []
  const registered: { client: Client }[] = []
  const anyone = createClient({ origin, signal })

  async function step<T>(name: string, hint: string, work: () => Promise<T>): Promise<T> {
    const startedMs = Date.now()
    try {
      const result = await work()
      const ms = Date.now() - startedMs
      steps.push({ name, ms })
      report(`${name}  ${(ms / 1000).toFixed(1)} s`)
      return result
    } catch (error) {
      if (signal.aborted) throw signal.reason
      const reason = error instanceof DirectoryError ? `${error.code}: ${error.message}` : String(error)
      throw new Failure(`smoke: ${name}: ${reason}\n${hint}`, { cause: error })
    }
  }

  try {
    await step('pages', 'Were the pages built and deployed?', async () => {
      for (const path of ['/', '/settings', '/terms', '/disclaimer', '/privacy', '/report']) {
        const response = await fetch(`${origin}${path}`, { signal })
        if (!response.ok) throw new Error(`${path} answered ${response.status}`)
      }
    })
    const config = await step('config', 'Can Hosting reach the function "api"?', () => anyone.config())
    if (config.apiKey === '')
      throw new Failure('smoke: config: WEB_API_KEY is empty. Deploy with "npm run deploy", which sets it.')

    const signIn = async (token: string) => {
      const { idToken } = await signInWithToken(config, token, { signal })
      return createClient({ origin, idToken, signal })
    }
    const register = async () => {
      const { agentId, secret, token } = await registerWith(anyone)
      const agent = { agentId, secret, client: await signIn(token) }
      registered.push(agent)
      return agent
    }
    const hint =
      'Can the functions sign tokens (roles/iam.serviceAccountTokenCreator on their own account), and is Authentication set up in the console?'
    const [ada, bea] = await step('register', hint, async () => [await register(), await register()] as const)

    const name = `smoke_${randomBytes(4).toString('hex')}`
    const channels: Channels = { whatsapp: '+447700900987', telegram: `${name}_a` }
    await step('publish', 'Can the functions write to Firestore (roles/datastore.user)?', async () => {
      await ada.client.call('publishProfile', { channels, profile })
      await bea.client.call('publishProfile', { channels: { telegram: `${name}_b` }, profile })
    })

    const seen = async () => {
      const { agents } = await bea.client.request('discover', {
        params: { room: 'dating' },
        input: { near: AREA, withinKm: 1 },
      })
      return agents.find(({ agentId }) => agentId === ada.agentId)?.channels
    }
    await step('discover', 'Is the schedule running? npm run schedule -- status', async () => {
      const found = await until(DISCOVERY_TIMEOUT_MS, signal, async () => (await seen()) !== undefined)
      if (!found) throw new Error('the published listing was not discovered within 90 s')
    })
    await step(
      'unlink',
      'Unlinking does not work as promised: deploy the previous version again, and do not pause the schedule. SECURITY.md says what is promised.',
      async () => {
        const { goneByMs, unlinkedAtMs } = await ada.client.call('unlinkChannel', { channel: 'whatsapp' })
        await delay(goneByMs - unlinkedAtMs, undefined, { signal })
        const after = await seen()
        if (after?.whatsapp !== undefined) throw new Error('the number is still in an answer after goneByMs')
        if (after?.telegram === undefined) throw new Error('the other channel is gone too')
      },
    )
    await step('settings', 'Is WEB_ORIGIN the origin of the pages?', async () => {
      const { url } = await ada.client.call('createSettingsLink', {})
      if (!url.startsWith(`${origin}/`)) throw new Error('the settings link leads to another origin')
      const code = new URLSearchParams(new URL(url).hash.slice(1)).get('code') ?? ''
      const operator = await signIn((await anyone.call('redeemSettingsLink', { code })).token)
      const { documents } = await operator.call('exportAgent', {})
      if (documents[`unlinks/${ada.agentId}`] === undefined) throw new Error('the export does not contain the unlink')
    })
    await step('unregister', 'Can the functions delete sign-ins (roles/firebaseauth.admin)?', async () => {
      await ada.client.call('unregisterAgent', {})
      const { missing } = await bea.client.request('batchGet', {
        params: { room: 'dating' },
        input: { agentIds: [ada.agentId] },
      })
      if (!missing.includes(ada.agentId)) throw new Error('a listing is still there after its agent unregistered')
      await bea.client.call('unregisterAgent', {})
      for (const { agentId, secret } of [ada, bea]) await isUnknown(anyone, agentId, secret)
      registered.length = 0
    })
    await step('health', 'Is the schedule running? npm run schedule -- status', async () => {
      const isHealthy = () => anyone.request('health').then(({ late }) => !late, ifUnavailable)
      if (!(await until(HEALTH_TIMEOUT_MS, signal, isHealthy))) throw new Error('no republish has finished')
    })
    return steps
  } finally {
    for (const { client } of registered) await client.call('unregisterAgent', {}).catch(() => undefined)
  }
}

async function until(withinMs: number, signal: AbortSignal, isSo: () => Promise<boolean>): Promise<boolean> {
  const lateMs = Date.now() + withinMs
  for (;;) {
    if (await isSo()) return true
    if (Date.now() > lateMs) return false
    await delay(POLL_MS, undefined, { signal })
  }
}

/** A late republish answers with status 503, which is not a failure here. */
function ifUnavailable(error: unknown): boolean {
  if (error instanceof DirectoryError && error.code === 'unavailable') return false
  throw error
}

async function isUnknown(anyone: Client, agentId: AgentId, secret: string): Promise<void> {
  const refusal: unknown = await anyone.call('signInAgent', { agentId, secret }).catch((error: unknown) => error)
  if (!(refusal instanceof DirectoryError && refusal.code === 'unauthenticated')) {
    throw new Error('an agent can sign in after it was unregistered')
  }
}

if (import.meta.main) {
  await runUntilStopped(async (signal) => {
    const { values } = parseArgs({ options: { origin: { type: 'string', default: hostingOrigin } } })
    if (!/^https?:\/\/[^/]+$/.test(values.origin)) throw new Failure(USAGE)
    await runSmoke(values.origin, { signal, report: (line) => console.log(line) })
    console.log('passed: the directory works, and both agents are deleted again')
  })
}
