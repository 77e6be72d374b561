import emulators from 'firebase-tools/lib/emulator/downloadableEmulatorInfo.json' with { type: 'json' }
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { Failure } from '../failure.ts'

const { remoteUrl, downloadPathRelativeToCacheDir } = emulators.firestore
/** A download server that takes longer to answer counts as out of reach. */
const PROBE_TIMEOUT_MS = 3_000

/** The Google Cloud CLI's jar names no main class itself. */
export const FIRESTORE_MAIN_CLASS = 'com.google.cloud.datastore.emulator.firestore.CloudFirestore'

export type FirestoreEmulator = { from: 'download' } | { from: 'cache' | 'override' | 'component'; jar: string }

/**
 * The copy that firebase-tools has downloaded or can download; if the download is out of reach, the component of an
 * installed Google Cloud CLI.
 */
export async function findFirestoreEmulator(env: NodeJS.ProcessEnv): Promise<FirestoreEmulator> {
  const override = env.FIRESTORE_EMULATOR_BINARY_PATH
  if (override) {
    if (existsSync(override)) return { from: 'override', jar: override }
    throw new Failure(`No file at FIRESTORE_EMULATOR_BINARY_PATH (${override}): unset FIRESTORE_EMULATOR_BINARY_PATH`)
  }
  const cache = env.FIREBASE_EMULATORS_PATH ?? join(homedir(), '.cache', 'firebase', 'emulators')
  const cached = join(cache, downloadPathRelativeToCacheDir)
  if (existsSync(cached)) return { from: 'cache', jar: cached }
  if (await isReachable(remoteUrl)) return { from: 'download' }
  const sdkRoot = findGoogleCloudCli(env)
  const jar = sdkRoot && join(sdkRoot, 'platform', 'cloud-firestore-emulator', 'cloud-firestore-emulator.jar')
  if (!jar || !existsSync(jar)) {
    throw new Failure(
      'The Firestore emulator is missing: run "npx firebase setup:emulators:firestore" with an internet ' +
        'connection, or "gcloud components install cloud-firestore-emulator"',
    )
  }
  const version = componentVersion(sdkRoot)
  if (version && !isRecentEnough(version)) {
    throw new Failure(
      `The Google Cloud CLI's Firestore emulator ${version} is too old (1.19 is needed): run "gcloud components update"`,
    )
  }
  return { from: 'component', jar }
}

/** 1.19 is the first that takes the flags firebase-tools 15 passes. */
export function isRecentEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 1 || (major === 1 && minor >= 19)
}

async function isReachable(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })).ok
  } catch {
    return false
  }
}

function findGoogleCloudCli(env: NodeJS.ProcessEnv): string | undefined {
  const gcloud = (env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, 'gcloud'))
    .find((candidate) => existsSync(candidate))
  if (!gcloud) return undefined
  const beside = dirname(dirname(realpathSync(gcloud)))
  if (existsSync(join(beside, 'platform'))) return beside
  const asked = spawnSync(gcloud, ['info', '--format=value(installation.sdk_root)'], { encoding: 'utf8' })
  return asked.stdout.trim() || undefined
}

// Some packages of the CLI have no record of their components. The emulator then reports an old version itself.
function componentVersion(sdkRoot: string): string | undefined {
  const record = join(sdkRoot, '.install', 'cloud-firestore-emulator.snapshot.json')
  if (!existsSync(record)) return undefined
  return /"version_string":\s*"([\d.]+)"/.exec(readFileSync(record, 'utf8'))?.[1]
}
