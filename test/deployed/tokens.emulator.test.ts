import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { createHmac, createPublicKey, randomUUID, verify } from 'node:crypto'
import { channelsOf, profileOf } from '../../testing/deployed/agents.ts'
import { jwt, rs256, rsaKey, standInForGoogle, type Google, type TokenChange } from '../../testing/deployed/google.ts'
import { buildFolder, serve, type Served } from '../../testing/deployed/serve.ts'
import { registerWith, type Registered } from '../../testing/register.ts'

const projectId = `demo-tokens-${process.pid}`
const timeoutMs = 60_000
const cleanUp = new AsyncDisposableStack()

let google: Google
let served: Served
/** The same beside the Auth emulator, which signs nothing. */
let emulated: Served
let agent: Registered

beforeAll(async () => {
  google = cleanUp.use(await standInForGoogle(projectId))
  const { folder } = cleanUp.use(await buildFolder())
  served = cleanUp.use(await serve(folder, projectId, google))
  emulated = cleanUp.use(
    await serve(folder, projectId, google, {
      FIREBASE_AUTH_EMULATOR_HOST: process.env.FIREBASE_AUTH_EMULATOR_HOST,
    }),
  )
  const used = ['createRegistrationChallenge', 'registerAgent', 'api', 'publishProfile', 'heartbeat']
  await Promise.all([...used.map(served.origin), emulated.origin('unregisterAgent')])
  agent = await registerWith(await served.client())
  const client = await served.client(agent)
  await client.call('publishProfile', { channels: channelsOf(1), profile: profileOf(1) })
}, timeoutMs)
afterEach(() => {
  google.servesKeys = true
})
afterAll(() => cleanUp.disposeAsync())

const nowSeconds = () => Math.floor(Date.now() / 1_000)
const stranger = rsaKey()
const strangersKey = (input: string) => rs256(stranger.privateKey, input)

/** What comes in the `Authorization` header, each once for the callables and once for the HTTP API. */
const refused: Record<string, () => string> = {
  'signed by another key under the right name': () => bearer({ sign: strangersKey }),
  'signed by another key under its own name': () => bearer({ sign: strangersKey, header: { kid: 'stranger' } }),
  'signed by another key under no name': () => bearer({ sign: strangersKey, header: { kid: undefined } }),
  'that names no key': () => bearer({ header: { kid: undefined } }),
  'whose key is a property of every object': () => bearer({ header: { kid: 'constructor' } }),
  'that brings its own key': () =>
    bearer({ sign: strangersKey, header: { kid: 'jwk', jwk: stranger.publicKey.export({ format: 'jwk' }) } }),
  'without a signature': () => bearer({ sign: () => '' }),
  'that calls itself unsigned': () => bearer({ header: { alg: 'none' }, sign: () => '' }),
  'that calls itself unsigned and is signed': () => bearer({ header: { alg: 'none' } }),
  'of the emulator': () => bearer({ header: { alg: 'none', kid: undefined }, sign: () => '' }),
  'signed with the public key as if it were a secret': () =>
    bearer({
      header: { alg: 'HS256' },
      sign: (input) => createHmac('sha256', google.publicKey).update(input).digest('base64url'),
    }),
  'that names another algorithm': () => bearer({ header: { alg: 'RS512' } }),
  'that has expired': () => bearer({ claims: { iat: nowSeconds() - 7_200, exp: nowSeconds() - 3_600 } }),
  'that expired a second ago': () => bearer({ claims: { exp: nowSeconds() - 1 } }),
  'that is not valid yet': () => bearer({ claims: { nbf: nowSeconds() + 3_600 } }),
  'for another project': () => bearer({ claims: { aud: 'demo-foreign' } }),
  'for this project among others': () => bearer({ claims: { aud: [projectId, 'demo-foreign'] } }),
  'from another project': () => bearer({ claims: { iss: 'https://securetoken.google.com/demo-foreign' } }),
  'from another issuer': () => bearer({ claims: { iss: `https://session.firebase.google.com/${projectId}` } }),
  'without a subject': () => bearer({ claims: { sub: undefined } }),
  'with an empty subject': () => bearer({ claims: { sub: '' } }),
  'with a subject that is no text': () => bearer({ claims: { sub: 7 } }),
  'with a long subject': () => bearer({ claims: { sub: 'a'.repeat(129) } }),
  'of an agent that does not exist': () => `Bearer ${google.idToken(randomUUID())}`,
  'of a user that is no agent': () => `Bearer ${google.idToken('somebody')}`,
  'whose subject is a path': () => `Bearer ${google.idToken(`${agent.agentId}/../${agent.agentId}`)}`,
  'that a password got, which was linked to the agent': () =>
    bearer({ claims: { firebase: { identities: {}, sign_in_provider: 'password' } } }),
  'that does not say how it was got': () => bearer({ claims: { firebase: undefined } }),
  'of a later secret': () => bearer({ claims: { generation: 1 } }),
  'whose uid is claimed and not the subject': () => bearer({ claims: { sub: randomUUID(), uid: agent.agentId } }),
  'that was changed after it was signed': () => {
    const [header, , signature] = google.idToken(randomUUID()).split('.')
    const [, payload] = google.idToken(agent.agentId).split('.')
    return `Bearer ${header}.${payload}.${signature}`
  },
  'that is a custom token': () => `Bearer ${agent.token}`,
  'that is a secret': () => `Bearer ${agent.secret}`,
  'that is garbage in three parts': () => 'Bearer x.y.z',
  'that is garbage in one part': () => 'Bearer garbage',
  'that is cut off': () => bearer().slice(0, 400),
  'whose payload is no JSON': () =>
    `Bearer ${jwt({ alg: 'RS256', kid: google.keyId, typ: 'JWT' }, 0, () => '').replace(/\.[^.]*\./, '.bm8ganNvbg.')}`,
  'whose payload is null': () => `Bearer ${signed(null)}`,
  'whose payload is a list': () => `Bearer ${signed([agent.agentId])}`,
  'whose payload is text': () => `Bearer ${signed(agent.agentId)}`,
  'whose header is null': () => `Bearer ${jwt(null, { sub: agent.agentId }, strangersKey)}`,
  'that is empty': () => 'Bearer ',
  twice: () => `${bearer()}, ${bearer()}`,
  'with more behind it': () => `${bearer()} more`,
  'in basic authentication': () => `Basic ${Buffer.from(`${agent.agentId}:${agent.secret}`).toString('base64')}`,
  'in an unknown scheme': () => bearer().replace('Bearer', 'Token'),
  'that is the emulators’ owner': () => 'Bearer owner',
}

test.each(Object.entries(refused))('refuses a token %s, in a callable and in the HTTP API', async (_which, header) => {
  const authorization = header()
  expect([await heartbeat(authorization), await discover(authorization)]).toEqual([
    { status: 401, error: 'UNAUTHENTICATED' },
    { status: 401, error: 'UNAUTHENTICATED' },
  ])
})

test('refuses a call without a token', async () => {
  expect([await heartbeat(), await discover()]).toEqual([
    { status: 401, error: 'UNAUTHENTICATED' },
    { status: 401, error: 'UNAUTHENTICATED' },
  ])
})

test('accepts the token of a registered agent', async () => {
  expect([await heartbeat(bearer()), await discover(bearer())]).toEqual([{ status: 200 }, { status: 200 }])
  expect(await heartbeat(bearer().replace('Bearer', 'bearer'))).toEqual({ status: 200 })
})

test('signs custom tokens with the service account, for the agent and its generation only', () => {
  const { email, publicKey } = google.serviceAccount
  const [header = '', payload = '', signature = ''] = agent.token.split('.')
  const isGenuine = verify(
    'RSA-SHA256',
    Buffer.from(`${header}.${payload}`),
    createPublicKey(publicKey),
    Buffer.from(signature, 'base64url'),
  )
  expect(isGenuine).toBe(true)
  expect(decoded(header)).toEqual({ alg: 'RS256', typ: 'JWT' })
  const claims = decoded(payload)
  expect(claims).toEqual({
    aud: 'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit',
    iss: email,
    sub: email,
    iat: expect.any(Number),
    exp: Number(claims.iat) + 3_600,
    uid: agent.agentId,
    claims: { generation: 0 },
  })
})

test('lets only a removed agent unregister again beside the Auth emulator', async () => {
  const { agentId, token } = await registerWith(await served.client())
  await served.client({ token })
  const unsigned = { header: { alg: 'none', kid: undefined }, sign: () => '' }
  const url = await emulated.origin('unregisterAgent')
  const unregister = (idToken: string) => outcome(url, { data: {} }, `Bearer ${idToken}`)
  const foreign = { ...unsigned, claims: { aud: 'demo-foreign' } }
  const expired = { ...unsigned, claims: { exp: nowSeconds() - 1 } }
  for (const idToken of ['x.y.z', google.idToken(agentId, foreign), google.idToken(agentId, expired)]) {
    expect(await unregister(idToken)).toEqual({ status: 401, error: 'UNAUTHENTICATED' })
  }
  expect(await unregister(google.idToken(agentId, unsigned))).toEqual({ status: 200 })
  expect(await unregister(google.idToken(agentId, unsigned))).toEqual({ status: 200 })
  for (const idToken of ['x.y.z', google.idToken(agentId, foreign), google.idToken(agentId, expired)]) {
    expect(await unregister(idToken)).toEqual({ status: 401, error: 'UNAUTHENTICATED' })
  }
})

test('logs no token, not even one that it refuses', async () => {
  const sent = Object.values(refused).map((header) => header())
  const parts = [...sent, agent.token, agent.secret].flatMap((header) => header.split(/[ .,]/)).filter(isTelling)
  for (const header of sent) {
    await heartbeat(header)
    await discover(header)
  }
  const logs = served.logs()
  expect(logs.match(/"severity":"ERROR"/g)).toBeNull()
  expect(parts.filter((part) => logs.includes(part))).toEqual([])
})

test('answers 503 if the keys are unavailable, rather than refuse a token', async () => {
  google.servesKeys = false
  expect([await heartbeat(bearer()), await discover(bearer())]).toEqual([
    { status: 503, error: 'UNAVAILABLE' },
    { status: 503, error: 'UNAVAILABLE' },
  ])
})

test('asks nothing of Google but keys, its own identity, signatures and accounts', () => {
  expect(google.refused).toEqual([])
  expect(served.logs()).not.toContain('stand-in: refused')
})

function bearer(change?: TokenChange): string {
  return `Bearer ${google.idToken(agent.agentId, change)}`
}

function signed(payload: unknown): string {
  return jwt({ alg: 'RS256', kid: google.keyId, typ: 'JWT' }, payload, strangersKey)
}

async function heartbeat(authorization?: string) {
  return outcome(await served.origin('heartbeat'), { data: {} }, authorization)
}

async function discover(authorization?: string) {
  return outcome(`${await served.origin('api')}/api/v1/rooms/dating/agents:discover`, {}, authorization)
}

async function outcome(url: string, body: unknown, authorization?: string) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) },
    body: JSON.stringify(body),
  })
  const { error } = (await response.json()) as { error?: { status: string } }
  return { status: response.status, ...(error === undefined ? {} : { error: error.status }) }
}

function decoded(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
}

/** True for a part of a header that could not be in a log by chance. */
function isTelling(part: string): boolean {
  return part.length >= 20
}
