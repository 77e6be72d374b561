import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './stack/addresses.ts'
import { runUntilStopped } from './failure.ts'
import { runWithEmulators } from './with-emulators.ts'

const CHECKS: Record<string, [program: string, ...arguments_: string[]]> = {
  types: ['tsc', '--noEmit'],
  lint: ['eslint', '.'],
  format: ['prettier', '--check', '--log-level=warn', '.'],
}

interface Totals {
  passed: number
  failed: number
}

/** Checks types, lint and format. */
function runChecks(): Totals {
  const failed = Object.entries(CHECKS).filter(([name, [program, ...arguments_]]) => {
    const { status } = spawnSync(program, arguments_, { cwd: root, stdio: 'inherit' })
    console.error(`${name}: ${status === 0 ? 'passed' : 'FAILED'}`)
    return status !== 0
  })
  return { passed: Object.keys(CHECKS).length - failed.length, failed: failed.length }
}

/** Runs all suites beside the emulators in one run of Jest, so that there is one summary. */
async function runSuites(jestArguments: string[], isCounted: boolean, signal: AbortSignal): Promise<Totals> {
  const folder = await mkdtemp(join(tmpdir(), 'koko-test-'))
  try {
    const outputFile = join(folder, 'results.json')
    const jest: [string, ...string[]] = [
      process.execPath,
      // Jest needs this for native modules. Without the second flag, every process warns that it is experimental.
      ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
      join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
      // Jest's default is one worker fewer than cores: on two cores a single one, which takes three times as long.
      `--maxWorkers=${cpus().length + 1}`,
      ...(isCounted ? ['--json', `--outputFile=${outputFile}`] : []),
      ...jestArguments,
    ]
    const status = await runWithEmulators(jest, signal, () => undefined)
    signal.throwIfAborted()
    if (!isCounted) return { passed: 0, failed: status === 0 ? 0 : 1 }
    const results = JSON.parse(await readFile(outputFile, 'utf8')) as {
      numPassedTests: number
      numFailedTests: number
      numRuntimeErrorTestSuites: number
    }
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites
    // A run can also fail for another reason, for example because it found no test.
    return { passed: results.numPassedTests, failed: failed === 0 && status !== 0 ? 1 : failed }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * `npm test`: all checks and all suites. `npm test -- <jest arguments>`: only the suites that they select.
 * `--totals=<file>` writes how many passed and failed to a file.
 */
async function test(given: string[], signal: AbortSignal): Promise<number> {
  const totalsFile = given.find((argument) => argument.startsWith('--totals='))?.slice('--totals='.length)
  const jestArguments = given.filter((argument) => !argument.startsWith('--totals='))
  const checks = jestArguments.length === 0 ? runChecks() : { passed: 0, failed: 0 }
  signal.throwIfAborted()
  const suites = await runSuites(jestArguments, totalsFile !== undefined, signal)
  const passed = checks.passed + suites.passed
  const failed = checks.failed + suites.failed
  if (totalsFile) await writeFile(totalsFile, `${passed} passed, ${failed} failed\n`)
  return failed === 0 ? 0 : 1
}

await runUntilStopped((signal) => test(process.argv.slice(2), signal))
