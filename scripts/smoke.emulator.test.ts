import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { wholeDatabase } from '../testing/whole-database.ts'
import { republishNow } from '../testing/schedule.ts'
import { runSmoke } from './smoke.ts'

const origin = process.env.KOKO_ORIGIN ?? 'http://127.0.0.1:5000'
const project = process.env.GCLOUD_PROJECT ?? 'demo-koko'
const options = { signal: new AbortController().signal, report: () => undefined }

test('the smoke run passes on a working directory, and leaves nothing behind', async () => {
  const republished: Promise<unknown>[] = []
  const steps = await runSmoke(origin, {
    ...options,
    // Runs the republish without waiting for the next minute.
    report(line) {
      if (line.startsWith('publish')) republished.push(republishNow())
    },
  })
  await Promise.all(republished)
  expect(steps.map(({ name }) => name)).toEqual([
    'pages',
    'config',
    'register',
    'publish',
    'discover',
    'unlink',
    'settings',
    'unregister',
    'health',
  ])
  await republishNow()
  const left = [...(await wholeDatabase(project))].filter(([, text]) => /1r23|smoke_|447700900987/.test(text))
  expect(left).toEqual([])
}, 180_000)

/** The stack's answers, except where a test replaces one. */
let server: Server
let broken: (path: string) => { status: number; body: unknown } | undefined = () => undefined
beforeAll(async () => {
  server = createServer((request, response) => {
    const answer = async () => {
      const path = request.url ?? '/'
      const instead = broken(path)
      if (instead !== undefined) {
        return response
          .writeHead(instead.status, { 'content-type': 'application/json' })
          .end(JSON.stringify(instead.body))
      }
      const chunks: Uint8Array[] = []
      for await (const chunk of request) chunks.push(chunk as Uint8Array)
      const { authorization } = request.headers
      const passed = await fetch(`${origin}${path}`, {
        method: request.method ?? 'GET',
        headers: { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) },
        ...(request.method === 'POST' ? { body: Buffer.concat(chunks) } : {}),
      })
      return response.writeHead(passed.status, { 'content-type': 'application/json' }).end(await passed.text())
    }
    void answer()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

test.each([
  ['pages', (path: string) => path === '/report', { status: 404, body: {} }],
  ['config', (path: string) => path === '/api/v1/config', { status: 500, body: {} }],
  ['discover', (path: string) => path.endsWith(':discover'), { status: 503, body: {} }],
] as const)(
  'the smoke run names the failed step and what to check, and unregisters: %s',
  async (name, at, answer) => {
    broken = (path) => (at(path) ? answer : undefined)
    const { port } = server.address() as AddressInfo
    await expect(runSmoke(`http://127.0.0.1:${port}`, options)).rejects.toThrow(
      new RegExp(`^smoke: ${name}: .+\n.+\\?`),
    )
    const left = [...(await wholeDatabase(project))].filter(
      ([path, text]) => path.startsWith('mcpDirectory') && text.includes('1r23'),
    )
    expect(left).toEqual([])
  },
  60_000,
)
