import { createClient, signInWithToken, type Client } from '@koko/contract'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildFunctions } from '../../scripts/build.ts'
import type { Google } from './google.ts'
import { createBuildFolder, productionNetwork, startFunction, type FunctionProcess } from './start-function.ts'

export const webOrigin = 'https://koko.example'

/** A folder with the built functions. */
export async function buildFolder(): Promise<AsyncDisposable & { folder: string }> {
  const built = await createBuildFolder()
  try {
    await buildFunctions(built.folder)
    return built
  } catch (error) {
    await built[Symbol.asyncDispose]()
    throw error
  }
}

/** The functions on the production server, one process for each, as Cloud Run starts them. */
export interface Served extends AsyncDisposable {
  readonly projectId: string
  /** Where a function is; its process is started when it is first asked for. */
  origin: (target: string) => Promise<string>
  /** The most memory that a function's process has held so far. */
  peakBytes: (target: string) => Promise<number>
  /** Everything that all the processes wrote so far, on both streams. */
  logs: () => string
  /** `fetch` with the production addresses of the functions, of Hosting and of Google. */
  fetch: (url: string, init: RequestInit) => Promise<Response>
  /** The contract's own client, signed in with a custom token or an ID token, or not at all. */
  client: (session?: { token: string } | { idToken: string }) => Promise<Client>
}

export async function serve(
  folder: string,
  projectId: string,
  google: Google,
  env: NodeJS.ProcessEnv = {},
): Promise<Served> {
  const firestore = process.env.FIRESTORE_EMULATOR_HOST
  if (!firestore) throw new Error('FIRESTORE_EMULATOR_HOST is not set: run this through npm run with-emulators')
  const home = await mkdtemp(join(tmpdir(), 'koko-deployed-'))
  const processes = new Map<string, FunctionProcess>()
  const written: string[] = []

  const processOf = (target: string): FunctionProcess => {
    const started =
      processes.get(target) ??
      startFunction({
        folder,
        target,
        projectId,
        home,
        firestore,
        google: google.origin,
        env: { REGISTRATION_COST: '600', WEB_ORIGIN: webOrigin, ...env },
        nodeArguments: ['--import', productionNetwork],
        onOutput: (text) => written.push(text),
      })
    processes.set(target, started)
    return started
  }
  const origin = (target: string) => processOf(target).origin

  const served: Served = {
    projectId,
    origin,
    logs: () => written.join(''),

    async peakBytes(target) {
      const { child, origin } = processOf(target)
      await origin
      const answered = once(child, 'message') as Promise<[number]>
      child.send('peak')
      return (await answered)[0]
    },

    async fetch(url, init) {
      const { hostname, pathname, search } = new URL(url)
      if (hostname.endsWith('.googleapis.com')) {
        const headers = new Headers(init.headers)
        headers.set('x-meant-for', `https://${hostname}`)
        return fetch(`${google.origin}${pathname}${search}`, { ...init, headers })
      }
      if (hostname === `us-central1-${projectId}.cloudfunctions.net`) {
        return fetch(await origin(pathname.slice(1)), init)
      }
      if (url.startsWith(`${webOrigin}/api/v1/`)) return fetch(`${await origin('api')}${pathname}${search}`, init)
      throw new Error(`Nothing is deployed at ${url}`)
    },

    async client(session) {
      const anyone = createClient({ origin: webOrigin, fetch: served.fetch })
      if (session === undefined) return anyone
      const idToken =
        'idToken' in session
          ? () => Promise.resolve(session.idToken)
          : (await signInWithToken(await anyone.config(), session.token, { fetch: served.fetch })).idToken
      return createClient({ origin: webOrigin, fetch: served.fetch, idToken })
    },

    async [Symbol.asyncDispose]() {
      await Promise.all([...processes.values()].map((each) => each[Symbol.asyncDispose]()))
      await rm(home, { recursive: true, force: true })
    },
  }
  return served
}
