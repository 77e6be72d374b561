import { afterEach, expect, test } from '@jest/globals'
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { freshFolder } from './context.ts'

type Server = ChildProcessByStdio<Writable, Readable, Readable>

const koko = new URL('../src/koko.ts', import.meta.url).pathname
const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'tests', version: '1.0.0' } },
}
const callProfile = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'get_profile', arguments: {} } }

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.kill('SIGKILL')
})

async function start(...options: string[]): Promise<Server> {
  const server = spawn(process.execPath, [koko, 'mcp', ...options], {
    env: { ...process.env, KOKO_HOME: await freshFolder(), NODE_OPTIONS: '' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  servers.push(server)
  return server
}

function send(server: Server, ...messages: object[]): void {
  for (const message of messages) server.stdin.write(`${JSON.stringify(message)}\n`)
}

/** Resolves once so many lines were written to the standard output. */
async function lines(server: Server, count: number): Promise<string[]> {
  let all = ''
  for await (const chunk of server.stdout.iterator({ destroyOnReturn: false })) {
    all += String(chunk)
    if (all.split('\n').length > count) break
  }
  return all.trimEnd().split('\n')
}

test('the server writes the protocol to its standard output, and nothing else', async () => {
  const server = await start()
  const said = text(server.stderr)
  send(server, initialize, callProfile)
  server.stdin.write('this is no message\n')
  const answers = (await lines(server, 2)).map((line) => JSON.parse(line) as { id: number })
  expect(answers.map(({ id }) => id).sort()).toEqual([1, 2])
  const rest = text(server.stdout)
  server.stdin.end()
  expect(await rest).toBe('')
  expect(await said).not.toContain('no message')
}, 30_000)

test('`koko mcp --read-only` serves only the tools that change nothing', async () => {
  const server = await start('--read-only')
  send(server, initialize, { jsonrpc: '2.0', id: 2, method: 'tools/list', params: {} })
  const answers = (await lines(server, 2)).map((line) => JSON.parse(line) as { id: number; result: unknown })
  expect(answers.find(({ id }) => id === 2)).toMatchObject({
    result: { tools: [{ name: 'get_status' }, { name: 'get_profile' }, { name: 'list_peers' }] },
  })
}, 30_000)

test('the server exits with 0 when its client disconnects', async () => {
  const server = await start()
  send(server, initialize)
  await lines(server, 1)
  server.stdin.end()
  expect(await once(server, 'exit')).toEqual([0, null])
}, 30_000)

test('the server exits with 0 when it is asked to stop', async () => {
  const server = await start()
  send(server, initialize)
  await lines(server, 1)
  server.kill('SIGTERM')
  expect(await once(server, 'exit')).toEqual([0, null])
}, 30_000)
