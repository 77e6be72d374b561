import { callables, DirectoryError, invalidArgument, region, type CallableName } from '@koko/contract'
import * as logger from 'firebase-functions/logger'
import { defineInt, defineSecret, defineString } from 'firebase-functions/params'
import { setGlobalOptions } from 'firebase-functions/v2'
import { HttpsError, onCall, onRequest, type CallableFunction, type Request } from 'firebase-functions/v2/https'
import { onSchedule } from 'firebase-functions/v2/scheduler'
import { codec, compress, createVault, deriveKey } from './adapters/node.ts'
import { keepBodiesRaw, sentContentType } from './adapters/raw-body.ts'
import { parseCallableBody } from './body.ts'
import { runCallable } from './calls.ts'
import { createDiscoveryView } from './discovery/view.ts'
import { acceptsGzip, compressedFromBytes, handleHttp, type Api } from './http.ts'
import type { Ports } from './ports.ts'
import { republishDiscovery as runRepublish } from './discovery/republish.ts'
import { claimsOf } from './sessions.ts'

const secret = defineSecret('KOKO_SECRET')
const registrationCost = defineInt('REGISTRATION_COST', {
  default: 26_000,
  description: 'PBKDF2 iterations of one attempt at a registration; 26000 is about a second of one core.',
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
  // The account that `npm run deploy` makes: it may do less than the platform's default one.
  serviceAccount: `koko-runtime@${projectId}.iam.gserviceaccount.com`,
  memory: '512MiB',
  timeoutSeconds: 30,
  maxInstances: 20,
  concurrency: 40,
})
// The scheduler's own requests are the platform's to parse.
if (process.env.FUNCTION_TARGET !== 'republishDiscovery') keepBodiesRaw()

const isEmulated = process.env.FUNCTIONS_EMULATOR === 'true'
const hostingOrigins = [`https://${projectId}.web.app`, `https://${projectId}.firebaseapp.com`]
const allowedOrigins = [process.env.WEB_ORIGIN ?? '', ...hostingOrigins].filter((origin) => origin !== '')

const getApi = once(async (): Promise<Api> => {
  if (secret.value().length < 32) throw new Error('KOKO_SECRET must have at least 32 characters')
  const [{ createFirestoreStore }, { Firestore }, { createSignIns }, { createProofs }] = await Promise.all([
    import('./adapters/firestore.ts'),
    import('@google-cloud/firestore'),
    import('./adapters/firebase-auth.ts'),
    import('./adapters/altcha.ts'),
  ])
  const key = (purpose: string) => deriveKey(secret.value(), purpose).toString('hex')
  const ports: Ports = {
    store: createFirestoreStore(new Firestore({ projectId, ignoreUndefinedProperties: true })),
    signIns: createSignIns(once(loadAuth)),
    proofs: createProofs(
      { signature: key('challenge'), solution: key('solution') },
      // Under the emulators a proof is a formality.
      Math.ceil(registrationCost.value() / (isEmulated ? 20 : 1)),
    ),
    vault: createVault(secret.value()),
    codec,
    monotonicMs: () => performance.now(),
    webOrigin: webOrigin.value() || (hostingOrigins[0] ?? ''),
  }
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
    onFault: logFault,
  }
})

async function loadAuth() {
  const [{ getApps, initializeApp }, { getAuth }] = await Promise.all([
    import('firebase-admin/app'),
    import('firebase-admin/auth'),
  ])
  return getAuth(getApps()[0] ?? initializeApp({ projectId }))
}

/** The HTTP API, behind Hosting's rewrite of `/api/v1`. */
export const api = onRequest({ invoker: 'public' }, async (request, response) => {
  const answer = await handleHttp(
    await getApi(),
    {
      method: request.method,
      url: request.originalUrl,
      authorization: request.header('authorization'),
      contentType: sentContentType(request),
      body: bytesOf(request),
    },
    new Date(),
  )
  const headers = { ...answer.headers, 'content-type': 'application/json; charset=utf-8', vary: 'accept-encoding' }
  const text = JSON.stringify(answer.body)
  if (text.length < compressedFromBytes || !acceptsGzip(request.header('accept-encoding'))) {
    response.writeHead(answer.status, { ...headers, 'content-length': Buffer.byteLength(text) }).end(text)
    return
  }
  const packed = await compress(text)
  response
    .writeHead(answer.status, { ...headers, 'content-encoding': 'gzip', 'content-length': packed.length })
    .end(packed)
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

/** Every minute; a run that is cut off is taken up by the next. */
export const republishDiscovery = onSchedule(
  { schedule: 'every 1 minutes', timeoutSeconds: 120, maxInstances: 1, retryCount: 0 },
  async () => {
    try {
      const { ports } = await getApi()
      logger.info('republished', { ...(await runRepublish(ports, () => new Date(), undefined, logFault)) })
    } catch (error) {
      logFault(error)
      // The platform logs the message of what is thrown, so that it must be ours.
      throw new Error('The republish failed; the next run takes it up.', { cause: error })
    }
  },
)

/**
 * A callable whose body is checked as bytes before the platform's own parser sees any of it, and its token by us: the
 * platform would log parts of one it refuses, refuse every one when it has no keys, and none under the emulators.
 */
function callable(name: CallableName): CallableFunction<unknown, Promise<unknown>> {
  const arrivals = new WeakMap<Request, { authorization?: string | undefined; refusal?: DirectoryError }>()
  const onParsed = onCall({ cors: allowedOrigins, invoker: 'public' }, async ({ data, rawRequest }) => {
    try {
      const { authorization, refusal } = arrivals.get(rawRequest) ?? {}
      if (refusal !== undefined) throw refusal
      const { ports } = await getApi()
      const claims = callables[name].caller === 'anyone' ? null : await claimsOf(ports, authorization)
      return await runCallable(ports, name, claims, data, new Date())
    } catch (error) {
      throw httpsErrorOf(error)
    }
  })
  const onBytes = (request: Request, response: Parameters<typeof onParsed>[1]) => {
    if (request.method !== 'OPTIONS') {
      const { authorization } = request.headers
      delete request.headers.authorization
      delete request.headers['x-firebase-appcheck']
      request.headers['content-type'] = 'application/json'
      request.body = { data: null }
      try {
        request.body = { data: parseCall(request) }
        arrivals.set(request, { authorization })
      } catch (error) {
        if (!(error instanceof DirectoryError)) throw error
        arrivals.set(request, { refusal: error })
      }
      // The platform's own refusal of another method has no details.
      request.method = 'POST'
    }
    return onParsed(request, response)
  }
  return Object.defineProperties(onBytes, Object.getOwnPropertyDescriptors(onParsed)) as typeof onParsed
}

function parseCall(request: Request): unknown {
  if (request.method !== 'POST') throw invalidArgument([{ path: '', message: 'must be sent by POST' }])
  const data = parseCallableBody(bytesOf(request))
  if (!/^application\/json(;|$)/i.test(sentContentType(request) ?? '')) {
    throw invalidArgument([{ path: '', message: 'must be sent as application/json' }])
  }
  return data
}

function httpsErrorOf(error: unknown): HttpsError {
  if (error instanceof DirectoryError && error.code !== 'internal') {
    if (error.code === 'unavailable') logFault(error)
    return new HttpsError(error.code, error.message, error.details)
  }
  logFault(error)
  return new HttpsError('internal', 'Something went wrong on our side. Try again later.')
}

/** What went wrong and where in the code; never the message, which can quote what somebody sent or stored. */
function logFault(error: unknown): void {
  const cause = error instanceof DirectoryError && error.cause instanceof Error ? error.cause : error
  const { name, code, stack } = (cause instanceof Error ? cause : {}) as {
    name?: string
    code?: unknown
    stack?: string
  }
  logger.error('fault', {
    name,
    code: typeof code === 'string' || typeof code === 'number' ? code : undefined,
    at: stack
      ?.split('\n')
      .filter((line) => /^\s+at /.test(line))
      .slice(0, 8),
  })
}

/** The body as it was sent; the platform sets none for a request without one. */
function bytesOf(request: { rawBody?: Uint8Array }): Uint8Array {
  return request.rawBody ?? new Uint8Array()
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
