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
import { budgetCommands, describeAction, describePlan, planDeployment } from './deploy/deploy-plan.ts'
import type { Action, DeployOptions, OwnWork, Step } from './deploy/deploy-plan.ts'
import { Failure, runUntilStopped } from './failure.ts'
import { runSmoke } from './smoke.ts'

const USAGE = `usage: npm run deploy -- --project <id> --contact <email address or https page>
                     --contact <contact>    where people report to you that their number was published; /report shows it
                     --budget <amount>      a month, above which Google warns you (default: 50)
                     --dry-run              prints every step and changes nothing
                     --location <location>  where a new database is created (default: us-central1)
                     --web-origin <origin>  where the pages are, if on a domain of your own`
/** A change of roles usually applies within two minutes: https://cloud.google.com/iam/docs/access-change-propagation */
const CHECK_TIMEOUT_MS = 120_000
const POLL_MS = 5_000

/** Runs an action. If it fails, `output` says why. */
type Run = (action: Action) => Promise<{ ok: boolean; output: string }>

/** Runs the steps whose check does not pass yet, in order. Throws a Failure at the first step that fails. */
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
      if (isAdvice !== true) throw new Failure(`${advice}\nThen run this again: what is done stays done.${refusal}`)
      report(`WARNING  ${advice}`)
      continue
    }
    const failed: string[] = []
    for (const action of apply) {
      const { ok, output } = await run(action)
      if (ok) continue
      if (isAdvice !== true) throw new Failure(`${title}: failed\n  ${describeAction(action)}\n${output}`)
      failed.push(output)
    }
    if (failed.length > 0) {
      report(`WARNING  ${title}: no. ${why}\n  ${byHand ?? ''}\n${failed.join('\n')}`)
      continue
    }
    for (let waitedMs = 0; check !== undefined && !(await isInOrder()); waitedMs += POLL_MS) {
      if (waitedMs >= CHECK_TIMEOUT_MS) {
        throw new Failure(
          `${title}: was set, but the check still fails. Wait some minutes, then run this again.\n  ${describeAction(check.action)}\n  must show ${check.shows}${refusal}`,
        )
      }
      await wait(POLL_MS)
    }
    report(`${title}: done`)
  }
}

/** Without a terminal, `firebase deploy` ignores a parameter's default, so the file must have each. */
const parameterDefaults = ['REGISTRATION_COST=26000']

/** A dotenv file's text with these values set. Other lines, and defaults that are set already, stay. */
export function withParameters(before: string, values: { WEB_API_KEY: string; WEB_ORIGIN: string }): string {
  const nameOf = (line: string) => line.split('=', 1)[0] ?? ''
  const lines = before.split('\n').filter((line) => line !== '')
  const kept = lines.filter((line) => !Object.hasOwn(values, nameOf(line)))
  const missing = parameterDefaults.filter((each) => !lines.some((line) => nameOf(line) === nameOf(each)))
  return [...kept, ...missing, ...Object.entries(values).map((entry) => entry.join('=')), ''].join('\n')
}

/** The addresses of this machine in the deployed part of a firebase.json. */
export function localAddresses(config: object): string[] {
  const { emulators: _emulators, ...deployed } = config as { emulators?: unknown }
  return JSON.stringify(deployed).match(/localhost|127\.0\.0\.1|\[::1\]/g) ?? []
}

async function execute(action: Action, options: DeployOptions, signal: AbortSignal): Promise<string> {
  switch (action.kind) {
    case 'command': {
      const input = action.input === undefined ? '' : randomBytes(32).toString('base64url')
      return runProgram(action.program, action.args, signal, input, action.env)
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
      return doOwnWork(action.work, options, signal)
  }
}

async function doOwnWork(work: OwnWork, options: DeployOptions, signal: AbortSignal): Promise<string> {
  const { project, webOrigin } = options
  switch (work) {
    case 'check tools': {
      const listAccounts = ['auth', 'list', '--filter=status:ACTIVE', '--format=value(account)']
      const account = await runProgram('gcloud', listAccounts, signal)
      if (account.trim() === '') throw new Failure('gcloud is not signed in. Run: gcloud auth login')
      await runProgram('firebase', ['projects:list', '--json', '--non-interactive'], signal).catch((cause: unknown) => {
        throw new Failure('firebase is not signed in. Run: npx firebase login', { cause })
      })
      return ''
    }
    case 'find budget':
    case 'create budget': {
      const { find, list, create } = budgetCommands(options)
      const account = (await runProgram('gcloud', find, signal)).trim()
      return runProgram('gcloud', (work === 'find budget' ? list : create)(account), signal)
    }
    case 'write parameters': {
      const ask = (...words: string[]) => runProgram('firebase', [...words, '--json', '--project', project], signal)
      const appId = /"appId":\s*"([^"]+)"/.exec(await ask('apps:list', 'WEB'))?.[1] ?? ''
      const apiKey = /"apiKey":\s*"([A-Za-z0-9_-]+)"/.exec(await ask('apps:sdkconfig', 'WEB', appId))?.[1]
      if (apiKey === undefined) throw new Failure('the web app has no API key')
      const path = join(root, 'functions', `.env.${project}`)
      const before = existsSync(path) ? await readFile(path, 'utf8') : ''
      await writeFile(path, withParameters(before, { WEB_API_KEY: apiKey, WEB_ORIGIN: webOrigin }))
      return ''
    }
    case 'check firebase.json': {
      const found = localAddresses(firebase)
      if (found.length > 0)
        throw new Failure(`firebase.json contains ${found.join(', ')}. Remove it outside "emulators".`)
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
  input = '',
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const child = spawn(program, arguments_, {
    cwd: root,
    signal,
    // With one of these set, firebase and the SDKs would call the emulators.
    env: {
      ...process.env,
      ...env,
      FIRESTORE_EMULATOR_HOST: undefined,
      FIREBASE_AUTH_EMULATOR_HOST: undefined,
      FIREBASE_EMULATOR_HUB: undefined,
      CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
      PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].filter(Boolean).join(delimiter),
    },
  })
  child.stdin.end(input)
  await once(child, 'spawn').catch((cause: unknown) => {
    signal.throwIfAborted()
    const where = program === 'gcloud' ? ': https://cloud.google.com/sdk/docs/install' : ''
    throw new Failure(`${program} is missing${where}`, { cause })
  })
  const [[status], output, errors] = await Promise.all([
    once(child, 'close') as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ])
  if (status !== 0) throw new Failure(errors.trim() || output.trim())
  return output
}

function readOptions(): DeployOptions & { isDryRun: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        project: { type: 'string' },
        location: { type: 'string', default: 'us-central1' },
        'web-origin': { type: 'string' },
        contact: { type: 'string' },
        budget: { type: 'string', default: '50' },
        'dry-run': { type: 'boolean', default: false },
      },
    })
    const { project, location, 'web-origin': webOrigin, contact, budget, 'dry-run': isDryRun } = values
    if (project === undefined || contact === undefined) throw new Failure(USAGE)
    const origin = webOrigin ?? `https://${project}.web.app`
    return { project, location, webOrigin: origin, contact, budget: Number(budget), isDryRun }
  } catch (cause) {
    throw new Failure(USAGE, { cause })
  }
}

if (import.meta.main) {
  await runUntilStopped(async (signal) => {
    const { isDryRun, ...options } = readOptions()
    const steps = planDeployment(options)
    if (isDryRun) {
      console.log(`${describePlan(steps)}\n\nNothing was run.`)
      return
    }
    const run: Run = (action) =>
      execute(action, options, signal).then(
        (output) => ({ ok: true, output }),
        (error: unknown) => {
          if (signal.aborted || !(error instanceof Failure)) throw error
          return { ok: false, output: error.message }
        },
      )
    const wait = (ms: number) => delay(ms, undefined, { signal })
    await runDeployment(steps, run, (line) => console.log(line), wait)
    console.log(`${options.webOrigin} is up. docs/hosting.md says how to watch it.`)
  })
}
