import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Ran {
  exitCode: number | null
  stdout: string
  stderr: string
}

/** An operator with a home, who uses commands only. */
export interface Operator extends AsyncDisposable {
  home: string
  /** Runs a command without a terminal. */
  run: (given: readonly string[], options?: { input?: string; env?: Record<string, string> }) => Promise<Ran>
  /** Runs a command that must succeed, and returns its value. */
  value: (...given: string[]) => Promise<unknown>
}

export const entry = join(import.meta.dirname, '..', 'src', 'koko.ts')

export async function createOperator(origin: string): Promise<Operator> {
  const folder = await mkdtemp(join(tmpdir(), 'koko-operator-'))
  const home = join(folder, 'home')
  const ambient = { PATH: process.env.PATH ?? '', KOKO_HOME: home, KOKO_DIRECTORY: origin, NODE_OPTIONS: '' }

  const run: Operator['run'] = (given, { input = '', env = {} } = {}) =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [entry, ...given], { env: { ...ambient, ...env }, stdio: 'pipe' })
      const said = { stdout: '', stderr: '' }
      child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text))
      child.on('error', reject)
      child.on('close', (exitCode) => resolve({ exitCode, ...said }))
      child.stdin.on('error', () => undefined).end(input)
    })

  return {
    home,
    run,
    async value(...given) {
      const { exitCode, stdout, stderr } = await run([...given, '--json'])
      if (exitCode !== 0) throw new Error(`koko ${given[0]} ended with ${exitCode}: ${stderr}`)
      return JSON.parse(stdout) as unknown
    },
    [Symbol.asyncDispose]: async () => {
      await run(['unregister', '--yes'])
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export const consents = ['--accept-terms', '--accept-disclaimer', '--adult']

export const profileOptions = [
  ...['--gender', 'woman', '--seeking', 'woman,man', '--age', '34', '--age-min', '28', '--age-max', '45'],
  ...['--area', 'gcpv', '--max-distance', '100', '--intent', 'long_term'],
]
