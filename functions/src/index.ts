import { callables, DirectoryError, region, type CallableName } from '@koko/contract'
import * as logger from 'firebase-functions/logger'
import { defineInt, defineSecret, defineString } from 'firebase-functions/params'
import { setGlobalOptions } from 'firebase-functions/v2'
import { onRequest } from 'firebase-functions/v2/https'
import { onSchedule } from 'firebase-functions/v2/scheduler'
import { createCallable } from './adapters/firebase-callable.ts'
import { keepBodiesRaw, readRequest, writeJson } from './adapters/firebase-http.ts'
import { logFault } from './adapters/firebase-logger.ts'
import { codec, createVault, deriveKey } from './adapters/node.ts'
import { createAllowances } from './allowances.ts'
import { parseCallableBody } from './body.ts'
import { runCallable } from './calls.ts'
import { withCheckedClock } from './checked-clock.ts'
import { republishDiscovery as runRepublish } from './discovery/republish.ts'
import { createDiscoveryView } from './discovery/view.ts'
import { acceptsGzip, handleHttp, type Api } from './http.ts'
import { batchDeadlines, callDeadlines, maxInstances, signInDeadlineMs } from './limits.ts'
import type { Deadlines, Ports } from './ports.ts'
import { claimsOf } from './sessions.ts'
import { createRecentErrors } from './status.ts'

const secret = defineSecret('KOKO_SECRET')
const registrationCost = defineInt('REGISTRATION_COST', {
  default: 26_000,
  description:
    'PBKDF2 iterations of each attempt at a proof of work. With 26000, an average registration (256 attempts) takes about a second of one core.',
})
const webOrigin = defineString('WEB_ORIGIN', {
  default: '',
  description: 'Where the web pages are, if on a domain of your own.',
})
const webApiKey = defineString('WEB_API_KEY', { default: '', description: "The Firebase project's web API key." })

const projectId = process.env.GCLOUD_PROJECT ?? ''

setGlobalOptions({
  region,
  secrets: [secret],
  // The account that `npm run deploy` makes. It has fewer rights than the platform's default one.
  serviceAccount: `koko-runtime@${projectId}.iam.gserviceaccount.com`,
  memory: '512MiB',
  timeoutSeconds: 40,
  concurrency: 40,
})
// The platform parses the scheduler's requests itself.
if (process.env.FUNCTION_TARGET !== 'republishDiscovery') keepBodiesRaw()

const isEmulated = process.env.FUNCTIONS_EMULATOR === 'true'
const hostingOrigins = [`https://${projectId}.web.app`, `https://${projectId}.firebaseapp.com`]
const allowedOrigins = [process.env.WEB_ORIGIN ?? '', ...hostingOrigins].filter((origin) => origin !== '')

const getPorts = once(() => createPorts(callDeadlines))
const getBatchPorts = once(() => createPorts(batchDeadlines))

async function createPorts(deadlines: Deadlines): Promise<Ports> {
  if (secret.value().length < 32) throw new Error('KOKO_SECRET must have at least 32 characters')
  const [{ createFirestoreStore }, { createSignIns, loadAuth }, { createProofs }] = await Promise.all([
    import('./adapters/firestore.ts'),
    import('./adapters/firebase-auth.ts'),
    import('./adapters/altcha.ts'),
  ])
  const key = (purpose: string) => deriveKey(secret.value(), purpose).toString('hex')
  return {
    store: withCheckedClock(createFirestoreStore(projectId, deadlines), () => new Date()),
    signIns: createSignIns(() => loadAuth(projectId), signInDeadlineMs),
    proofs: createProofs(
      { signature: key('challenge'), solution: key('solution') },
      // Under the emulators a proof takes little work.
      Math.ceil(registrationCost.value() / (isEmulated ? 20 : 1)),
    ),
    vault: createVault(secret.value()),
    codec,
    allowances: createAllowances(() => performance.now()),
    monotonicMs: () => performance.now(),
    webOrigin: webOrigin.value() || (hostingOrigins[0] ?? ''),
  }
}

const getApi = once(async (): Promise<Api> => {
  const ports = await getPorts()
  const emulators = isEmulated
    ? {
        auth: addressOf(process.env.FIREBASE_AUTH_EMULATOR_HOST),
        firestore: addressOf(process.env.FIRESTORE_EMULATOR_HOST),
        functions: { host: '127.0.0.1', port: 5001 },
      }
    : undefined
  return {
    ports,
    view: createDiscoveryView(ports),
    project: { projectId, apiKey: webApiKey.value(), emulators },
    recentErrors: createRecentErrors(ports.monotonicMs),
    onFault: logFault,
  }
})

/** The HTTP API, behind Hosting's rewrite of `/api/v1`. */
export const api = onRequest({ invoker: 'public', maxInstances: maxInstances.api }, async (request, response) => {
  const answer = await handleHttp(await getApi(), readRequest(request), new Date())
  await writeJson(response, answer, acceptsGzip(request.header('accept-encoding')))
})

export const createRegistrationChallenge = callable('createRegistrationChallenge')
export const registerAgent = callable('registerAgent')
export const signInAgent = callable('signInAgent')
export const rotateSecret = callable('rotateSecret')
export const publishProfile = callable('publishProfile')
export const unlinkChannel = callable('unlinkChannel')
export const relinkChannel = callable('relinkChannel')
export const heartbeat = callable('heartbeat')
export const unregisterAgent = callable('unregisterAgent')
export const exportAgent = callable('exportAgent')
export const createSettingsLink = callable('createSettingsLink')
export const redeemSettingsLink = callable('redeemSettingsLink')

/** Runs every minute. The next run continues one that was cut off. */
export const republishDiscovery = onSchedule(
  { schedule: 'every 1 minutes', timeoutSeconds: 120, maxInstances: maxInstances.republishDiscovery, retryCount: 0 },
  async () => {
    try {
      const ports = await getBatchPorts()
      logger.info('republished', { ...(await runRepublish(ports, () => new Date(), undefined, logFault)) })
    } catch (error) {
      logFault(error)
      // The platform logs the message of a thrown error, so it must not quote data. Ours do not.
      const reason = error instanceof DirectoryError ? error.message : 'The fault in the log says where.'
      throw new Error(`The republish failed, and the next run continues it. ${reason}`, { cause: error })
    }
  },
)

function callable(name: CallableName) {
  return createCallable({
    maxInstances: maxInstances[name],
    allowedOrigins,
    read: readRequest,
    parse: parseCallableBody,
    async run(data, authorization) {
      const ports = await getPorts()
      const claims = callables[name].caller === 'anyone' ? null : await claimsOf(ports, authorization)
      return runCallable(ports, name, claims, data, new Date())
    },
    onFault: logFault,
  })
}

function addressOf(hostAndPort: string | undefined): { host: string; port: number } {
  const { hostname, port } = new URL(`http://${hostAndPort ?? '127.0.0.1:0'}`)
  return { host: hostname, port: Number(port) }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  const made: { value?: Promise<T> } = {}
  return () =>
    (made.value ??= make().catch((error: unknown) => {
      delete made.value
      throw error
    }))
}
