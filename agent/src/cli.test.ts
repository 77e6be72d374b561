import { describe, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import manifest from '../package.json' with { type: 'json' }
import { commands, runCli, type System } from './cli.ts'

interface Ran {
  exitCode: number
  stdout: string
  stderr: string
}

/** Runs a command line in a home of its own, with no directory to be reached. */
async function koko(given: readonly string[], system: Partial<System> & { isTerminal?: boolean } = {}): Promise<Ran> {
  const home = await mkdtemp(join(tmpdir(), 'koko-cli-'))
  const { isTerminal = false, env, ...rest } = system
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() }
  streams.stdin.end()
  try {
    const exitCode = await runCli({
      arguments: given,
      env: { KOKO_HOME: join(home, 'koko'), ...env },
      stdin: Object.assign(streams.stdin, { isTTY: isTerminal }),
      stdout: Object.assign(streams.stdout, { isTTY: isTerminal }),
      stderr: Object.assign(streams.stderr, { isTTY: isTerminal }),
      fetch: () => Promise.reject(new TypeError('fetch failed')),
      openPage: () => Promise.resolve(false),
      nowMs: () => Date.UTC(2026, 10, 21, 12),
      signal: new AbortController().signal,
      ...rest,
    })
    return { exitCode, stdout: String(streams.stdout.read() ?? ''), stderr: String(streams.stderr.read() ?? '') }
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

test('says its version', async () => {
  expect(await koko(['--version'])).toEqual({ exitCode: 0, stdout: `${manifest.version}\n`, stderr: '' })
})

describe('help', () => {
  test('names every command', async () => {
    const { exitCode, stdout } = await koko(['--help'])
    expect(exitCode).toBe(0)
    for (const name of commands.keys()) expect(stdout).toContain(`\n  ${name} `)
  })

  test.each([...commands])('of %s names every argument and option, and runs nothing', async (name, load) => {
    const { summary, arguments: given, options } = await load()
    const { exitCode, stdout, stderr } = await koko([name, '--help'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    const text = stdout.replaceAll(/\s+/g, ' ')
    expect(text).toContain(
      `Usage: koko ${[name, '[options]', ...given.map(({ syntax }) => syntax)].join(' ')} ${summary}`,
    )
    for (const { syntax, description } of options) expect(text).toContain(`${syntax} ${description}`)
    for (const { description } of given) expect(text).toContain(description)
    expect(stdout).toContain('--json')
  })

  test('describes every argument and option', async () => {
    for (const load of commands.values()) {
      const { arguments: given, options } = await load()
      for (const { description } of [...given, ...options]) expect(description).toMatch(/^[^ ].*[^.]$/)
    }
  })
})

describe('an expected failure', () => {
  test('is one line that says what to do next, and exit code 1', async () => {
    const { exitCode, stdout, stderr } = await koko(['publish'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toMatch(/^✗ No agent lives in .+ yet\. Run `koko init`.*\n$/)
  })

  test('is an object with --json, wherever that stands', async () => {
    const after = await koko(['publish', '--json'])
    const before = await koko(['--json', 'publish'])
    const withoutFolder = (ran: Ran) => ran.stderr.replace(/lives in \S+/, 'lives in a folder')
    expect(withoutFolder(before)).toBe(withoutFolder(after))
    expect(JSON.parse(after.stderr)).toEqual({ error: { message: expect.any(String), next: expect.any(String) } })
    expect(after.exitCode).toBe(1)
  })

  test.each([
    [[], 'No command was given.'],
    [['pubish'], 'There is no such command (Did you mean publish?).'],
    [['link', 'whatsapp'], "Missing required argument 'handle'."],
    [['status', '--verbose'], 'There is no such option.'],
    [['peer', 'a', 'b'], "Too many arguments for 'peer'. Expected 1 argument but got 2."],
  ])('of the command line %j: %s', async (given, message) => {
    expect(await koko(given)).toEqual({ exitCode: 1, stdout: '', stderr: `✗ ${message} See \`koko --help\`.\n` })
  })

  test.each([
    [['+447700900123']],
    [['link', '--to', '+447700900123']],
    [['link', '--to=+447700900123', 'whatsapp', '+447700900123']],
    [['link', 'whatsapp', '+44 7700 900 12']],
    [['link', 'whatsapp', '+447700900123', '+447700900123']],
  ])('never repeats what was typed: %j', async (given) => {
    const { exitCode, stdout, stderr } = await koko(given)
    expect(exitCode).toBe(1)
    expect(`${stdout}${stderr}`.replaceAll(/\D/g, '')).not.toContain('7700900')
  })
})

test('a defect is exit code 2, and tells where it is but nothing of what koko was working on', async () => {
  const stdout = new PassThrough()
  stdout.write = () => {
    throw new RangeError('+447700900123')
  }
  const { exitCode, stderr } = await koko(['status'], { stdout })
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(/^koko failed unexpectedly \(RangeError\)\. Please report this:\n\s+at /)
  expect(stderr).not.toContain('7700900')
})

describe('colours', () => {
  const failing = (env: System['env']) => koko(['publish'], { isTerminal: true, env })

  test('are for a terminal', async () => {
    const { stderr } = await failing({})
    expect(stripVTControlCharacters(stderr)).not.toBe(stderr)
  })

  test.each([{ NO_COLOR: '1' }, { TERM: 'dumb' }])('and not where it says %j', async (env) => {
    const { stderr } = await failing(env)
    // eslint-disable-next-line no-control-regex
    expect(stderr.replace(/^\r?\u001b\[2K/, '')).toBe(stripVTControlCharacters(stderr))
  })
})
