import * as esbuild from 'esbuild'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../scripts/stack/addresses.ts'
import { buildFunctions } from '../scripts/build.ts'
import type { Counts } from './counts.ts'
import { deleteWithUs, endWithUs } from './started.ts'

export interface Arms extends AsyncDisposable {
  /** Folders with what is deployed: ours, and the baseline built the same way. */
  ours: string
  baseline: string
  /** Bytes of all files of each bundle. */
  bundleBytes: { ours: number; baseline: number }
}

/** Builds both arms beside the workspace's packages. */
export async function buildArms(): Promise<Arms> {
  const parent = join(root, 'functions', 'node_modules')
  await mkdir(parent, { recursive: true })
  const folder = await mkdtemp(join(parent, '.bench-'))
  deleteWithUs(folder)
  const dispose = () => rm(folder, { recursive: true, force: true })
  try {
    const [ours, baseline] = [join(folder, 'ours'), join(folder, 'baseline')]
    await Promise.all([mkdir(ours), mkdir(baseline)])
    const { files, dependencies } = await buildFunctions(ours)
    const { metafile } = await esbuild.build({
      absWorkingDir: root,
      entryPoints: { index: 'bench/baseline.ts' },
      outdir: baseline,
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node24',
      external: ['@google-cloud/functions-framework', ...Object.keys(dependencies)].flatMap((name) => [
        name,
        `${name}/*`,
      ]),
      legalComments: 'none',
      metafile: true,
      logLevel: 'silent',
    })
    await writeFile(join(baseline, 'package.json'), JSON.stringify({ type: 'module', main: 'index.js' }))
    const sum = (sizes: number[]) => sizes.reduce((total, bytes) => total + bytes, 0)
    return {
      ours,
      baseline,
      bundleBytes: {
        ours: sum(Object.values(files)),
        baseline: sum(Object.values(metafile.outputs).map(({ bytes }) => bytes)),
      },
      [Symbol.asyncDispose]: dispose,
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

export interface Served extends AsyncDisposable {
  origin: string
  counts: () => Promise<Counts>
}

/** The heap that V8 takes in a container of the 512 MiB that the functions are deployed with. */
export const containerHeap = ['--max-old-space-size=256', '--max-semi-space-size=2']

/** What one process of the production server is started with. */
export interface Deployment {
  folder: string
  target: string
  projectId: string
  /** The Firestore emulator's host and port. */
  firestore: string
  /** The key server's origin. */
  keys: string
}

/** One function on the production functions framework, in a process of its own. */
export async function serve(
  { folder, target, projectId, firestore, keys }: Deployment,
  { isCounted = true } = {},
): Promise<Served> {
  const home = await mkdtemp(join(tmpdir(), 'koko-bench-'))
  deleteWithUs(home)
  const framework = join(root, 'node_modules', '@google-cloud', 'functions-framework', 'build', 'src', 'main.js')
  const preload = isCounted
    ? join(import.meta.dirname, 'instrument.ts')
    : join(root, 'test', 'deployed', 'production-network.ts')
  const child = fork(framework, [`--source=${folder}`], {
    execArgv: [...containerHeap, '--import', preload],
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
      KOKO_SECRET: `fictional-${'0123456789abcdef'.repeat(4)}`,
      WEB_API_KEY: 'fictional',
      FIRESTORE_EMULATOR_HOST: firestore,
      GOOGLE_STAND_IN: keys,
      METADATA_SERVER_DETECTION: 'none',
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  endWithUs(child)
  const written: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      written.push(text)
      if (written.length > 50) written.shift()
    })
  }
  const exited = once(child, 'exit')
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await exited
    await rm(home, { recursive: true, force: true })
  }
  const ended = exited.then(() => {
    throw new Error(`${target} ended before it listened:\n${written.join('')}`)
  })
  ended.catch(() => undefined)
  const [port] = (await Promise.race([once(child, 'message'), ended])) as [number]
  return {
    origin: `http://127.0.0.1:${port}`,
    async counts() {
      // The preload of the deployed tests answers as well, with a number.
      const answered = new Promise<Counts>((resolve) => {
        const listen = (message: unknown) => {
          if (typeof message !== 'object' || message === null) return
          child.off('message', listen)
          resolve(message as Counts)
        }
        child.on('message', listen)
      })
      child.send('counts')
      return answered
    },
    [Symbol.asyncDispose]: stop,
  }
}
