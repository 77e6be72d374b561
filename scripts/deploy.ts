import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import firebase from '../firebase.json' with { type: 'json' }
import { root } from './stack/addresses.ts'
import { assertDeployable, describeAction, describePlan, planDeployment } from './deploy/deploy-plan.ts'
import type { Action, DeployOptions, Step } from './deploy/deploy-plan.ts'
import { Failure, reportFailure } from './failure.ts'
import { exitCodeOf, Stopped, watchStopSignals } from './signals.ts'
import { runSmoke } from './smoke.ts'

const USAGE = `usage: npm run deploy -- --project <id>
                     --dry-run              prints every step, and touches nothing
                     --location <location>  of a new database; us-central1 unless given
                     --web-origin <origin>  where the pages are, if on a domain of your own`
/** A change takes a while to show everywhere; Google says up to two minutes for roles. */
const SEEN_WITHIN_MS = 120_000
const POLL_MS = 5_000

/** Runs an action; `ok` is false if it failed, and `output` then says why. */
export type Run = (action: Action) => Promise<{ ok: boolean; output: string }>

/** Runs the steps whose check does not pass yet, in order. Throws a Failure at a step that cannot be done. */
export async function runDeployment(
  steps: readonly Step[],
  run: Run,
  report: (line: string) => void,
  wait: (ms: number) => Promise<unknown>,
): Promise<void> {
  for (const { title, why, check, apply, byHand, isAdvice } of steps) {
    let refusal = ''
    const isInOrder = async () => {
      if (check === undefined) return false
      const { ok, output } = await run(check.action)
      refusal = ok ? '' : `\n${output}`
      return ok && check.passes(output)
    }
    if (await isInOrder()) {
      report(`${title}: already`)
      continue
    }
    if (apply.length === 0) {
      const advice = `${title}: no. ${why}\n  ${byHand ?? ''}`
      if (isAdvice !== true) throw new Failure(`${advice}\nThen run this again; what is done stays done.${refusal}`)
      report(`WARNING  ${advice}`)
      continue
    }
    for (const action of apply) {
      const { ok, output } = await run(action)
      if (!ok) throw new Failure(`${title}: failed\n  ${describeAction(action)}\n${output}`)
    }
    for (let waitedMs = 0; check !== undefined && !(await isInOrder()); waitedMs += POLL_MS) {
      if (waitedMs >= SEEN_WITHIN_MS) {
        throw new Failure(
          `${title}: was set, and is not so\n  ${describeAction(check.action)}\n  wants ${check.shows}${refusal}`,
        )
      }
      await wait(POLL_MS)
    }
    report(`${title}: done`)
  }
}

/** Without a terminal, `firebase deploy` uses no parameter's default, so each must be in the file. */
const parameterDefaults = { REGISTRATION_COST: '26000' }

/** A dotenv file's text with these values set. Other lines, and defaults that are set already, stay. */
export function withParameters(before: string, values: { WEB_API_KEY: string; WEB_ORIGIN: string }): string {
  const lines = before.split('\n').filter((line) => line !== '')
  const holds = (name: string) => (line: string) => line.startsWith(`${name}=`)
  const kept = lines.filter((line) => !Object.keys(values).some((name) => holds(name)(line)))
  const missing = Object.entries(parameterDefaults).filter(([name]) => !lines.some(holds(name)))
  return [...kept, ...[...missing, ...Object.entries(values)].map(([name, value]) => `${name}=${value}`), ''].join('\n')
}

/** The values in a firebase.json that are deployed and name this machine. */
export function localAddresses(config: object): string[] {
  const { emulators: _emulators, ...deployed } = config as { emulators?: unknown }
  return JSON.stringify(deployed).match(/localhost|127\.0\.0\.1|\[::1\]/g) ?? []
}

async function execute(action: Action, options: DeployOptions, signal: AbortSignal): Promise<string> {
  switch (action.kind) {
    case 'command': {
      const input = action.input === undefined ? undefined : randomBytes(32).toString('base64url')
      return runProgram(action.program, action.args, signal, input)
    }
    case 'request': {
      const token = (await runProgram('gcloud', ['auth', 'print-access-token'], signal)).trim()
      const response = await fetch(action.url, {
        method: action.method,
        headers: {
          authorization: `Bearer ${token}`,
          'x-goog-user-project': options.project,
          'content-type': 'application/json',
        },
        ...(action.body === undefined ? {} : { body: JSON.stringify(action.body) }),
        signal,
      })
      const answer = await response.text()
      if (!response.ok) throw new Failure(`${response.status} ${answer}`)
      return answer
    }
    case 'own':
      return ownWork(action.work, options, signal)
  }
}

async function ownWork(
  work: Extract<Action, { kind: 'own' }>['work'],
  { project, webOrigin }: DeployOptions,
  signal: AbortSignal,
): Promise<string> {
  switch (work) {
    case 'check tools': {
      const account = await runProgram(
        'gcloud',
        ['auth', 'list', '--filter=status:ACTIVE', '--format=value(account)'],
        signal,
      )
      if (account.trim() === '') throw new Failure('nobody is signed in; run: gcloud auth login')
      await runProgram('firebase', ['projects:list', '--json', '--non-interactive'], signal).catch((cause: unknown) => {
        throw new Failure('firebase has no session; run: npx firebase login', { cause })
      })
      return ''
    }
    case 'write parameters': {
      const apps = await runProgram('firebase', ['apps:list', 'WEB', '--json', '--project', project], signal)
      const appId = /"appId":\s*"([^"]+)"/.exec(apps)?.[1] ?? ''
      const config = await runProgram(
        'firebase',
        ['apps:sdkconfig', 'WEB', appId, '--json', '--project', project],
        signal,
      )
      const apiKey = /"apiKey":\s*"([A-Za-z0-9_-]+)"/.exec(config)?.[1]
      if (apiKey === undefined) throw new Failure('the web app has no API key')
      const path = join(root, 'functions', `.env.${project}`)
      const before = existsSync(path) ? await readFile(path, 'utf8') : ''
      await writeFile(path, withParameters(before, { WEB_API_KEY: apiKey, WEB_ORIGIN: webOrigin }))
      return ''
    }
    case 'check firebase.json': {
      const found = localAddresses(firebase)
      if (found.length > 0) throw new Failure(`it names ${found.join(', ')}`)
      return ''
    }
    case 'smoke run':
      await runSmoke(webOrigin, { signal, report: (line) => console.log(`  ${line}`) })
      return ''
  }
}

async function runProgram(
  program: 'gcloud' | 'firebase' | 'npm',
  arguments_: readonly string[],
  signal: AbortSignal,
  input?: string,
): Promise<string> {
  const child = spawn(program, arguments_, {
    cwd: root,
    signal,
    // With one of these set, firebase and the SDKs would call the emulators.
    env: {
      ...process.env,
      FIRESTORE_EMULATOR_HOST: undefined,
      FIREBASE_AUTH_EMULATOR_HOST: undefined,
      FIREBASE_EMULATOR_HUB: undefined,
      CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
      PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].filter(Boolean).join(delimiter),
    },
  })
  child.stdin.end(input ?? '')
  const started = once(child, 'spawn').catch((cause: unknown) => {
    signal.throwIfAborted()
    throw new Failure(
      `${program} is missing${program === 'gcloud' ? ': https://cloud.google.com/sdk/docs/install' : ''}`,
      {
        cause,
      },
    )
  })
  await started
  const [[status], output, errors] = await Promise.all([
    once(child, 'close') as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ])
  if (status !== 0) throw new Failure(errors.trim() || output.trim())
  return output
}

function readOptions(): DeployOptions & { isDryRun: boolean } {
  const { project, location, webOrigin, isDryRun } = parseOptions()
  if (project === undefined) throw new Failure(USAGE)
  const options = { project, location, webOrigin: webOrigin ?? `https://${project}.web.app`, isDryRun }
  assertDeployable(options)
  return options
}

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        project: { type: 'string' },
        location: { type: 'string', default: 'us-central1' },
        'web-origin': { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
      },
    })
    const { project, location } = values
    return { project, location, webOrigin: values['web-origin'], isDryRun: values['dry-run'] }
  } catch (cause) {
    throw new Failure(USAGE, { cause })
  }
}

if (import.meta.main) {
  const signal = watchStopSignals()
  try {
    const { isDryRun, ...options } = readOptions()
    const steps = planDeployment(options)
    if (isDryRun) {
      console.log(`${describePlan(steps)}\n\nNothing was run.`)
    } else {
      const run: Run = (action) =>
        execute(action, options, signal).then(
          (output) => ({ ok: true, output }),
          (error: unknown) => {
            if (signal.aborted || !(error instanceof Failure)) throw error
            return { ok: false, output: error.message }
          },
        )
      await runDeployment(
        steps,
        run,
        (line) => console.log(line),
        (ms) => delay(ms, undefined, { signal }),
      )
      console.log(`${options.webOrigin} is up. docs/hosting.md says how to watch it.`)
    }
  } catch (error) {
    const reason: unknown = signal.aborted ? signal.reason : error
    process.exitCode = reason instanceof Stopped ? exitCodeOf(reason.signal) : reportFailure(reason)
  }
}
