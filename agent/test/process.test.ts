import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { buildAgent } from '../../scripts/build-agent.ts'
import { serveTestDirectory, type ServedDirectory } from '../../testing/served-directory.ts'
import { openHome } from '../src/home/home.ts'
import { createListed } from './agents.ts'
import { freshFolder, type TestContext } from './context.ts'

// The real process, with the pipes, signals and answers that it meets outside of tests.
jest.setTimeout(60_000)

const handles = { telegram: 'a_fictional_name', whatsapp: '+12025550123' }

let folder: string
let koko: string
let served: ServedDirectory
let context: TestContext
let agentId: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'koko-process-'))
  await buildAgent(folder)
  koko = join(folder, 'koko.js')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

beforeEach(async () => {
  served = await serveTestDirectory()
  const listed = await createListed({ directory: served.directory, home: await freshFolder() }, handles)
  context = listed.context
  agentId = listed.agent.agentId
})
afterEach(async () => {
  await served[Symbol.asyncDispose]()
})

const env = () => ({ PATH: process.env.PATH, KOKO_HOME: context.home.path })
const listed = () =>
  served.directory.world.store.all().get(`mcpDirectory/dating/agents/${agentId}`) as { channels: object } | undefined

function start(given: readonly string[], node = process.execPath): ChildProcess & { said: () => string } {
  const child = spawn(node, [koko, ...given], { env: env(), stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part) => (text += String(part)))
  return Object.assign(child, { said: () => text })
}

async function saying(child: ReturnType<typeof start>, text: string): Promise<void> {
  while (!child.said().includes(text)) {
    if (child.exitCode !== null) throw new Error(`It ended without saying "${text}": ${child.said()}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Every Node of this machine; koko supports Node 20, which behaves differently in places. */
async function nodes(): Promise<string[]> {
  const found = (process.env.PATH ?? '')
    .split(delimiter)
    .map((path) => realpath(join(path, 'node')).catch(() => process.execPath))
  return [...new Set(await Promise.all(found))]
}

describe('a closed pipe stops no operation', () => {
  test('as in `koko unlink whatsapp --yes 2>&1 | true`', async () => {
    const outcome = join(folder, 'outcome')
    const command = `{ "$0" "$1" unlink whatsapp --yes --no-wait; echo $? >"$2"; } 2>&1 | true; while [ ! -s "$2" ]; do :; done`
    const shell = spawn('sh', ['-c', command, process.execPath, koko, outcome], { env: env(), stdio: 'ignore' })
    await once(shell, 'close')
    expect(listed()?.channels).toEqual({ telegram: handles.telegram })
    expect(await readFile(outcome, 'utf8')).toBe('0\n')
  })

  test.each([
    ['done', ['unlink', 'whatsapp', '--yes', '--no-wait', '--json'], 0],
    ['not done', ['peer', 'ffffffff'], 1],
  ] as const)('and the exit code still says that it was %s', async (_, given, code) => {
    const child = spawn(process.execPath, [koko, ...given], { env: env(), stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    child.stderr.destroy()
    expect(await once(child, 'close')).toEqual([code, null])
  })
})

test('an unlink of a process that was killed before the answer is sent by the next command', async () => {
  served.directory.intercept = ({ name }, answer) =>
    name === 'unlinkChannel' ? new Promise(() => undefined) : answer()
  const killed = start(['unlink', 'whatsapp', '--yes'])
  const isSent = () => served.directory.requests.some(({ name }) => name === 'unlinkChannel')
  while (!isSent()) await new Promise((resolve) => setImmediate(resolve))
  killed.kill('SIGKILL')
  expect(await once(killed, 'close')).toEqual([null, 'SIGKILL'])
  expect(listed()?.channels).toEqual(handles)
  served.directory.intercept = (_request, answer) => answer()
  expect(await once(start(['export']), 'close')).toEqual([0, null])
  expect(listed()?.channels).toEqual({ telegram: handles.telegram })
})

test('output that finds no room on its disk is no success', async () => {
  await using full = await open('/dev/full', 'w')
  const child = spawn(process.execPath, [koko, 'export'], { env: env(), stdio: ['ignore', full.fd, 'pipe'] })
  let said = ''
  child.stderr?.on('data', (part) => (said += String(part)))
  expect(await once(child, 'close')).toEqual([1, null])
  expect(said).toContain('its output could not be written')
})

describe('Ctrl-C', () => {
  test.each(['headers', 'body'] as const)('ends the wait for the %s of an answer, on every Node', async (part) => {
    for (const node of await nodes()) {
      served.directory.requests.length = 0
      served.directory.intercept = ({ name }, answer) => {
        if (name !== 'exportAgent') return answer()
        const endless = new Response(new ReadableStream<Uint8Array>())
        return part === 'body' ? Promise.resolve(endless) : new Promise(() => undefined)
      }
      const child = start(['export'], node)
      const isStalled = () => served.directory.requests.some(({ name }) => name === 'exportAgent')
      while (!isStalled()) await new Promise((resolve) => setImmediate(resolve))
      child.kill('SIGINT')
      expect([node, await once(child, 'close'), child.said()]).toEqual([
        node,
        [1, null],
        '✗ Stopped. Run the command again to continue.\n',
      ])
    }
  })

  test('a second time ends it at once, whatever it does', async () => {
    await openHome(context.home.path).locked('files', 0, async () => {
      const child = start(['unlink', 'whatsapp', '--yes'])
      await saying(child, 'Unlinking WhatsApp')
      child.kill('SIGINT')
      child.kill('SIGTERM')
      expect(await once(child, 'close')).toEqual([1, null])
      expect(child.said()).toBe('Unlinking WhatsApp\n')
    })
  })
})
