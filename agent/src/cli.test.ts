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

  test('groups the commands, and begins with examples of the usual steps', async () => {
    const { stdout } = await koko(['--help'])
    expect(stdout).toMatch(/^Set up:\n {2}init .*^Share and stop sharing:\n {2}publish .*^Find peers:\n/ms)
    expect(stdout).toMatch(/^Examples:\n {2}koko init .*\n {2}koko profile edit .*\n {2}koko link telegram /m)
  })

  test.each([[[]], [['help']], [['--quiet']]])('is what %j shows, with exit code 0', async (given) => {
    expect(await koko(given)).toEqual(await koko(['--help']))
  })

  test('of a command is what `koko help <command>` shows', async () => {
    const shown = await koko(['help', 'publish'])
    expect(shown).toEqual(await koko(['publish', '--help']))
    expect(shown).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^Usage: koko publish /) })
  })

  test.each([...commands])('of %s has examples, which the command line accepts', async (name, load) => {
    const { examples } = await load()
    expect(examples).not.toEqual([])
    const { stdout } = await koko([name, '--help'])
    for (const example of examples) {
      expect(stdout).toContain(`\n  koko ${example}\n`)
      const [line = ''] = example.split(/ [<>] /)
      const { exitCode, stderr } = await koko([...line.split(' '), '--help'])
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    }
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
    expect(stderr).toMatch(/^✗ There is no agent in .+ yet\. Run `koko init`.*\n$/)
  })

  test('is an object with --json, wherever that stands', async () => {
    const after = await koko(['publish', '--json'])
    const before = await koko(['--json', 'publish'])
    const withoutFolder = (ran: Ran) => ran.stderr.replace(/agent in \S+/, 'agent in a folder')
    expect(withoutFolder(before)).toBe(withoutFolder(after))
    expect(JSON.parse(after.stderr)).toEqual({
      error: { code: 'failed-precondition', message: expect.any(String), next: expect.any(String) },
    })
    expect(after.exitCode).toBe(1)
  })

  test.each([
    [['pubish'], 'There is no such command (Did you mean publish?).'],
    [['help', 'pubish'], 'There is no such command (Did you mean publish?).'],
    [['unlink'], "Missing required argument 'channel'."],
    [['run', '--discover-at', '25:00'], '--discover-at must be a time of day from 00:00 to 23:59, such as 09:00.'],
    [['status', '--verbose'], 'There is no such option.'],
    [['peer', 'a', 'b'], "Too many arguments for 'peer'. Expected 1 argument but got 2."],
  ])('of the command line %j: %s', async (given, message) => {
    const { exitCode, stdout, stderr } = await koko(given)
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toMatch(/ See `(koko )?--help`\.\n$/)
    expect(stderr.slice(0, stderr.indexOf(' See `'))).toBe(`✗ ${message}`)
  })

  test.each<[given: readonly string[], code: string, system: Partial<System>]>([
    [[], 'invalid-argument', {}],
    [['pubish'], 'invalid-argument', {}],
    [['run', '--discover-at', '25:00'], 'invalid-argument', {}],
    [['publish'], 'failed-precondition', {}],
    [['unlink', 'fax'], 'invalid-argument', {}],
    [['link', 'whatsapp', '+12025550123'], 'confirmation-required', {}],
    [['link', 'telegram', 'no'], 'invalid-argument', {}],
    [['init', '--directory', 'https://directory.example'], 'unavailable', {}],
    [['init', '--directory', 'https://directory.example'], 'cancelled', { signal: AbortSignal.abort() }],
  ])('has a stable code with --json: %j is %s', async (given, code, system) => {
    const { exitCode, stderr } = await koko([...given, '--json'], system)
    expect(exitCode).toBe(1)
    expect(JSON.parse(stderr)).toMatchObject({ error: { code } })
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

describe('a defect', () => {
  function failing(): PassThrough {
    const stdout = new PassThrough()
    stdout.write = () => {
      throw new RangeError('+447700900123')
    }
    return stdout
  }

  test('is exit code 2, and tells where it is but nothing of what koko was working on', async () => {
    const { exitCode, stderr } = await koko(['status'], { stdout: failing() })
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/^koko had an internal error \(RangeError\)\. Please report this:\n\s+at /)
    expect(stderr).not.toContain('7700900')
  })

  test('is an object with --json too', async () => {
    const { exitCode, stderr } = await koko(['status', '--json'], { stdout: failing() })
    expect(exitCode).toBe(2)
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'internal', message: 'koko had an internal error (RangeError).', next: expect.any(String) },
    })
    expect(stderr).not.toContain('7700900')
  })
})

test('an option for several values may be given several times', async () => {
  const { stderr } = await koko(['publish', '--only', 'fax', '--only', 'telegram'])
  expect(stderr).toContain('There is no such channel.')
})

describe('--quiet', () => {
  test('prints nothing if all was done as asked, and --json its value all the same', async () => {
    expect(await koko(['--quiet', 'link', 'telegram', 'my_agent'])).toEqual({ exitCode: 0, stdout: '', stderr: '' })
    const { stdout } = await koko(['link', 'telegram', 'my_agent', '-q', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ channel: 'telegram', handle: 'my_agent' })
  })

  test('prints what was asked for, and every failure', async () => {
    expect((await koko(['status', '-q'])).stdout).toContain('There is no agent here yet')
    const failing = ['init', '--directory', 'https://directory.example']
    expect(await koko([...failing, '-q'])).toEqual(await koko(failing))
  })
})

describe('KOKO_HOME', () => {
  test.each([
    ['~', '/home/you'],
    ['~/agents/one', '/home/you/agents/one'],
    ['/srv/~/koko', '/srv/~/koko'],
    ['', '/home/you/.koko'],
  ])('%j is %s', async (given, path) => {
    const { stderr } = await koko(['publish'], { env: { HOME: '/home/you', KOKO_HOME: given } })
    expect(stderr).toContain(`There is no agent in ${path} yet.`)
  })
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
