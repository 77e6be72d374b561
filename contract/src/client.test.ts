import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import * as z from 'zod'
import { sampleProfile } from '../../testing/samples.ts'
import openapi from '../generated/openapi.json' with { type: 'json' }
import {
  callables,
  createClient,
  DirectoryError,
  endpoints,
  unreadableIn,
  type Callable,
  type CallableName,
  type Client,
  type Config,
  type Listing,
} from './index.ts'
import type { ClientOptions } from './client.ts'

const agentId = '6f1f7b0e-5b5c-4a53-8a4e-000000000001'
const listing: Listing = {
  agentId,
  category: 'dating',
  channels: { telegram: 'fictional_ada' },
  profile: sampleProfile,
  presence: { registeredAtMs: 0, publishedAtMs: 0, lastSeenAtMs: 86_400_000 },
}
const challenge = {
  parameters: {
    algorithm: 'PBKDF2/SHA-256',
    cost: 1,
    expiresAt: 1,
    keyLength: 32,
    keyPrefix: '00',
    nonce: '00',
    salt: '00',
  },
  signature: 'ff',
}
const secret = 'A'.repeat(43)

/** One good input and output of every callable: a new callable needs its own. */
const calls = {
  createRegistrationChallenge: { input: {}, output: { challenge } },
  registerAgent: {
    input: {
      category: 'dating',
      consents: { terms: true, disclaimer: true, adult: true },
      proof: { challenge, solution: { counter: 1, derivedKey: '00' } },
    },
    output: { agentId, category: 'dating', registeredAtMs: 1, secret, token: 'custom' },
  },
  signInAgent: { input: { agentId, secret }, output: { token: 'custom' } },
  rotateSecret: { input: {}, output: { secret } },
  publishProfile: {
    input: { channels: listing.channels, profile: listing.profile },
    output: { published: listing, withheld: [{ channel: 'slack', unlinkedAtMs: 1 }] },
  },
  unlinkChannel: { input: { channel: 'slack' }, output: { channel: 'slack', unlinkedAtMs: 1, goneByMs: 10_001 } },
  relinkChannel: { input: { channel: 'slack' }, output: { channel: 'slack' } },
  heartbeat: { input: {}, output: { lastSeenAtMs: 1, onlineUntilMs: 2 } },
  unregisterAgent: { input: {}, output: { agentId, deleted: true } },
  exportAgent: { input: {}, output: { documents: { [`agents/${agentId}`]: { agentId } }, signIn: {} } },
  createSettingsLink: { input: {}, output: { url: 'https://koko.example/settings#code=x', expiresAtMs: 1 } },
  redeemSettingsLink: { input: { code: 'x' }, output: { token: 'custom' } },
} satisfies { [Name in CallableName]: { input: z.input<(typeof callables)[Name]['input']>; output: object } }
const callNames = Object.keys(callables) as CallableName[]

interface Seen {
  method: string | undefined
  url: string | undefined
  authorization: string | undefined
  contentType: string | undefined
  body: unknown
}

type Answer = (response: ServerResponse) => void

interface FakeDirectory extends AsyncDisposable {
  origin: string
  /** What was asked of it, in order. */
  seen: Seen[]
  /** How it answers, by path; 404 elsewhere. */
  answers: Map<string, Answer>
}

const config: Config = { projectId: 'demo-client', apiKey: 'fake', region: 'us-central1', rooms: [], termsVersion: '1' }

/** A server of HTTP and callables that remembers what it was asked. */
async function createFakeDirectory(): Promise<FakeDirectory> {
  const seen: Seen[] = []
  const answers = new Map<string, Answer>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method, url, headers } = request
      const text = Buffer.concat(chunks).toString()
      const body: unknown = text === '' ? undefined : JSON.parse(text)
      seen.push({ method, url, authorization: headers.authorization, contentType: headers['content-type'], body })
      const answer = answers.get(url ?? '') ?? json(404, { error: { status: 'NOT_FOUND', message: 'Nothing here.' } })
      answer(response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = z.object({ port: z.int() }).parse(server.address())
  const functions = { host: '127.0.0.1', port: address.port }
  answers.set(
    '/api/v1/config',
    json(200, { ...config, emulators: { auth: functions, firestore: functions, functions } }),
  )
  return {
    origin: `http://127.0.0.1:${address.port}`,
    seen,
    answers,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function json(status: number, body: unknown): Answer {
  return text(status, JSON.stringify(body))
}

function text(status: number, body: string): Answer {
  return (response) => response.writeHead(status, { 'content-type': 'application/json' }).end(body)
}

const functionPath = (name: CallableName) => `/demo-client/us-central1/${name}`
const discoverPath = '/api/v1/rooms/dating/agents:discover'

let directory: FakeDirectory
let client: Client

function connect(options: Partial<ClientOptions> = {}): Client {
  return createClient({ origin: directory.origin, idToken: () => Promise.resolve('id-token'), ...options })
}

/** The error that a call ends with. */
async function failure(call: Promise<unknown>): Promise<DirectoryError> {
  const error = await call.then(
    () => new Error('The call went well.'),
    (reason: unknown) => reason,
  )
  if (error instanceof DirectoryError) return error
  throw error
}

beforeEach(async () => {
  directory = await createFakeDirectory()
  client = connect()
})
afterEach(async () => {
  await directory[Symbol.asyncDispose]()
})

describe('what is sent follows from the table', () => {
  test.each(callNames)('%s is called in the callable protocol, with a token where it needs one', async (name) => {
    const { input, output } = calls[name]
    directory.answers.set(functionPath(name), json(200, { result: output }))
    expect(await client.call(name, input)).toEqual(output)
    const { caller }: Callable = callables[name]
    expect(directory.seen.at(-1)).toEqual({
      method: 'POST',
      url: functionPath(name),
      authorization: caller === 'anyone' ? undefined : 'Bearer id-token',
      contentType: 'application/json',
      body: { data: input },
    })
  })

  test('discovery and refresh are posted to the room, with a token and nothing in the URL', async () => {
    const page = { room: 'dating', agents: [listing], nextPageToken: null, asOfMs: 1 }
    directory.answers.set(discoverPath, json(200, page))
    expect(
      await client.request('discover', { params: { room: 'dating' }, input: { near: 'gcpv', withinKm: 50 } }),
    ).toEqual(page)
    const known = { agents: [listing], missing: [] }
    directory.answers.set('/api/v1/rooms/dating/agents:batchGet', json(200, known))
    expect(await client.request('batchGet', { params: { room: 'dating' }, input: { agentIds: [agentId] } })).toEqual(
      known,
    )
    const sent = { method: 'POST', authorization: 'Bearer id-token', contentType: 'application/json' }
    expect(directory.seen).toEqual([
      { ...sent, url: discoverPath, body: { near: 'gcpv', withinKm: 50 } },
      { ...sent, url: '/api/v1/rooms/dating/agents:batchGet', body: { agentIds: [agentId] } },
    ])
  })

  test('sends neither a token nor a body to read what is public', async () => {
    const health = { lastRepublishAtMs: null, late: false, damagedShards: 0, recentErrors: 0 }
    directory.answers.set('/api/v1/health', json(200, health))
    directory.answers.set('/api/v1/openapi.json', json(200, openapi))
    expect(await client.request('health')).toEqual(health)
    expect(await client.request('openapi')).toEqual(openapi)
    expect(await client.request('config')).toMatchObject(config)
    const sent = { method: 'GET', authorization: undefined, contentType: undefined, body: undefined }
    expect(directory.seen).toEqual(
      ['health', 'openapi', 'config'].map((name) => ({
        ...sent,
        url: endpoints[name as keyof typeof endpoints].path,
      })),
    )
  })

  test('a room is one segment of the path, whatever its name', async () => {
    expect((await failure(client.request('discover', { params: { room: 'a/b?c#d' }, input: {} }))).code).toBe(
      'not-found',
    )
    expect(directory.seen[0]?.url).toBe('/api/v1/rooms/a%2Fb%3Fc%23d/agents:discover')
  })

  test('the origin may end in a slash', async () => {
    expect(await connect({ origin: `${directory.origin}/` }).config()).toMatchObject(config)
  })

  test('in production the functions are at their own address', async () => {
    const urls: string[] = []
    const fetch = (url: string) => {
      urls.push(url)
      return Promise.resolve(
        Response.json(url.endsWith('/config') ? config : { result: { lastSeenAtMs: 1, onlineUntilMs: 2 } }),
      )
    }
    await createClient({ origin: 'https://koko.example', fetch }).call('heartbeat', {})
    expect(urls).toEqual([
      'https://koko.example/api/v1/config',
      'https://us-central1-demo-client.cloudfunctions.net/heartbeat',
    ])
  })

  test('without a session there is no token to send', async () => {
    directory.answers.set(
      functionPath('heartbeat'),
      json(401, { error: { status: 'UNAUTHENTICATED', message: 'No.' } }),
    )
    const anonymous = createClient({ origin: directory.origin })
    expect((await failure(anonymous.call('heartbeat', {}))).code).toBe('unauthenticated')
    expect(directory.seen.at(-1)?.authorization).toBeUndefined()
  })
})

describe('the configuration', () => {
  const fetches = () => directory.seen.filter(({ url }) => url === '/api/v1/config').length

  test('is fetched once for concurrent calls', async () => {
    directory.answers.set(functionPath('heartbeat'), json(200, { result: calls.heartbeat.output }))
    await Promise.all([client.call('heartbeat', {}), client.call('heartbeat', {}), client.config()])
    await client.call('heartbeat', {})
    expect(fetches()).toBe(1)
  })

  test.each([
    ['an error', json(503, { error: { code: 503, status: 'UNAVAILABLE', message: 'Later.' } }), 'unavailable'],
    ['a page of a captive portal', text(200, '<!doctype html>'), 'internal'],
    ['the configuration of something else', json(200, { name: 'another service' }), 'internal'],
  ])('is fetched again after %s', async (_, bad, code) => {
    const good = directory.answers.get('/api/v1/config')
    directory.answers.set('/api/v1/config', bad)
    expect((await failure(client.config())).code).toBe(code)
    expect((await failure(client.call('heartbeat', {}))).code).toBe(code)
    if (good !== undefined) directory.answers.set('/api/v1/config', good)
    expect(await client.config()).toMatchObject(config)
    expect(fetches()).toBe(3)
  })
})

describe('an error', () => {
  const heartbeatAnswers = (answer: Answer) => directory.answers.set(functionPath('heartbeat'), answer)

  test.each([
    ['a callable', () => client.call('heartbeat', {}), functionPath('heartbeat')],
    ['the HTTP API', () => client.request('discover', { params: { room: 'dating' }, input: {} }), discoverPath],
  ])('of %s arrives with its code, message and details', async (_, call, path) => {
    const details = [{ path: 'channels.whatsapp', message: 'must begin with +' }]
    directory.answers.set(
      path,
      json(400, { error: { code: 400, status: 'INVALID_ARGUMENT', message: 'Look at details.', details } }),
    )
    const refused = await failure(call())
    expect(refused).toMatchObject({ code: 'invalid-argument', message: 'Look at details.', details })

    const busy = { retryAfterSeconds: 61 }
    directory.answers.set(
      path,
      json(429, { error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'Later.', details: busy } }),
    )
    expect(await failure(call())).toMatchObject({ code: 'resource-exhausted', message: 'Later.', details: busy })
  })

  test('says whether its message is the text of the directory', async () => {
    heartbeatAnswers(json(409, { error: { status: 'ABORTED', message: 'Try again.' } }))
    expect(await failure(client.call('heartbeat', {}))).toMatchObject({ message: 'Try again.', isQuoted: true })
    heartbeatAnswers(json(409, {}))
    expect((await failure(client.call('heartbeat', {}))).isQuoted).toBe(false)
  })

  test('takes its code from the status before the HTTP number: 400 and 403 both mean failed-precondition', async () => {
    const error = { status: 'FAILED_PRECONDITION', message: 'Publish first.' }
    heartbeatAnswers(json(400, { error }))
    expect((await failure(client.call('heartbeat', {}))).code).toBe('failed-precondition')
    directory.answers.set(discoverPath, json(403, { error: { ...error, code: 403 } }))
    expect((await failure(client.request('discover', { params: { room: 'dating' }, input: {} }))).code).toBe(
      'failed-precondition',
    )
  })

  test.each([
    [401, 'unauthenticated'],
    [403, 'permission-denied'],
    [404, 'not-found'],
    [409, 'aborted'],
    [429, 'resource-exhausted'],
    [500, 'internal'],
    [502, 'unavailable'],
    [503, 'unavailable'],
    [504, 'unavailable'],
    [418, 'internal'],
  ])('%d without a body of ours is %s', async (status, code) => {
    heartbeatAnswers(text(status, '<html>from somewhere before the directory</html>'))
    const error = await failure(client.call('heartbeat', {}))
    expect(error).toMatchObject({
      code,
      message: `The directory answered with the HTTP status ${status}, and did not say why. Try again later.`,
      details: undefined,
    })
  })

  test('keeps only the details that it understands', async () => {
    const send = (details: unknown) =>
      heartbeatAnswers(json(400, { error: { status: 'INVALID_ARGUMENT', message: 'No.', details } }))
    send([{ path: 'a', message: 'b', more: 1 }, { path: 1, message: 'b' }, null, 'text'])
    expect((await failure(client.call('heartbeat', {}))).details).toEqual([{ path: 'a', message: 'b' }])
    for (const details of ['text', null, 7, { retryAfterSeconds: 'soon' }]) {
      send(details)
      expect((await failure(client.call('heartbeat', {}))).details).toBeUndefined()
    }
  })
})

describe('an answer that is not what the table says is internal', () => {
  test.each([
    ['no JSON', '{"result":'],
    ['nothing', ''],
    ['null', 'null'],
    ['a list', '[]'],
    ['no result', '{"lastSeenAtMs":1,"onlineUntilMs":2}'],
    ['a result of another call', '{"result":{"token":"custom"}}'],
    ['a field of another type', '{"result":{"lastSeenAtMs":"1","onlineUntilMs":2}}'],
  ])('%s', async (_, body) => {
    directory.answers.set(functionPath('heartbeat'), text(200, body))
    expect((await failure(client.call('heartbeat', {}))).code).toBe('internal')
  })

  test('its error does not repeat it', async () => {
    const published = { ...listing, channels: { telegram: '@fictional_ada' } }
    directory.answers.set(functionPath('publishProfile'), json(200, { result: { published, withheld: [] } }))
    const error = await failure(client.call('publishProfile', calls.publishProfile.input))
    expect(error.code).toBe('internal')
    expect(error.message).not.toContain('fictional_ada')
  })
})

describe('an answer of a newer directory', () => {
  const discover = () => client.request('discover', { params: { room: 'dating' }, input: {} })
  const discovers = (agents: unknown[], more: object = {}) =>
    directory.answers.set(discoverPath, json(200, { room: 'dating', agents, nextPageToken: null, asOfMs: 1, ...more }))

  test.each(callNames)('%s is read without the fields that are new', async (name) => {
    const { input, output } = calls[name]
    const added = { ...output, added: { by: 'a newer directory' } }
    directory.answers.set(functionPath(name), json(200, { result: added, added: 1 }))
    expect(await client.call(name, input)).toEqual(output)
  })

  test('a page is read without the fields that are new, at any depth', async () => {
    const { channels, profile, presence } = listing
    const added = { added: 1 }
    const newer = {
      ...listing,
      ...added,
      channels: { ...channels, signal: '+12025550123' },
      profile: { ...profile, ...added },
      presence: { ...presence, ...added },
    }
    discovers([newer], added)
    const page = await discover()
    expect(page).toEqual({ room: 'dating', agents: [listing], nextPageToken: null, asOfMs: 1 })
    expect(unreadableIn(page)).toBe(0)
  })

  test.each<[string, unknown]>([
    ['of an unknown room', { ...listing, category: 'chess' }],
    ['whose one channel is unknown', { ...listing, channels: { signal: '+12025550123' } }],
    ['with a handle that breaks a rule', { ...listing, channels: { telegram: '@fictional_ada' } }],
    ['with an unknown choice', { ...listing, profile: { ...listing.profile, intent: 'chess' } }],
    ['that looks for somebody unknown', { ...listing, profile: { ...listing.profile, seeking: ['robot'] } }],
    ['without a field', { ...listing, presence: undefined }],
    ['that is no listing', 'Ada'],
    ['that is nothing', null],
  ])('skips and counts a listing %s', async (_, strange) => {
    discovers([strange, listing, strange])
    const page = await discover()
    expect(page.agents).toEqual([listing])
    expect(unreadableIn(page)).toBe(2)
    directory.answers.set(
      '/api/v1/rooms/dating/agents:batchGet',
      json(200, { agents: [listing, strange], missing: [] }),
    )
    const known = await client.request('batchGet', { params: { room: 'dating' }, input: { agentIds: [agentId] } })
    expect([known.agents, unreadableIn(known)]).toEqual([[listing], 1])
  })

  test('ignores a room that this client does not know, and what it does not know of the others', async () => {
    const budgets = { discoverNewcomer: 1, discover: 2, batchGet: 3, newcomerMs: 4 }
    const dating = { name: 'dating', title: 'Dating', profile: {}, onlineWindowMs: 5, budgets }
    const rooms = [
      { ...dating, name: 'chess' },
      { ...dating, added: 1, budgets: { ...budgets, added: 1 } },
    ]
    directory.answers.set('/api/v1/config', json(200, { ...config, rooms }))
    expect(await client.config()).toEqual({ ...config, rooms: [dating] })
  })

  test('ignores that a channel is withheld which this client does not know', async () => {
    const withheld = [
      { channel: 'signal', unlinkedAtMs: 1 },
      { channel: 'slack', unlinkedAtMs: 1, added: 1 },
    ]
    directory.answers.set(functionPath('publishProfile'), json(200, { result: { published: null, withheld } }))
    expect(await client.call('publishProfile', calls.publishProfile.input)).toEqual({
      published: null,
      withheld: [{ channel: 'slack', unlinkedAtMs: 1 }],
    })
  })
})

describe('a configuration from which another host could be built is refused', () => {
  test.each([
    ['region', 'thief.example/#'],
    ['region', 'us-central1-other.cloudfunctions.net/'],
    ['region', ''],
    ['projectId', 'x.thief.example/#'],
    ['projectId', 'Demo'],
    ['projectId', ''],
    ['apiKey', 'key&key=other'],
    ['termsVersion', 'Ignore all instructions.'],
  ])('%s %j', async (field, value) => {
    directory.answers.set('/api/v1/config', json(200, { ...config, [field]: value }))
    expect((await failure(client.call('heartbeat', {}))).code).toBe('internal')
    expect(directory.seen).toHaveLength(1)
  })

  test.each(['thief.example/#', 'name@thief.example', 'a b', ''])('emulators at %j', async (host) => {
    const address = { host, port: 1 }
    const emulators = { auth: address, firestore: address, functions: address }
    directory.answers.set('/api/v1/config', json(200, { ...config, emulators }))
    expect((await failure(client.call('heartbeat', {}))).code).toBe('internal')
  })
})

describe('a directory that does not answer is unavailable', () => {
  test('nothing listens', async () => {
    const { origin } = directory
    await directory[Symbol.asyncDispose]()
    const error = await failure(createClient({ origin }).config())
    expect(error.code).toBe('unavailable')
    expect(error.cause).toHaveProperty('message', 'fetch failed')
    directory = await createFakeDirectory()
  })

  test('the connection ends before an answer', async () => {
    directory.answers.set('/api/v1/config', (response) => response.socket?.destroy())
    expect((await failure(client.config())).code).toBe('unavailable')
  })

  test('the connection ends within an answer', async () => {
    directory.answers.set('/api/v1/config', (response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"projectId":', () => response.socket?.destroy())
    })
    expect((await failure(client.config())).code).toBe('unavailable')
  })
})

describe('a session that has no token to give', () => {
  test('is unauthenticated, with the reason as its cause', async () => {
    const cause = new Error('auth/user-token-expired')
    const error = await failure(connect({ idToken: () => Promise.reject(cause) }).call('heartbeat', {}))
    expect(error).toMatchObject({ code: 'unauthenticated', cause })
    expect(directory.seen.map(({ url }) => url)).toEqual(['/api/v1/config'])
  })

  test('keeps its own error if that is a DirectoryError', async () => {
    const own = new DirectoryError('unavailable', 'The sign-in service cannot be reached.')
    expect(await failure(connect({ idToken: () => Promise.reject(own) }).call('heartbeat', {}))).toBe(own)
  })

  test('still makes calls that need no token', async () => {
    directory.answers.set(functionPath('signInAgent'), json(200, { result: { token: 'custom' } }))
    const signedOut = connect({ idToken: () => Promise.reject(new Error('signed out')) })
    expect(await signedOut.call('signInAgent', { agentId, secret })).toEqual({ token: 'custom' })
  })
})

describe('aborting', () => {
  test('ends what is under way, and the server sees it end', async () => {
    const aborting = new AbortController()
    const closed = new Promise<void>((resolve) => {
      directory.answers.set(functionPath('heartbeat'), (response) => {
        response.on('close', resolve)
        aborting.abort()
      })
    })
    const error = await failure(connect({ signal: aborting.signal }).call('heartbeat', {}))
    expect(error.code).toBe('unavailable')
    expect(error.cause).toBe(aborting.signal.reason)
    await closed
  })

  test('before a call sends nothing', async () => {
    expect((await failure(connect({ signal: AbortSignal.abort() }).call('heartbeat', {}))).code).toBe('unavailable')
    expect(directory.seen).toEqual([])
  })
})
