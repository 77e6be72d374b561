import { createClient, signInWithToken, type Client } from '@koko/contract'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../../scripts/stack/addresses.ts'
import { buildFunctions } from '../../scripts/build.ts'
import type { Google } from './google.ts'

export const webOrigin = 'https://koko.example'
export const secret = `fictional-${'0123456789abcdef'.repeat(4)}`

/** A folder with the built functions, which finds the workspace's own packages. */
export async function buildFolder(): Promise<AsyncDisposable & { folder: string }> {
  const parent = join(root, 'functions', 'node_modules')
  await mkdir(parent, { recursive: true })
  const folder = await mkdtemp(join(parent, '.deployed-'))
  const dispose = () => rm(folder, { recursive: true, force: true })
  try {
    await buildFunctions(folder)
  } catch (error) {
    await dispose()
    throw error
  }
  return { folder, [Symbol.asyncDispose]: dispose }
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
  const firestoreEmulator = process.env.FIRESTORE_EMULATOR_HOST
  if (!firestoreEmulator) throw new Error('FIRESTORE_EMULATOR_HOST is not set: run this through npm run with-emulators')
  const home = await mkdtemp(join(tmpdir(), 'koko-deployed-'))
  const framework = join(root, 'node_modules', '@google-cloud', 'functions-framework', 'build', 'src', 'main.js')
  const children = new Map<string, ChildProcess>()
  const written: string[] = []
  const origins = new Map<string, Promise<string>>()

  async function start(target: string): Promise<string> {
    const child = fork(framework, [`--source=${folder}`], {
      execArgv: ['--import', join(import.meta.dirname, 'production-network.ts')],
      // The variables that Cloud Run and `firebase deploy` set, the emulator's address, and nothing of this process's own.
      env: {
        HOME: home,
        NODE_ENV: 'production',
        PORT: '8080',
        K_SERVICE: target.toLowerCase(),
        K_CONFIGURATION: target.toLowerCase(),
        K_REVISION: `${target.toLowerCase()}-00001-abc`,
        FUNCTION_TARGET: target,
        FUNCTION_SIGNATURE_TYPE: 'http',
        LOG_EXECUTION_ID: 'true',
        GCLOUD_PROJECT: projectId,
        FIREBASE_CONFIG: JSON.stringify({ projectId }),
        KOKO_SECRET: secret,
        REGISTRATION_COST: '600',
        WEB_ORIGIN: webOrigin,
        WEB_API_KEY: 'fictional',
        FIRESTORE_EMULATOR_HOST: firestoreEmulator,
        GOOGLE_STAND_IN: google.origin,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    children.set(target, child)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => written.push(text))
    }
    const ended = once(child, 'exit').then(() => {
      throw new Error(`${target} ended before it listened:\n${written.join('')}`)
    })
    const [port] = (await Promise.race([once(child, 'message'), ended])) as [number]
    ended.catch(() => undefined)
    return `http://127.0.0.1:${port}`
  }

  const origin = (target: string) => {
    const started = origins.get(target) ?? start(target)
    origins.set(target, started)
    return started
  }

  const served: Served = {
    projectId,
    origin,
    logs: () => written.join(''),

    async peakBytes(target) {
      await origin(target)
      const child = children.get(target)
      if (child === undefined) throw new Error(`${target} does not run`)
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
      await Promise.all(
        [...children.values()].map(async (child) => {
          if (child.exitCode !== null || child.signalCode !== null) return
          const ended = once(child, 'exit')
          child.kill()
          await ended
        }),
      )
      await rm(home, { recursive: true, force: true })
    },
  }
  return served
}
