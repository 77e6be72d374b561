import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle } from '../scripts/build-agent.ts'
import { buildFunctions } from '../scripts/build.ts'
import {
  createBuildFolder,
  productionNetwork,
  startFunction,
  type Deployment,
} from '../testing/deployed/start-function.ts'
import type { Counts } from './counts.ts'
import { deleteWithUs, endWithUs } from './started.ts'

export interface Arms extends AsyncDisposable {
  /** Folders with the deployed code: ours, and the baseline built the same way. */
  ours: string
  baseline: string
  /** Bytes of all files of each bundle. */
  bundleBytes: { ours: number; baseline: number }
}

/** Builds both arms beside the workspace's packages. */
export async function buildArms(): Promise<Arms> {
  const built = await createBuildFolder()
  const { folder } = built
  deleteWithUs(folder)
  const dispose = () => built[Symbol.asyncDispose]()
  try {
    const [ours, baseline] = [join(folder, 'ours'), join(folder, 'baseline')]
    await Promise.all([mkdir(ours), mkdir(baseline)])
    const { files, dependencies } = await buildFunctions(ours)
    const baselineBundle = await bundle(baseline, {
      entryPoints: { index: 'bench/baseline.ts' },
      target: 'node24',
      external: ['@google-cloud/functions-framework', ...Object.keys(dependencies)].flatMap((name) => [
        name,
        `${name}/*`,
      ]),
    })
    await writeFile(join(baseline, 'package.json'), JSON.stringify({ type: 'module', main: 'index.js' }))
    const sum = (sizes: Record<string, number>) => Object.values(sizes).reduce((total, bytes) => total + bytes, 0)
    return {
      ours,
      baseline,
      bundleBytes: { ours: sum(files), baseline: sum(baselineBundle.files) },
      [Symbol.asyncDispose]: dispose,
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

export interface RunningArm extends AsyncDisposable {
  origin: string
  counts: () => Promise<Counts>
}

/** The heap limits of V8 in a container of 512 MiB, the functions' size. */
export const containerHeap = ['--max-old-space-size=256', '--max-semi-space-size=2']

/** Starts one function in a separate process. Counts its Firestore operations unless `isCounted` is false. */
export async function startArm(
  deployment: Omit<Deployment, 'home' | 'nodeArguments'>,
  { isCounted = true } = {},
): Promise<RunningArm> {
  const home = await mkdtemp(join(tmpdir(), 'koko-bench-'))
  deleteWithUs(home)
  const preload = isCounted ? join(import.meta.dirname, 'instrument.ts') : productionNetwork
  const process = startFunction({
    ...deployment,
    home,
    env: { METADATA_SERVER_DETECTION: 'none' },
    nodeArguments: [...containerHeap, '--import', preload],
  })
  const { child } = process
  endWithUs(child)
  return {
    origin: await process.origin,
    async counts() {
      // `production-network` also sends a message, a number.
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
    async [Symbol.asyncDispose]() {
      await process[Symbol.asyncDispose]()
      await rm(home, { recursive: true, force: true })
    },
  }
}
