import { errorCodes, maxBodyBytes } from '@koko/contract'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { channelsOf, profileOf } from '../../testing/deployed/agents.ts'
import { standInForGoogle, type Google } from '../../testing/deployed/google.ts'
import { buildFolder, serve, webOrigin, type Served } from '../../testing/deployed/serve.ts'
import { registerWith } from '../../testing/register.ts'

const projectId = `demo-bytes-${process.pid}`
const timeoutMs = 60_000
const cleanUp = new AsyncDisposableStack()

let google: Google
let served: Served
let authorization: string

beforeAll(async () => {
  google = cleanUp.use(await standInForGoogle(projectId))
  const { folder } = cleanUp.use(await buildFolder())
  served = cleanUp.use(await serve(folder, projectId, google))
  await Promise.all(['createRegistrationChallenge', 'api', ...names].map(served.origin))
  const { agentId } = await registerWith(await served.client())
  authorization = `Bearer ${google.idToken(agentId)}`
  const client = await served.client({ idToken: google.idToken(agentId) })
  await client.call('publishProfile', publication())
}, timeoutMs)
afterAll(() => cleanUp.disposeAsync())

interface Sent {
  method?: string
  headers?: Record<string, string>
  /** A list is sent in chunks, without a length. */
  body?: string | Uint8Array | (string | Uint8Array)[]
}

const handle = 'handle_in_bytes'
const number = '+447700900199'
const secret = 'S'.repeat(43)
const json = { 'content-type': 'application/json' }
const marked = (data: unknown = {}) => JSON.stringify({ data, handle, number, secret })
const publication = () => ({ channels: channelsOf(7), profile: profileOf(7) })
const nested = (depth: number, core: string) => '['.repeat(depth) + core + ']'.repeat(depth)

/** What no function takes, each with something in it that must not be logged or answered. */
const refused: Record<string, Sent> = {
  'no JSON': { body: `handle=${handle}` },
  'JSON that is cut off': { body: marked().slice(0, -2) },
  'JSON that is cut off in a key': { body: `{"data": {"${handle}` },
  'JSON with something behind it': { body: `${marked()} ${number}` },
  'JSON with a comment': { body: `{"data": {} /* ${handle} */}` },
  'a number that JSON does not have': { body: `{"data": NaN, "${handle}": -Infinity}` },
  'bytes that are not UTF-8': {
    body: Buffer.concat([Buffer.from(`{"data": {"${handle}": "`), Buffer.from([0xff, 0xc0]), Buffer.from('"}}')]),
  },
  'JSON in UTF-16': {
    headers: { 'content-type': 'application/json; charset=utf-16le' },
    body: Buffer.from(marked(), 'utf16le'),
  },
  'JSON that is gzipped': { headers: { 'content-encoding': 'gzip' }, body: gzipSync(marked()) },
  'JSON that is deflated': { headers: { 'content-encoding': 'deflate' }, body: deflateSync(marked()) },
  'JSON that is packed by brotli': { headers: { 'content-encoding': 'br' }, body: brotliCompressSync(marked()) },
  'text that says it is gzipped': { headers: { 'content-encoding': 'gzip' }, body: marked() },
  'an unknown encoding': { headers: { 'content-encoding': handle }, body: marked() },
  'data and something else': { body: marked() },
  'data and an empty key': { body: `{"data": {}, "": "${handle}"}` },
  'data in another case': { body: `{"Data": {"telegram": "${handle}"}}` },
  'data twice, of which the last counts': { body: `{"data": {}, "data": "${handle}"}` },
  'nothing but null': { body: 'null' },
  'nothing but text': { body: `"${handle}"` },
  'nothing but a number': { body: '7700900199' },
  'a list': { body: `[{"data": "${handle}"}]` },
  'a prototype at the top': { body: `{"data": {}, "__proto__": {"telegram": "${handle}"}}` },
  'a prototype as data': { body: `{"__proto__": {"data": {"telegram": "${handle}"}}}` },
  'a prototype in the data': { body: `{"data": {"__proto__": {"telegram": "${handle}"}}}` },
  'a prototype in channels': { body: `{"data": {"channels": {"__proto__": {"telegram": "${handle}"}}}}` },
  'a prototype in a list': { body: `{"data": [[{"__proto__": "${handle}"}]]}` },
  'a prototype in escapes': { body: `{"data": {"\\u005f_prot\\u006f__": "${handle}"}}` },
  'a type at the top': { body: `{"@type": "${handle}", "data": {}}` },
  'a type in the data': { body: `{"data": {"@type": "type.googleapis.com/${handle}"}}` },
  'a long number of the platform': {
    body: `{"data": {"a": [{"@type": "type.googleapis.com/google.protobuf.Int64Value", "value": "${number}"}]}}`,
  },
  'lists 13 deep': { body: `{"data": ${nested(12, `"${handle}"`)}}` },
  'lists 30,000 deep': { body: nested(30_000, `"${handle}"`) },
  'objects 9,000 deep': { body: '{"a":'.repeat(9_000) + `"${handle}"` + '}'.repeat(9_000) },
  'a number beyond all numbers': { body: `{"data": 1e400, "${handle}": -1e400}` },
  'JSON that is cut off, in chunks': { body: ['{"data": {"tele', `gram": "${handle}`, number] },
}

const names = ['publishProfile', 'registerAgent'] as const

test.each(Object.entries(refused))('refuses %s', async (_what, sent) => {
  for (const name of names) expectRefused(await send(await callable(name), sent))
  expectProblem(await send(await discover(), sent), 400, 'INVALID_ARGUMENT')
})

test.each([
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=b',
  'application/cloudevents+json',
  'application/jsonp',
  'application/json+x',
  'text/json',
  'application/octet-stream',
  `${handle};;;=`,
  '',
])('refuses valid JSON that is sent as "%s"', async (type) => {
  const headers = { 'content-type': type }
  const body = JSON.stringify({ data: publication() })
  for (const name of names) expectRefused(await send(await callable(name), { headers, body }))
  expectProblem(await send(await discover(), { headers, body: '{}' }), 400, 'INVALID_ARGUMENT')
})

test('refuses a body without data, in a callable', async () => {
  for (const body of ['{}', '{"data"', '', [], '   ', `{"telegram": "${handle}"}`]) {
    for (const name of names) expectRefused(await send(await callable(name), { body }))
  }
})

test.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'QUERY'])('refuses %s', async (method) => {
  for (const name of names) {
    const answer = await send(await callable(name), { method, body: JSON.stringify({ data: publication() }) })
    expect(answer.status).toBe(400)
    if (method !== 'HEAD') expectRefused(answer)
  }
  const answer = await send(await discover(), { method, body: '{}' })
  expect([answer.status, answer.headers.allow]).toEqual([405, 'POST'])
  if (method !== 'HEAD') expectProblem(answer, 405, 'UNIMPLEMENTED')
})

test.each([
  ['with its length', (text: string) => text],
  ['in chunks', (text: string) => [text.slice(0, 1_000), text.slice(1_000)]],
])('refuses a body of 65 kB %s, however well formed', async (_how, body) => {
  const padded = (data: unknown) => `${JSON.stringify(data)}${' '.repeat(65_000)}`
  for (const name of names) {
    expectRefused(await send(await callable(name), { body: body(padded({ data: publication() })) }))
  }
  expectProblem(await send(await discover(), { body: body(padded({})) }), 413, 'INVALID_ARGUMENT')
})

test('refuses a body of 30 MB like one of 65 kB, without holding more of it in memory', async () => {
  const megabyte = Buffer.alloc(1_000_000, ' ')
  const body = [`{"data": "${handle}`, ...Array.from({ length: 30 }, () => megabyte), '"}']
  const peakBefore = await served.peakBytes('publishProfile')
  const answers = await Promise.all(
    Array.from({ length: 10 }, async () => send(await callable('publishProfile'), { body })),
  )
  answers.forEach(expectRefused)
  expect((await served.peakBytes('publishProfile')) - peakBefore).toBeLessThan(150_000_000)
  expectProblem(
    await send(await discover(), { body: Buffer.concat(body.map((part) => Buffer.from(part))) }),
    413,
    'INVALID_ARGUMENT',
  )
})

test('accepts a body of 64,000 bytes, in any pieces, with any parameter of its content type', async () => {
  const text = JSON.stringify({ data: publication() })
  const whole = text + ' '.repeat(maxBodyBytes - text.length)
  const headers = { 'content-type': 'Application/JSON; charset=UTF-8' }
  const pieces = [text.slice(0, 1), text.slice(1, 40), text.slice(40)]
  for (const body of [whole, pieces]) {
    expect(await send(await callable('publishProfile'), { headers, body })).toMatchObject({ status: 200 })
  }
})

test('names the path of an infinite number, and of malformed text', async () => {
  const text = JSON.stringify({ data: publication() }).replace('"age":41', '"age":1e400')
  const lone = JSON.stringify({ data: { ...publication(), channels: { telegram: 'LONE' } } }).replace('LONE', '\\ud800')
  expect(places(await send(await callable('publishProfile'), { body: text }))).toEqual(['profile.age'])
  expect(places(await send(await callable('publishProfile'), { body: lone }))).toEqual(['channels.telegram'])
  expect(places(await send(await discover(), { body: '{"pageSize": 1e400}' }))).toEqual(['pageSize'])
})

test('gives the ordinary answer to a client that asks for a stream', async () => {
  const accept = { accept: 'text/event-stream' }
  const bad = await send(await callable('publishProfile'), { headers: accept, body: marked() })
  expect(bad.text).toMatch(/^data: .*\n\n$/)
  expectRefused({ ...bad, status: 400, text: bad.text.slice('data: '.length) })
  const body = JSON.stringify({ data: publication() })
  const good = await send(await callable('publishProfile'), { headers: accept, body })
  expect(JSON.parse(good.text.slice('data: '.length))).toMatchObject({ result: { withheld: [] } })
})

test('survives a body that is shorter than its length, and an oversized header', async () => {
  for (const origin of [await callable('publishProfile'), await callable('registerAgent'), await discover()]) {
    await breakOff(origin, marked())
    const answer = await send(origin, { headers: { 'x-handle': handle.repeat(4_000) }, body: '{}' })
    expect(answer.status).toBe(431)
  }
  const body = JSON.stringify({ data: publication() })
  expect(await send(await callable('publishProfile'), { body })).toMatchObject({ status: 200 })
})

test('logs nothing of an upload that is broken off, and serves the next', async () => {
  const before = served.logs().length
  for (const origin of [await callable('publishProfile'), await discover()]) await breakOff(origin, marked())
  const body = JSON.stringify({ data: publication() })
  expect(await send(await callable('publishProfile'), { body })).toMatchObject({ status: 200 })
  expect(await send(await discover(), { body: '{}' })).toMatchObject({ status: 200 })
  expect(served.logs().slice(before)).not.toMatch(/abort|\n\s+at /)
})

test('names no software in its headers', async () => {
  for (const origin of [await callable('publishProfile'), await discover()]) {
    for (const url of [origin, new URL('/favicon.ico', origin).href, new URL('/nothing', origin).href]) {
      const { headers } = await send(url, { body: '{}' })
      expect(Object.keys(headers).filter((name) => /^(x-powered-by|server)$/.test(name))).toEqual([])
    }
  }
})

test.each(['/api/v1/rooms/%E0%A4%A/agents:discover', '/api/v1/%', '/%00', '//api/v1/config', '/api/v1/rooms/a/b', '/'])(
  'answers 404 at %s',
  async (path) => {
    const url = `${await served.origin('api')}${path}`
    expectProblem(await send(url, { body: '{}' }), 404, 'NOT_FOUND')
  },
)

test('ignores parameters in a URL, and does not repeat them', async () => {
  const answer = await send(`${await discover()}?telegram=${handle}`, { body: '{}' })
  expectProblem(answer, 400, 'INVALID_ARGUMENT')
})

const ours = [webOrigin, `https://${projectId}.web.app`, `https://${projectId}.firebaseapp.com`]
const theirs = [
  'https://elsewhere.example',
  `http://${projectId}.web.app`,
  `https://${projectId}.web.app.elsewhere.example`,
  `https://elsewhere.${projectId}.web.app`,
  `${webOrigin}.elsewhere.example`,
  `${webOrigin}:8443`,
  'null',
]

test.each([...ours, ...theirs])('lets a page of %s read a callable only if Hosting serves it', async (origin) => {
  const isOurs = ours.includes(origin)
  const url = await callable('publishProfile')
  const preflight = await send(url, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    },
  })
  const good = await send(url, { headers: { origin }, body: JSON.stringify({ data: publication() }) })
  const bad = await send(url, { headers: { origin }, body: marked() })
  const unsigned = await send(url, { headers: { origin, authorization: '' }, body: '{"data": {}}' })
  expect([preflight, good, bad, unsigned].map(({ status }) => status)).toEqual([204, 200, 400, 401])
  for (const answer of [preflight, good, bad, unsigned]) {
    expect(answer.headers['access-control-allow-origin']).toBe(isOurs ? origin : undefined)
    expect(answer.headers['access-control-allow-credentials']).toBeUndefined()
    expect(answer.headers.vary).toMatch(/\bOrigin\b/)
  }
})

test.each([...ours, ...theirs])('lets no page of %s read the HTTP API from another origin', async (origin) => {
  const preflight = await send(await discover(), {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST' },
  })
  const posted = await send(await discover(), { headers: { origin }, body: '{}' })
  expect([preflight.status, posted.status]).toEqual([405, 200])
  for (const answer of [preflight, posted]) expect(answer.headers['access-control-allow-origin']).toBeUndefined()
})

test('logs nothing of what was sent', () => {
  const logs = served.logs()
  const telling = [
    handle,
    number.slice(1),
    secret,
    authorization.split(' ')[1] ?? '',
    ...Object.values(channelsOf(7)),
    'nonbinary',
    'friendship',
    'maxDistanceKm',
    'elsewhere',
  ]
  expect(logs.length).toBeGreaterThan(10_000)
  expect(telling.filter((text) => logs.includes(text))).toEqual([])
  expect(google.refused).toEqual([])
})

interface Received {
  status: number
  headers: IncomingMessage['headers']
  text: string
}

async function callable(name: (typeof names)[number]): Promise<string> {
  return served.origin(name)
}

async function discover(): Promise<string> {
  return `${await served.origin('api')}/api/v1/rooms/dating/agents:discover`
}

/** Sends bytes as they are. An empty header is left out. */
async function send(url: string, { method = 'POST', headers = {}, body = '' }: Sent): Promise<Received> {
  const all = Object.entries<string>({ ...json, authorization, ...headers }).filter(([, value]) => value !== '')
  const length = Array.isArray(body) ? {} : { 'content-length': Buffer.byteLength(body) }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(url, { method, headers: { ...Object.fromEntries(all), ...length } }, resolve)
    sent.on('error', reject)
    for (const chunk of Array.isArray(body) ? body : [body]) sent.write(chunk)
    sent.end()
  })
  const chunks = await response.toArray()
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: Buffer.concat(chunks as Buffer[]).toString(),
  }
}

/** Promises more bytes than it sends, and hangs up. */
async function breakOff(url: string, body: string): Promise<void> {
  const { hostname, port, pathname } = new URL(url)
  const head = [
    `POST ${pathname} HTTP/1.1`,
    `host: ${hostname}`,
    'content-type: application/json',
    `authorization: ${authorization}`,
    'content-length: 4000',
  ]
  const socket = connect({ host: hostname, port: Number(port) })
  const closed = once(socket, 'close')
  socket.resume().end(`${head.join('\r\n')}\r\n\r\n${body}`)
  await closed
}

/** The callable protocol's error, at the top of the input. */
function expectRefused({ status, text }: Received): void {
  expect([status, JSON.parse(text)]).toEqual([
    400,
    {
      error: {
        status: 'INVALID_ARGUMENT',
        message: expect.any(String),
        details: [{ path: '', message: expect.any(String) }],
      },
    },
  ])
  expectToEchoNothing(text)
}

/** The HTTP API's error. */
function expectProblem({ status, headers, text }: Received, code: number, name: string): void {
  const details =
    status === errorCodes['invalid-argument'].http ? { details: [{ path: '', message: expect.any(String) }] } : {}
  expect([status, JSON.parse(text)]).toEqual([
    code,
    { error: { code, status: name, message: expect.any(String), ...details } },
  ])
  expect(headers).toMatchObject({
    'cache-control': 'private, no-store',
    'content-type': expect.stringMatching(/^application\/json\b/),
  })
  expectToEchoNothing(text)
}

function expectToEchoNothing(text: string): void {
  expect([handle, number, secret].filter((value) => text.includes(value))).toEqual([])
}

function places({ text }: Received): string[] {
  const { error } = JSON.parse(text) as { error: { details: { path: string }[] } }
  return error.details.map(({ path }) => path)
}
