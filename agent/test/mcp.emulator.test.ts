import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { hostingOrigin, root } from '../../scripts/stack/addresses.ts'
import { buildAgent } from '../../scripts/build-agent.ts'
import { pauseSchedule, republishNow } from '../../testing/schedule.ts'
import { fullProfile as profile } from '../../testing/samples.ts'
import { agentFile } from '../src/home/files.ts'
import { openHome } from '../src/home/home.ts'
import { consents, createOperator, entry, type Operator } from './operator.ts'

jest.setTimeout(300_000)

const inspector = join(root, 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js')

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'koko-mcp-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

interface Assistant extends AsyncDisposable {
  call: (name: string, input?: Record<string, unknown>) => Promise<unknown>
  asked: string[]
  /** What the server sent, but for the questions to the operator. */
  received: string[]
  log: () => string
}

/** The official client at a server that it starts as a process, and an operator who says yes to every question. */
async function createAssistant(
  { home }: Operator,
  { program, env = {}, mode }: { program: string; env?: Record<string, string>; mode: 'legacy' | { pin: string } },
): Promise<Assistant> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [program, 'mcp'],
    env: { PATH: process.env.PATH ?? '', KOKO_HOME: home, ...env },
    stderr: 'pipe',
  })
  let log = ''
  transport.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()))
  const client = new Client(
    { name: 'a client of the tests', version: '1.0.0' },
    { capabilities: { elicitation: { form: {} } }, versionNegotiation: { mode } },
  )
  const asked: string[] = []
  client.setRequestHandler('elicitation/create', ({ params }) => {
    asked.push(params.message)
    return { action: 'accept', content: { answer: 'yes' } }
  })
  const faults: Error[] = []
  client.onerror = (error) => void faults.push(error)
  await client.connect(transport)
  const received: string[] = []
  const deliver = transport.onmessage
  transport.onmessage = (message) => {
    const words = JSON.stringify(message)
    if (!words.includes('elicitation/create')) received.push(words)
    deliver?.(message)
  }
  return {
    asked,
    received,
    log: () => log,
    async call(name, input = {}) {
      const { structuredContent, content } = await client.callTool({ name, arguments: input })
      return structuredContent ?? JSON.stringify(content)
    },
    async [Symbol.asyncDispose]() {
      await client.close()
      expect(faults).toEqual([])
    },
  }
}

/** The inspector's command line, at a server that it starts. */
async function inspect({ home }: Operator, ...given: string[]): Promise<unknown> {
  const target = [process.execPath, entry, 'mcp']
  const child = spawn(
    process.execPath,
    [inspector, '--cli', ...target, '-e', `KOKO_HOME=${home}`, '--format', 'json', '--quiet', ...given],
    { env: { PATH: process.env.PATH ?? '', HOME: folder }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const said = Promise.all([text(child.stdout), text(child.stderr)])
  const [exitCode] = (await once(child, 'exit')) as [number | null]
  const [stdout, stderr] = await said
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  return (JSON.parse(stdout) as { result: unknown }).result
}

async function lookUntilFound(assistant: Assistant, agentId: string): Promise<unknown> {
  for (let tries = 0; tries < 10; tries += 1) {
    const { matches } = (await assistant.call('discover_peers')) as { matches: { agentId: string }[] }
    const found = matches.find((match) => match.agentId === agentId)
    if (found !== undefined) return found
    await delay(1_500)
  }
  throw new Error('the peer was not found')
}

test('two assistants publish, find each other, unlink and leave, and neither learns a secret', async () => {
  await buildAgent(folder)
  const browser = join(folder, 'browser.sh')
  const opened = join(folder, 'opened')
  await writeFile(browser, `#!/bin/sh\nprintf '%s' "$1" > '${opened}'\n`)
  await chmod(browser, 0o755)

  await using ada = await createOperator(hostingOrigin)
  await using bea = await createOperator(hostingOrigin)
  const agents = await Promise.all(
    [ada, bea].map(async (operator) => (await operator.value('init', ...consents)) as { agentId: string }),
  )
  const [adaId, beaId] = agents.map(({ agentId }) => agentId) as [string, string]
  await ada.value('link', 'telegram', '@ada_of_the_assistants', '--yes')
  await bea.value('link', 'telegram', '@bea_of_the_assistants', '--yes')
  const secrets = await Promise.all([ada, bea].map(async ({ home }) => (await openHome(home).read(agentFile))?.secret))

  // One through the bundle and one through the sources, one with a client of 2025 and one of 2026.
  const bundle = { program: join(folder, 'koko.js'), mode: { pin: '2026-07-28' }, env: { BROWSER: browser } }
  await using hers = await createAssistant(ada, bundle)
  await using theirs = await createAssistant(bea, { program: entry, mode: 'legacy' })
  for (const assistant of [hers, theirs]) {
    expect(await assistant.call('edit_profile', profile)).toEqual({ profile, published: 'by you' })
    expect(await assistant.call('publish_listing', { dryRun: true })).toMatchObject({ newHandles: ['telegram'] })
    expect(await assistant.call('publish_listing', { dryRun: false })).toMatchObject({ outcome: 'published' })
    expect(assistant.asked).toHaveLength(1)
  }
  expect(hers.asked[0]).toContain('ada_of_the_assistants')
  await republishNow()

  expect(await lookUntilFound(hers, beaId)).toMatchObject({ channels: ['telegram'] })
  expect(await lookUntilFound(theirs, adaId)).toMatchObject({ channels: ['telegram'] })
  expect(hers.received.join('\n')).not.toContain('bea_of_the_assistants')
  expect(await hers.call('get_peer', { agentId: beaId })).toMatchObject({
    match: { channels: [{ handle: 'bea_of_the_assistants' }] },
  })

  const inspected = (await inspect(ada, '--method', 'tools/list', '--strict')) as { tools: { name: string }[] }
  expect(inspected.tools.map(({ name }) => name)).toContain('discover_peers')
  expect(await inspect(ada, '--method', 'tools/call', '--tool-name', 'get_status')).toMatchObject({
    structuredContent: {
      status: { agent: { agentId: adaId }, channels: [{ channel: 'telegram', state: 'published' }] },
    },
  })

  // While nothing rewrites the shards.
  await using paused = await pauseSchedule()
  const unlinked = (await theirs.call('unlink_channel', { channel: 'telegram' })) as { goneByMs: number }
  expect(unlinked).toMatchObject({ channel: 'telegram' })
  await delay(Math.max(0, unlinked.goneByMs - Date.now()))
  const seen = hers.received.length
  // Agents of other suites are in the room too.
  const { matches } = (await hers.call('discover_peers', { limit: 200 })) as { matches: { agentId: string }[] }
  expect(matches.map(({ agentId }) => agentId)).not.toContain(beaId)
  expect(await hers.call('get_peer', { agentId: beaId })).toEqual({ agentId: beaId, found: false })
  expect(hers.received.slice(seen).join('\n')).not.toContain('bea_of_the_assistants')
  await paused.resume()

  await hers.call('open_settings')
  for (let tries = 0; tries < 50 && !(await readFile(opened, 'utf8').catch(() => '')).includes('#code='); tries += 1) {
    await delay(100)
  }
  expect(await readFile(opened, 'utf8')).toContain('/settings#code=')

  expect(await hers.call('unregister_agent')).toEqual({ outcome: 'unregistered', wasGone: false })
  expect(hers.asked).toHaveLength(2)

  const words = [hers, theirs].flatMap(({ received, log }) => [...received, log()]).join('\n')
  const traces = [...secrets, '#code=', 'ada_of_the_assistants']
  expect(traces.filter((trace) => trace === undefined || words.includes(trace))).toEqual([])
})
