import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { formatDuration } from '@koko/contract'
import { functionsOrigin, ports, project, root, stackFolder } from './addresses.ts'
import { build } from '../build.ts'
import { writeEmulatorConfig } from './emulator-config.ts'
import { Failure } from '../failure.ts'
import { FIRESTORE_MAIN_CLASS, findFirestoreEmulator, type FirestoreEmulator } from './firestore-emulator.ts'
import { MIN_JAVA_MAJOR, findJavaHome } from './java.ts'
import { createLauncherJar } from './launcher-jar.ts'
import { isTaken } from './ports.ts'

/** Ten seconds are usual, but a first run also downloads the Firestore emulator. */
const START_TIMEOUT_MS = 300_000
/** emulator-guard.ts gives its processes two seconds. */
const STOP_TIMEOUT_MS = 4_000
/** Between the end of a process and the moment its ports are free. */
const RELEASE_TIMEOUT_MS = 4_000
const LINES_IN_A_FAILURE = 30

const logPath = join(stackFolder, 'stack.log')
const ownerPath = join(stackFolder, 'pid')
/** The Functions emulator looks for secrets beside the code, not in firebase.json's `configDir`. */
const sharedSecrets = join(root, 'functions', 'dist', '.secret.local')

export interface Stack extends AsyncDisposable {
  /** The output of firebase-tools, the emulators and the functions, with debug lines. */
  logPath: string
  /** Resolves with the reason if the emulators end before `dispose`. */
  ended: Promise<string>
}

/**
 * Builds functions and web pages, and starts the Firebase emulator suite with them and with the emulator export at
 * `importFrom`. A taken port or a missing program is a Failure before anything changes. If `signal` aborts, nothing is left
 * behind.
 */
export async function startStack(options: { importFrom?: string; signal: AbortSignal }): Promise<Stack> {
  const { importFrom, signal } = options
  const { javaHome, firestore } = await preflight()
  await build()
  signal.throwIfAborted()

  await rm(stackFolder, { recursive: true, force: true })
  await mkdir(stackFolder, { recursive: true })
  await writeFile(ownerPath, String(process.pid))
  // The functions create their sockets here, and a socket's path must stay below about 100 characters.
  const scratch = await mkdtemp(join(tmpdir(), 'koko-'))
  const secrets = join(root, 'functions', '.secret.local')
  if (existsSync(secrets)) await copyFile(secrets, sharedSecrets)

  const configPath = await writeEmulatorConfig()
  const child = spawn(process.execPath, firebaseArguments(configPath, importFrom), {
    cwd: stackFolder,
    env: await firebaseEnvironment(javaHome, firestore, scratch),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Outside the terminal's foreground group, so that Ctrl-C does not reach the emulators before `stop` ends them in order.
    detached: true,
  })
  const descendants = new Set<number>()
  child.on('message', (message: { started?: number; ended?: number }) => {
    if (message.started) descendants.add(message.started)
    if (message.ended) descendants.delete(message.ended)
  })
  const output = collectOutput(child)
  const exited = once(child, 'exit')

  let isStopping = false
  const stop = async () => {
    if (isStopping) return
    isStopping = true
    await endProcesses(child, exited, descendants)
    // The ports are free, so another stack may have started.
    const isOurs = (await readFile(ownerPath, 'utf8').catch(() => '')) === String(process.pid)
    const rest = [scratch, configPath, ...(isOurs ? [stackFolder, sharedSecrets] : [])]
    await Promise.all(rest.map((path) => rm(path, { recursive: true, force: true, maxRetries: 3 })))
  }
  const ended = new Promise<string>((resolve) => {
    void exited.then(
      () => !isStopping && resolve(`The emulators stopped unexpectedly. Their last output:\n${output.tail()}`),
    )
  })

  try {
    const late = AbortSignal.timeout(START_TIMEOUT_MS)
    await Promise.race([
      output.ready,
      ended.then((reason) => Promise.reject(new Failure(reason))),
      aborted(signal),
      aborted(late).catch(() =>
        Promise.reject(
          new Failure(
            `The emulators were not ready after ${formatDuration(START_TIMEOUT_MS)}. Their last output:\n${output.tail()}`,
          ),
        ),
      ),
    ])
    if (!(await areFunctionsLoaded()))
      throw new Failure(`The functions could not be loaded. The last output of the emulators:\n${output.tail()}`)
  } catch (error) {
    await stop()
    throw error
  }
  return { logPath, ended, [Symbol.asyncDispose]: stop }
}

async function preflight(): Promise<{ javaHome: string; firestore: FirestoreEmulator }> {
  const taken: string[] = []
  for (const [name, port] of Object.entries(ports)) if (await isTaken(port)) taken.push(`${port} (${name})`)
  if (taken.length > 0) {
    const [ones, are] = taken.length === 1 ? ['Port', 'is'] : ['Ports', 'are']
    throw new Failure(
      `${ones} ${taken.join(', ')} ${are} taken: stop the other stack, or what "lsof -nP -iTCP -sTCP:LISTEN" shows there`,
    )
  }
  const javaHome = findJavaHome(process.env)
  if (!javaHome) throw new Failure(`Java ${MIN_JAVA_MAJOR} or later is missing: ${howToGetJava()}`)
  return { javaHome, firestore: await findFirestoreEmulator(process.env) }
}

function howToGetJava(): string {
  if (process.platform === 'darwin') return 'run "brew install openjdk"'
  if (existsSync('/usr/bin/apt-get'))
    return 'run "sudo apt-get install openjdk-21-jre-headless", or https://adoptium.net'
  return 'install one from https://adoptium.net'
}

function firebaseArguments(configPath: string, importFrom: string | undefined): string[] {
  return [
    '--import',
    pathToFileURL(join(import.meta.dirname, 'emulator-guard.ts')).href,
    join(root, 'node_modules', 'firebase-tools', 'lib', 'bin', 'firebase.js'),
    'emulators:start',
    '--non-interactive',
    ...['--project', project],
    ...['--config', configPath],
    ...(importFrom ? ['--import', importFrom] : []),
  ]
}

async function firebaseEnvironment(
  javaHome: string,
  firestore: FirestoreEmulator,
  scratch: string,
): Promise<NodeJS.ProcessEnv> {
  const {
    GOOGLE_APPLICATION_CREDENTIALS: _credentials,
    FIREBASE_TOKEN: _token,
    DEBUG: _debug,
    ...inherited
  } = process.env
  const env: NodeJS.ProcessEnv = {
    ...inherited,
    JAVA_HOME: javaHome,
    PATH: [join(javaHome, 'bin'), process.env.PATH].filter(Boolean).join(delimiter),
    TMPDIR: scratch,
    // An empty home, so that the functions cannot reach the user's sign-ins and Google credentials.
    HOME: scratch,
    XDG_CONFIG_HOME: scratch,
    FIREBASE_EMULATORS_PATH: process.env.FIREBASE_EMULATORS_PATH ?? join(homedir(), '.cache', 'firebase', 'emulators'),
    FIREBASE_DEBUG_PATH: logPath,
    // Otherwise firebase-tools asks the functions for their definitions on a port that is open to the network.
    FIREBASE_FUNCTIONS_DISCOVERY_OUTPUT_PATH: 'true',
    // No network look-ups for a cloud machine's credentials, news, updates or new versions.
    METADATA_SERVER_DETECTION: 'none',
    CI: 'true',
    NO_UPDATE_NOTIFIER: '1',
    npm_config_offline: 'true',
    NO_PROXY: [process.env.NO_PROXY, '127.0.0.1', 'localhost'].filter(Boolean).join(','),
    no_proxy: [process.env.no_proxy, '127.0.0.1', 'localhost'].filter(Boolean).join(','),
  }
  if (firestore.from === 'component') {
    const launcher = join(scratch, 'firestore-emulator.jar')
    await writeFile(launcher, createLauncherJar(FIRESTORE_MAIN_CLASS, pathToFileURL(firestore.jar)))
    env.FIRESTORE_EMULATOR_BINARY_PATH = launcher
  }
  return env
}

function collectOutput(child: ChildProcess): { ready: Promise<void>; tail: () => string } {
  const lines: string[] = []
  const ready = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line)
        if (lines.length > LINES_IN_A_FAILURE) lines.shift()
        if (line.includes('All emulators ready')) resolve()
      })
    }
  })
  return { ready, tail: () => lines.join('\n') }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = () => reject(signal.reason as Error)
    if (signal.aborted) fail()
    else signal.addEventListener('abort', fail, { once: true })
  })
}

// firebase-tools calls the emulators ready even if it cannot load the functions.
async function areFunctionsLoaded(): Promise<boolean> {
  const response = await fetch(`${functionsOrigin}/backends`)
  const { backends } = (await response.json()) as { backends: { functionTriggers: unknown[] }[] }
  return backends.some(({ functionTriggers }) => functionTriggers.length > 0)
}

async function endProcesses(child: ChildProcess, exited: Promise<unknown>, descendants: Set<number>): Promise<void> {
  // emulator-guard.ts then ends the children of firebase-tools, and firebase-tools.
  if (child.connected) child.disconnect()
  await Promise.race([exited, delay(STOP_TIMEOUT_MS, undefined, { ref: false })])
  child.kill('SIGKILL')
  await exited
  for (const pid of descendants) kill(pid)
  const late = Date.now() + RELEASE_TIMEOUT_MS
  for (const port of Object.values(ports)) while (Date.now() < late && (await isTaken(port))) await delay(50)
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
