import { describe, expect, test } from '@jest/globals'
import { minuteMs, Config, Health, maxBodyBytes } from '@koko/contract'
import { setImmediate } from 'node:timers/promises'
import * as z from 'zod'
import { acceptsGzip, handleHttp, type HttpRequest } from './http.ts'
import { OutcomeUnknown } from './ports.ts'
import { createRecentErrors } from './status.ts'
import { republishDiscovery } from './discovery/republish.ts'
import {
  call,
  createWorld,
  pathsUnder,
  register,
  registerListed,
  type Claims,
  type World,
} from '../../testing/world.ts'

const noon = Date.UTC(2026, 10, 21, 12)
const discoverUrl = '/api/v1/rooms/dating/agents:discover'
const batchGetUrl = '/api/v1/rooms/dating/agents:batchGet'

const Problem = z.strictObject({
  error: z.strictObject({ code: z.int(), status: z.string(), message: z.string(), details: z.unknown().optional() }),
})

function createApi(world: World) {
  const faults: unknown[] = []
  const api = {
    ports: world.ports,
    view: world.newInstance(),
    project: { projectId: 'demo-http', apiKey: 'a-key', emulators: undefined },
    recentErrors: createRecentErrors(world.clock.monotonicMs),
    onFault: (error: unknown) => void faults.push(error),
  }
  async function send(
    method: string,
    url: string,
    request: Partial<HttpRequest> & { claims?: Claims; json?: unknown } = {},
  ) {
    const { claims, json, ...rest } = request
    const authorization = claims === undefined ? undefined : `Bearer ${JSON.stringify(claims)}`
    const body = json === undefined ? new Uint8Array() : new TextEncoder().encode(JSON.stringify(json))
    const contentType = json === undefined ? undefined : 'application/json'
    const answer = await handleHttp(api, { method, url, authorization, contentType, body, ...rest }, world.clock.now())
    expect(answer.headers).toMatchObject({ 'cache-control': 'private, no-store' })
    return answer
  }
  async function sendWrong(...request: Parameters<typeof send>) {
    const { status, headers, body } = await send(...request)
    const { error } = Problem.parse(body)
    expect(error.code).toBe(status)
    return { ...error, headers }
  }
  return { send, sendWrong, faults, api }
}

async function peer(world: World, telegram: string): Promise<Claims> {
  return (await registerListed(world, { telegram })).claims
}

describe('the HTTP API', () => {
  test('gives a client what it needs, the state of the schedule, and its own description', async () => {
    const world = createWorld(noon)
    const { send } = createApi(world)
    const config = await send('GET', '/api/v1/config')
    expect(config.status).toBe(200)
    expect(Config.parse(config.body)).toMatchObject({ projectId: 'demo-http', region: 'us-central1' })
    expect(await send('GET', '/api/v1/openapi.json')).toMatchObject({ status: 200, body: { openapi: '3.1.0' } })
    expect(await send('GET', '/api/v1/health')).toMatchObject({ status: 503, body: { lastRepublishAtMs: null } })
    await republishDiscovery(world.ports, world.clock.now)
    world.clock.advance(3 * minuteMs)
    const health = await send('GET', '/api/v1/health')
    expect([health.status, Health.parse(health.body)]).toEqual([
      200,
      { lastRepublishAtMs: noon, late: false, damagedShards: 0, recentErrors: 0 },
    ])
    world.clock.advance(1)
    expect(await send('GET', '/api/v1/health')).toMatchObject({ status: 503, body: { late: true } })
  })

  test('reports a damaged shard that an instance could not serve, until a run has healed it', async () => {
    const world = createWorld(noon)
    const { send } = createApi(world)
    const alice = await peer(world, 'alice_a')
    await republishDiscovery(world.ports, world.clock.now)
    const [shard = ''] = pathsUnder(world, 'discovery/dating/shards/')
    world.store.put([[shard, { ...world.store.all().get(shard), entries: Uint8Array.from([1, 2, 3]) }]])
    expect(await send('POST', discoverUrl, { claims: alice, json: {} })).toMatchObject({ status: 503 })
    await setImmediate()
    const health = () => createApi(world).send('GET', '/api/v1/health')
    expect(await health()).toMatchObject({ status: 503, body: { late: false, damagedShards: 1, recentErrors: 0 } })
    world.clock.advance(minuteMs)
    await republishDiscovery(world.ports, world.clock.now)
    expect(await health()).toMatchObject({ status: 200, body: { damagedShards: 0 } })
  })

  test('reports for five minutes that this instance answered with an error', async () => {
    const world = createWorld(noon)
    const { send, api } = createApi(world)
    const alice = await peer(world, 'alice_a')
    await republishDiscovery(world.ports, world.clock.now)
    api.ports = { ...world.ports, store: { ...world.store, transaction: () => Promise.reject(new Error('a bug')) } }
    const refresh = { claims: alice, json: { agentIds: [alice.uid] } }
    expect(await send('POST', batchGetUrl, refresh)).toMatchObject({ status: 500 })
    expect(await send('POST', discoverUrl, { json: {} })).toMatchObject({ status: 401 })
    const failing = { status: 503, body: { late: false, damagedShards: 0, recentErrors: 1 } }
    expect(await send('GET', '/api/v1/health')).toMatchObject(failing)
    world.clock.advance(5 * minuteMs)
    await republishDiscovery(world.ports, world.clock.now)
    expect(await send('GET', '/api/v1/health')).toMatchObject({ status: 200, body: { recentErrors: 0 } })
  })

  test('reports no error that a caller can cause by calls that lock its own account', async () => {
    const world = createWorld(noon)
    const { send, api } = createApi(world)
    const alice = await peer(world, 'alice_a')
    await republishDiscovery(world.ports, world.clock.now)
    const locked = () => Promise.reject(new OutcomeUnknown('Firestore did not confirm a commit.'))
    api.ports = { ...world.ports, store: { ...world.store, transaction: locked } }
    const refresh = { claims: alice, json: { agentIds: [alice.uid] } }
    expect(await send('POST', batchGetUrl, refresh)).toMatchObject({ status: 503 })
    expect(await send('GET', '/api/v1/health')).toMatchObject({ status: 200, body: { recentErrors: 0 } })
  })

  test('serves discovery and batchGet to a peer', async () => {
    const world = createWorld(noon)
    const { send } = createApi(world)
    const [alice, bob] = [await peer(world, 'alice_a'), await peer(world, 'bobby_b')]
    await republishDiscovery(world.ports, world.clock.now)
    const page = { room: 'dating', agents: [{ agentId: bob.uid }], nextPageToken: null, asOfMs: noon }
    expect(await send('POST', discoverUrl, { claims: alice, json: { pageSize: 5 } })).toMatchObject({
      status: 200,
      body: page,
    })
    expect(await send('POST', discoverUrl, { claims: alice })).toMatchObject({ status: 200, body: page })
    const json = { agentIds: [bob.uid] }
    expect(await send('POST', batchGetUrl, { claims: alice, json })).toMatchObject({
      status: 200,
      body: { agents: [{ agentId: bob.uid, channels: { telegram: 'bobby_b' } }], missing: [] },
    })
  })

  test('answers 404 at an unknown path, for every method', async () => {
    const { sendWrong } = createApi(createWorld(noon))
    for (const url of [
      '/',
      '/api/v1',
      '/api/v1/',
      '/api/v2/config',
      '/api/v1/config/',
      '/api/v1/openapixjson',
      '/api/v1/rooms/a/b/agents:discover',
      '/api/v1/rooms/dating/agents',
    ]) {
      for (const method of ['GET', 'POST', 'DELETE']) {
        expect(await sendWrong(method, url)).toMatchObject({ code: 404, status: 'NOT_FOUND' })
      }
    }
  })

  test('answers 404 for an unknown room, to a caller it knows', async () => {
    const world = createWorld(noon)
    const { sendWrong } = createApi(world)
    const claims = await peer(world, 'alice_a')
    for (const room of ['', 'attic', 'Dating', '%64ating', '__proto__', 'constructor']) {
      const url = `/api/v1/rooms/${room}/agents:discover`
      expect(await sendWrong('POST', url, { claims, json: {} })).toMatchObject({ code: 404, status: 'NOT_FOUND' })
    }
  })

  test('answers 404 for an unknown room before it looks at the body', async () => {
    const world = createWorld(noon)
    const { sendWrong } = createApi(world)
    const claims = await peer(world, 'alice_a')
    const url = '/api/v1/rooms/attic/agents:batchGet'
    expect(await sendWrong('POST', url, { claims, json: { agentIds: [] } })).toMatchObject({ code: 404 })
  })

  test('answers 405 with the method to use, and HEAD as GET', async () => {
    const { send, sendWrong } = createApi(createWorld(noon))
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect(await sendWrong(method, '/api/v1/config')).toMatchObject({ code: 405, headers: { allow: 'GET' } })
    }
    for (const method of ['GET', 'HEAD', 'PUT']) {
      expect(await sendWrong(method, discoverUrl)).toMatchObject({ code: 405, headers: { allow: 'POST' } })
    }
    expect(await send('HEAD', '/api/v1/config')).toMatchObject({ status: 200 })
  })

  test('answers 400 to parameters in the URL, so that none is in a log', async () => {
    const world = createWorld(noon)
    const { sendWrong } = createApi(world)
    const claims = await peer(world, 'alice_a')
    for (const url of [`${discoverUrl}?pageSize=5`, `${discoverUrl}?`, `${batchGetUrl}?a=%2B12025550100`]) {
      const wrong = await sendWrong('POST', url, { claims, json: {} })
      expect(wrong).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT' })
      expect(wrong.message).not.toContain('12025550100')
    }
    expect(await sendWrong('GET', '/api/v1/config?a=1')).toMatchObject({ code: 400 })
  })

  test('answers 413 to a body that is too long, and 400 to one that is not JSON of ours', async () => {
    const world = createWorld(noon)
    const { sendWrong } = createApi(world)
    const claims = await peer(world, 'alice_a')
    const contentType = 'application/json'
    const tooLong = { claims, contentType, body: new Uint8Array(maxBodyBytes + 1).fill(0x20) }
    expect(await sendWrong('POST', discoverUrl, tooLong)).toMatchObject({ code: 413 })
    expect(await sendWrong('POST', discoverUrl, { ...tooLong, body: tooLong.body.subarray(1) })).toMatchObject({
      code: 400,
    })
    const wrong: Partial<HttpRequest>[] = [
      { contentType: 'text/plain', body: new TextEncoder().encode('{}') },
      { contentType: undefined, body: new TextEncoder().encode('{}') },
      { contentType, body: new TextEncoder().encode('{"__proto__":{}}') },
      { contentType, body: new TextEncoder().encode('[]') },
      { contentType, body: new TextEncoder().encode('{"pageSize":0}') },
      { contentType, body: new TextEncoder().encode('{"withinKm":5}') },
      { contentType, body: new TextEncoder().encode('{"pageToken":"+12025550100"}') },
    ]
    for (const each of wrong) {
      const problem = await sendWrong('POST', discoverUrl, { claims, ...each })
      expect(problem).toMatchObject({
        code: 400,
        status: 'INVALID_ARGUMENT',
        details: [{ path: expect.any(String) }],
      })
      expect(JSON.stringify(problem)).not.toContain('12025550100')
    }
  })

  test('answers 401 without a good token, and before it looks into the body', async () => {
    const world = createWorld(noon)
    const { sendWrong } = createApi(world)
    const agent = await register(world)
    await call(world, 'unregisterAgent', agent.claims)
    const wrong = [
      undefined,
      '',
      'Bearer',
      'Bearer x',
      `Basic ${JSON.stringify(agent.claims)}`,
      `Bearer ${JSON.stringify({})}`,
      `Bearer ${JSON.stringify(agent.claims)}`,
    ]
    for (const authorization of wrong) {
      expect(await sendWrong('POST', discoverUrl, { authorization, json: {} })).toMatchObject({
        code: 401,
        status: 'UNAUTHENTICATED',
      })
    }
    const nonsense = { contentType: 'application/json', body: new TextEncoder().encode('{') }
    expect(await sendWrong('POST', batchGetUrl, nonsense)).toMatchObject({ code: 401 })
  })

  test('answers 403 to an agent that is not listed, in the name of the precondition', async () => {
    const world = createWorld(noon)
    const { sendWrong } = createApi(world)
    const { claims } = await register(world)
    expect(await sendWrong('POST', discoverUrl, { claims, json: {} })).toMatchObject({
      code: 403,
      status: 'FAILED_PRECONDITION',
    })
    const settings = { ...claims, settings: true, untilMs: noon + minuteMs }
    expect(await sendWrong('POST', discoverUrl, { claims: settings, json: {} })).toMatchObject({
      code: 403,
      status: 'PERMISSION_DENIED',
    })
  })

  test('answers 429 with Retry-After when the budget is spent', async () => {
    const world = createWorld(noon)
    const { sendWrong } = createApi(world)
    const claims = await peer(world, 'alice_a')
    const path = `accounts/${claims.uid}`
    const budget = { dayMs: noon - 12 * 60 * minuteMs, discovered: 100, fetched: 2_000 }
    world.store.put([[path, { ...world.store.all().get(path), budget }]])
    for (const [url, json] of [
      [discoverUrl, {}],
      [batchGetUrl, { agentIds: [claims.uid] }],
    ] as const) {
      expect(await sendWrong('POST', url, { claims, json })).toMatchObject({
        code: 429,
        status: 'RESOURCE_EXHAUSTED',
        details: { retryAfterSeconds: 43_200 },
        headers: { 'retry-after': '43200' },
      })
    }
  })

  test('answers 503 if it cannot check, 500 if it fails, and gives the reason to the log and not to the caller', async () => {
    const world = createWorld(noon)
    const { sendWrong, faults, api } = createApi(world)
    const claims = await peer(world, 'alice_a')
    const broken = world.through(() => Promise.reject(new Error('nobody but +12025550100 may see this')))
    api.view = world.newInstance(broken)
    expect(await sendWrong('POST', discoverUrl, { claims, json: {} })).toMatchObject({
      code: 503,
      status: 'UNAVAILABLE',
    })
    expect(faults).toHaveLength(1)
    api.ports = broken
    const wrong = await sendWrong('GET', '/api/v1/health')
    expect(wrong).toMatchObject({ code: 500, status: 'INTERNAL' })
    expect(JSON.stringify(wrong)).not.toContain('12025550100')
    expect(faults).toHaveLength(2)
    api.ports = world.ports
    world.store.put([['runs/republishDiscovery', { finishedAtMs: 'by +12025550100' }]])
    expect(await sendWrong('GET', '/api/v1/health')).toMatchObject({
      code: 500,
      status: 'INTERNAL',
      message: 'The directory had an internal error. Try again later.',
    })
  })
})

test.each([
  ['gzip', true],
  ['deflate, GZIP;q=0.5', true],
  ['br, *;q=0.1', true],
  ['gzip;q=0', false],
  ['*, gzip;q=0.0', false],
  ['br', false],
  ['', false],
  [undefined, false],
])('an answer is compressed for who takes it so: %s', (header, expected) => {
  expect(acceptsGzip(header)).toBe(expected)
})
