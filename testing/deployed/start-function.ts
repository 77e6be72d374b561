import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../../scripts/stack/addresses.ts'

const framework = join(root, 'node_modules', '@google-cloud', 'functions-framework', 'build', 'src', 'main.js')
/** How much of its output a failed start shows. */
const maxShown = 50

export const secret = `fictional-${'0123456789abcdef'.repeat(4)}`
/** Sends what a process asks of Google to a stand-in, and makes it listen on a free port. */
export const productionNetwork = join(import.meta.dirname, 'production-network.ts')

/** A new folder in which built functions find the workspace's own packages. */
export async function createBuildFolder(): Promise<AsyncDisposable & { folder: string }> {
  const parent = join(root, 'functions', 'node_modules')
  await mkdir(parent, { recursive: true })
  const folder = await mkdtemp(join(parent, '.built-'))
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

export interface Deployment {
  /** The folder with the built functions. */
  folder: string
  /** The function's name. */
  target: string
  projectId: string
  /** The folder for the files that the process writes. */
  home: string
  /** The Firestore emulator's host and port. */
  firestore: string
  /** The origin of what answers for Google. */
  google: string
  /** More variables of the environment. */
  env?: NodeJS.ProcessEnv
  /** Arguments for Node; `productionNetwork`, or a module that imports it, is among them. */
  nodeArguments: readonly string[]
  onOutput?: (text: string) => void
}

/** A function on the production functions framework in a separate process, started as Cloud Run does. */
export interface FunctionProcess extends AsyncDisposable {
  child: ChildProcess
  /** Where it listens; rejects if it ends before it does. */
  origin: Promise<string>
}

export function startFunction(deployment: Deployment): FunctionProcess {
  const { folder, target, projectId, home, firestore, google, env, nodeArguments, onOutput } = deployment
  const child = fork(framework, [`--source=${folder}`], {
    execArgv: [...nodeArguments],
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
      WEB_API_KEY: 'fictional',
      FIRESTORE_EMULATOR_HOST: firestore,
      GOOGLE_STAND_IN: google,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const written: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      written.push(text)
      if (written.length > maxShown) written.shift()
      onOutput?.(text)
    })
  }
  const exited = once(child, 'exit')
  const ended = exited.then(() => {
    throw new Error(`${target} ended before it listened:\n${written.join('')}`)
  })
  const listening = once(child, 'message').then(([port]) => `http://127.0.0.1:${String(port)}`)
  const origin = Promise.race([listening, ended])
  origin.catch(() => undefined)
  return {
    child,
    origin,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await exited
    },
  }
}
