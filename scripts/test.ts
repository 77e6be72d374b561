import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './stack/addresses.ts'
import { reportFailure } from './failure.ts'
import { watchStopSignals } from './signals.ts'
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

/** Runs the suites in one go, those on the emulators with the rest, so that there is one summary. */
async function runSuites(jestArguments: string[], isCounted: boolean, signal: AbortSignal): Promise<Totals> {
  const folder = await mkdtemp(join(tmpdir(), 'koko-test-'))
  try {
    const outputFile = join(folder, 'results.json')
    const jest: [string, ...string[]] = [
      process.execPath,
      // Jest's way to native modules, which it announces as experimental in every process.
      ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
      join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
      // Jest's own choice is one worker less than there are cores: on two cores a single one, and three times as long.
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
    // A run that failed for another reason, as one that found no test, has failed all the same.
    return { passed: results.numPassedTests, failed: failed === 0 && status !== 0 ? 1 : failed }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * `npm test`: all checks and all suites. `npm test -- <jest arguments>`: only the suites these select. With
 * `--totals=<file>` what has passed and failed is written there.
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

const signal = watchStopSignals()
try {
  process.exitCode = await test(process.argv.slice(2), signal)
} catch (error) {
  process.exitCode = reportFailure(error, signal)
}
