import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hostingOrigin } from '../../scripts/stack/addresses.ts'
import { commands } from '../src/cli.ts'
import { agentFile, homeFiles, type Agent } from '../src/home/files.ts'
import { openHome } from '../src/home/home.ts'
import { fullDisk, readOnlyDisk, type BadDisk } from './disks.ts'
import { consents, createOperator, entry, profileOptions, type Operator, type Ran } from './operator.ts'

// Every command, where something it needs is not there. Whatever it does, it says so in one line, and no file is harmed.
jest.setTimeout(240_000)

const number = '+447700900631'
const stranger = '6f1f7b0e-5b5c-4a53-8a4e-0123456789ab'

/** How each command is tried, and what it reads. */
const tries: Record<string, { given: string[]; input?: (agent: Agent) => string }> = {
  init: { given: ['init', ...consents, '--again'] },
  restore: { given: ['restore', '--agent', stranger], input: ({ secret }) => `${secret}\n` },
  profile: { given: ['profile', 'edit', '--age', '35'] },
  channels: { given: ['channels'] },
  link: { given: ['link', 'discord', '123456789012345678', '--yes'] },
  unlink: { given: ['unlink', 'telegram', '--yes', '--no-wait'] },
  publish: { given: ['publish', '--yes'] },
  discover: { given: ['discover'] },
  peer: { given: ['peer', stranger] },
  run: { given: ['run', '--once'] },
  status: { given: ['status'] },
  settings: { given: ['settings', '--no-open'] },
  export: { given: ['export'] },
  rotate: { given: ['rotate', '--yes'] },
  unregister: { given: ['unregister', '--yes'] },
  peers: { given: ['peers'] },
  completion: { given: ['completion', 'bash'] },
  doctor: { given: ['doctor'] },
  mcp: { given: ['mcp'] },
}

let folder: string
let ada: Operator
let agent: Agent

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'koko-every-'))
  ada = await createOperator(hostingOrigin)
  await ada.value('init', ...consents)
  await ada.value('profile', 'edit', ...profileOptions)
  await ada.value('link', 'whatsapp', number, '--yes')
  await ada.value('link', 'telegram', 'ada_of_every_command', '--yes')
  await ada.value('publish', '--yes')
  agent = await agentIn(ada.home)
})

afterEach(async () => {
  await ada[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

async function run(name: string, home: string, disk?: BadDisk): Promise<Ran> {
  const { given, input } = tries[name] ?? { given: [] }
  const command = [process.execPath, entry, ...given] as [string, ...string[]]
  const [program, ...rest] = disk?.command(command) ?? command
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      env: { PATH: process.env.PATH, KOKO_HOME: home, KOKO_DIRECTORY: agent.origin },
      stdio: 'pipe',
    })
    const said = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text))
    child.on('error', reject)
    child.on('close', (exitCode) => resolve({ exitCode, ...said }))
    child.stdin.on('error', () => undefined).end(input?.(agent) ?? '')
  })
}

/** Ends well, or says in one last line what happened and what to do; is never surprised, and repeats nothing private. */
function expectClear(name: string, { exitCode, stdout, stderr }: Ran): void {
  expect([name, exitCode, stderr]).toEqual([name, expect.any(Number), expect.not.stringContaining('internal error')])
  expect([0, 1]).toContain(exitCode)
  if (exitCode === 1 && stdout === '') expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^✗ [A-Z].+\. .*\.$/)
  for (const hidden of [number.slice(1), 'ada_of_every', agent.secret]) expect(stderr).not.toContain(hidden)
}

async function agentIn(home: string): Promise<Agent> {
  const kept = await openHome(home).read(agentFile)
  if (kept === undefined) throw new Error('there is no agent here')
  return kept
}

async function expectWhole(home: string): Promise<void> {
  for (const file of homeFiles) await openHome(home).read<object>(file)
}

/** The commands that did what they are for; the others said why not. */
function done(results: ReadonlyMap<string, Ran>): string[] {
  return [...results].flatMap(([name, { exitCode }]) => (exitCode === 0 ? [name] : []))
}

async function tryAll(homeOf: (name: string) => Promise<{ home: string; disk?: BadDisk }>): Promise<Map<string, Ran>> {
  const results = new Map<string, Ran>()
  for (const name of Object.keys(tries)) {
    const { home, disk } = await homeOf(name)
    const ran = await run(name, home, disk)
    expectClear(name, ran)
    await expectWhole(home)
    results.set(name, ran)
  }
  return results
}

async function copyOf(name: string): Promise<string> {
  const home = join(folder, name)
  await cp(ada.home, home, { recursive: true })
  return home
}

/** No disk prevents an unregister. What could not be removed is named. */
const leftHere = `The agent is gone from ${hostingOrigin}, but its files are still here`

describe('every command ends clearly and leaves the home whole', () => {
  test('all commands are tried', () => {
    expect(Object.keys(tries).sort()).toEqual([...commands.keys()].sort())
  })

  test('with no directory', async () => {
    const results = await tryAll(async (name) => {
      const home = await copyOf(`down-${name}`)
      await openHome(home).change(({ write }) => write(agentFile, { ...agent, origin: 'http://127.0.0.1:9' }))
      return { home }
    })
    expect(done(results)).toEqual(['profile', 'channels', 'link', 'status', 'peers', 'completion', 'mcp'])
  })

  test('with a home on a read-only disk', async () => {
    await using disk = await readOnlyDisk((path) => cp(ada.home, path, { recursive: true }))
    const before = await readFile(join(disk.path, 'agent.json'), 'utf8')
    const results = await tryAll(() => Promise.resolve({ home: disk.path, disk }))
    expect(done(results)).toEqual(['channels', 'unlink', 'status', 'settings', 'export', 'peers', 'completion', 'mcp'])
    expect(results.get('unregister')?.stderr).toContain(leftHere)
    expect(await readFile(join(disk.path, 'agent.json'), 'utf8')).toBe(before)
  })

  test('with a home on a full disk', async () => {
    await using disk = await fullDisk((path) => cp(ada.home, path, { recursive: true }))
    const before = await readFile(join(disk.path, 'agent.json'), 'utf8')
    const results = await tryAll(() => Promise.resolve({ home: disk.path, disk }))
    expect(done(results)).toEqual(['channels', 'unlink', 'status', 'settings', 'export', 'peers', 'completion', 'mcp'])
    expect(results.get('unregister')?.stderr).toContain(leftHere)
    expect(await readFile(join(disk.path, 'agent.json'), 'utf8')).toBe(before)
  })

  test('with a secret that was replaced', async () => {
    const home = await copyOf('elsewhere')
    const { exitCode } = await run('rotate', home)
    expect(exitCode).toBe(0)
    const results = await tryAll(async (name) => ({ home: await copyOf(`replaced-${name}`) }))
    expect(done(results)).toEqual([
      'init',
      'profile',
      'channels',
      'link',
      'status',
      'unregister',
      'peers',
      'completion',
      'mcp',
    ])
    // The operator takes it up again with the new secret.
    const { secret } = await agentIn(home)
    const restored = await ada.run(['restore', '--agent', agent.agentId], { input: secret })
    expect(restored).toMatchObject({ exitCode: 0 })
  })
})
