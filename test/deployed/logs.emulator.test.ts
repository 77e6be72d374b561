import { callables, type CallableName, type Client } from '@koko/contract'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { randomBytes, randomUUID } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { channelsOf, profileOf } from '../../testing/deployed/agents.ts'
import { standInForGoogle, type Google } from '../../testing/deployed/google.ts'
import { buildFolder, serve, type Served } from '../../testing/deployed/serve.ts'
import { secret } from '../../testing/deployed/start-function.ts'
import { registerWith, type Registered } from '../../testing/register.ts'

const projectId = `demo-logs-${process.pid}`
const timeoutMs = 60_000
const cleanUp = new AsyncDisposableStack()
const names = Object.keys(callables) as CallableName[]

let google: Google
let served: Served

/** Every value that this file sent or received and that no log may contain. */
const told = new Set<string>([secret])

beforeAll(async () => {
  google = cleanUp.use(await standInForGoogle(projectId))
  const { folder } = cleanUp.use(await buildFolder())
  served = cleanUp.use(await serve(folder, projectId, google))
  await Promise.all([...names, 'api', 'republishDiscovery'].map(served.origin))
}, timeoutMs)
afterAll(() => cleanUp.disposeAsync())

test(
  'serves the whole life of an agent',
  async () => {
    const [ann, ben, cas] = [await arrive(1), await arrive(2), await arrive(3)]
    expect(await republish()).toBe(200)

    const first = await ann.client.request('discover', { params: { room: 'dating' }, input: { pageSize: 1 } })
    const pageToken = tell(first.nextPageToken ?? '')
    const second = await ann.client.request('discover', {
      params: { room: 'dating' },
      input: { pageSize: 1, pageToken },
    })
    expect([...first.agents, ...second.agents].map(({ agentId }) => agentId).sort()).toEqual(
      [ben.agentId, cas.agentId].sort(),
    )
    await expect(ben.client.request('discover', { params: { room: 'dating' }, input: { pageToken } })).rejects.toThrow(
      'pageToken',
    )
    const agentIds = [cas.agentId, randomUUID(), ben.agentId]
    const { agents, missing } = await ann.client.request('batchGet', {
      params: { room: 'dating' },
      input: { agentIds },
    })
    expect([agents.length, missing.length]).toEqual([2, 1])

    await ann.client.call('unlinkChannel', { channel: 'telegram' })
    const { published, withheld } = await publish(ann.client, 1)
    expect(Object.keys(published?.channels ?? {}).sort()).toEqual(['discord', 'slack', 'whatsapp'])
    expect(withheld.map(({ channel }) => channel)).toEqual(['telegram'])
    expect(await republish()).toBe(200)

    const link = await ann.client.call('createSettingsLink', {})
    const code = tell(new URL(link.url).hash.slice('#code='.length))
    const anyone = await served.client()
    const redeemed = await anyone.call('redeemSettingsLink', { code })
    const settings = await served.client({ token: tell(redeemed.token) })
    await expect(anyone.call('redeemSettingsLink', { code })).rejects.toMatchObject({ code: 'not-found' })
    await expect(publish(settings, 1)).rejects.toMatchObject({ code: 'permission-denied' })
    await settings.call('relinkChannel', { channel: 'telegram' })
    expect((await publish(ann.client, 1)).withheld).toEqual([])
    const exported = await settings.call('exportAgent', {})
    expect(exported.documents).toMatchObject({ [`agents/${ann.agentId}`]: { agentId: ann.agentId } })
    expect(exported.signIn).toMatchObject({ uid: ann.agentId })

    const rotated = await ann.client.call('rotateSecret', {})
    const again = await anyone.call('signInAgent', { agentId: ann.agentId, secret: tell(rotated.secret) })
    await expect(publish(ann.client, 1)).rejects.toMatchObject({ code: 'unauthenticated' })
    const old = { agentId: ann.agentId, secret: ann.secret }
    await expect(anyone.call('signInAgent', old)).rejects.toMatchObject({ code: 'unauthenticated' })
    const session = await served.client({ token: tell(again.token) })
    await session.call('heartbeat', {})

    await ben.client.call('unregisterAgent', {})
    await ben.client.call('unregisterAgent', {})
    await expect(ben.client.call('heartbeat', {})).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(await republish()).toBe(200)
    const left = await session.request('batchGet', {
      params: { room: 'dating' },
      input: { agentIds: [cas.agentId, ben.agentId] },
    })
    expect(left.agents.map(({ agentId }) => agentId)).toEqual([cas.agentId])
  },
  timeoutMs,
)

test(
  'unlinks in documents that it cannot read, and answers the rest with internal errors that say nothing',
  async () => {
    const dee = await arrive(4)
    const listing = `mcpDirectory/dating/agents/${dee.agentId}`
    await plant(listing, { agentId: dee.agentId, telegram: channelsOf(4).telegram, area: profileOf(4).area })
    await plant(`changes/${dee.agentId}`, { room: channelsOf(4).telegram })
    const exported = await dee.client.call('exportAgent', {})
    expect(exported.documents).toMatchObject({ [listing]: { telegram: channelsOf(4).telegram } })
    await dee.client.call('unlinkChannel', { channel: 'telegram' })
    await publish(dee.client, 4)
    await plant(`accounts/${dee.agentId}`, { secretHash: dee.secret })
    await expect(dee.client.call('heartbeat', {})).rejects.toMatchObject({ code: 'internal' })
    expect(served.logs()).toContain('"severity":"ERROR","message":"Error: fault')
  },
  timeoutMs,
)

const [handle, number] = [tell('handle_in_the_logs'), tell('+447700900198').slice(1)]
/** Short enough to be whole in what a parser quotes of its input. */
const short = tell('x_handle')
const wrong = tell(randomBytes(32).toString('base64url'))
/** Bodies that no callable takes, with handles where a mistaken client could put them. */
const refused: Record<string, [body: string | Uint8Array<ArrayBuffer>, headers?: Record<string, string>]> = {
  'no JSON': [`telegram=${handle}&secret=${wrong}`],
  'JSON that is cut off': [`{"data": {"channels": {"telegram": "${handle}", "whatsapp": "${number}"`],
  'a body without data': [JSON.stringify({ channels: { telegram: handle }, secret: wrong })],
  'a body with more than data': [JSON.stringify({ data: {}, [handle]: wrong })],
  'a key that is a handle': [JSON.stringify({ data: { [handle]: number, [number]: handle } })],
  'a handle in each place': [
    JSON.stringify({
      data: {
        ...Object.fromEntries(
          ['agentId', 'category', 'channel', 'channels', 'code', 'consents'].map((key) => [key, handle]),
        ),
        proof: { challenge: { parameters: { [handle]: number }, signature: handle }, solution: number },
        profile: Object.fromEntries(Object.keys(profileOf(1)).map((key) => [key, handle])),
        secret: handle,
      },
    }),
  ],
  'a type of the platform': [JSON.stringify({ data: { '@type': `type.googleapis.com/${handle}`, value: number } })],
  'a prototype': [`{"data": {"__proto__": {"telegram": "${handle}"}}}`],
  'a gzipped body': [gzipSync(JSON.stringify({ data: { telegram: handle } })), { 'content-encoding': 'gzip' }],
  'a form': [`data=${handle}`, { 'content-type': 'application/x-www-form-urlencoded' }],
  'a content type that is a handle': [JSON.stringify({ data: {}, handle }), { 'content-type': handle }],
  'a long body': [JSON.stringify({ data: { telegram: handle.repeat(5_000) } })],
  'a token that is a handle': [
    JSON.stringify({ data: { handle } }),
    { authorization: `Bearer ${handle}.${handle}.${handle}` },
  ],
  'a token whose claims are handles': [
    JSON.stringify({ data: { handle } }),
    { authorization: `Bearer ${tokenOf(JSON.stringify({ iss: handle, aud: handle, sub: number }))}` },
  ],
  'a token whose claims are no JSON': [
    JSON.stringify({ data: { handle } }),
    { authorization: `Bearer ${tokenOf(`{"telegram": ${short}`)}` },
  ],
  'an attestation that is none': [
    JSON.stringify({ data: { handle } }),
    { 'x-firebase-appcheck': tokenOf(`{"telegram": ${short}`), 'firebase-instance-id-token': wrong },
  ],
}

test.each(Object.entries(refused))(
  'refuses %s, in every callable and in the HTTP API',
  async (_what, [body, headers]) => {
    const origins = await Promise.all(names.map(served.origin))
    const discover = `${await served.origin('api')}/api/v1/rooms/dating/agents:discover`
    for (const url of [...origins, discover]) {
      const authorization = `Bearer ${google.idToken(randomUUID())}`
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization, ...headers },
        body,
      })
      expect([400, 401, 403, 413]).toContain(response.status)
      const text = await response.text()
      expect([handle, number, wrong].filter((value) => text.includes(value))).toEqual([])
    }
  },
)

test('logs nothing private of all this', () => {
  const logs = served.logs()
  expect(logs).toContain('"message":"republished"')
  expect(google.refused).toEqual([])
  expect([...told].filter((text) => text.length > 3 && logs.includes(text))).toEqual([])
  const { maxDistanceKm, ...profile } = profileOf(1)
  expect(logs).not.toMatch(new RegExp(`\\b(${Object.keys(profile).join('|')}|maxDistanceKm)\\b`))
  expect(logs).not.toMatch(new RegExp(`\\b(${maxDistanceKm}|${profile.gender}|${profile.intent})\\b`))
})

/** An agent that has registered, signed in and published. */
async function arrive(index: number): Promise<Registered & { client: Client }> {
  const agent = await registerWith(await served.client())
  for (const text of [agent.agentId, agent.secret, agent.token]) tell(text)
  const client = await served.client(agent)
  await publish(client, index)
  return { ...agent, client }
}

function publish(client: Client, index: number) {
  const [channels, profile] = [channelsOf(index), profileOf(index)]
  for (const text of [...Object.values(channels), profile.area]) tell(text)
  return client.call('publishProfile', { channels, profile })
}

/** As Cloud Scheduler does it: https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#HttpTarget */
async function republish(): Promise<number> {
  const response = await fetch(await served.origin('republishDiscovery'), {
    method: 'POST',
    headers: {
      'content-type': 'application/octet-stream',
      'user-agent': 'Google-Cloud-Scheduler',
      'x-cloudscheduler': 'true',
      'x-cloudscheduler-jobname': 'firebase-schedule-republishDiscovery-us-central1',
      'x-cloudscheduler-scheduletime': new Date().toISOString(),
    },
  })
  return response.status
}

/** Replaces a document by one whose fields are text. */
async function plant(path: string, fields: Record<string, string>): Promise<void> {
  const documents = `http://${process.env.FIRESTORE_EMULATOR_HOST ?? ''}/v1/projects/${projectId}/databases/(default)/documents`
  const response = await fetch(`${documents}/${path}`, {
    method: 'PATCH',
    headers: { authorization: 'Bearer owner', 'content-type': 'application/json' },
    body: JSON.stringify({
      fields: Object.fromEntries(Object.entries(fields).map(([key, stringValue]) => [key, { stringValue }])),
    }),
  })
  if (!response.ok) throw new Error(await response.text())
}

/** Notes what must not be logged: the text, a number without its sign, and each part of a token. */
function tell(text: string): string {
  for (const part of [text, text.replace(/^\+/, ''), ...text.split('.')]) told.add(part)
  return text
}

function tokenOf(claims: string): string {
  const parts = [JSON.stringify({ alg: 'RS256', kid: 'fictional', typ: 'JWT' }), claims].map((part) =>
    Buffer.from(part),
  )
  return tell([...parts.map((part) => part.toString('base64url')), randomBytes(32).toString('base64url')].join('.'))
}
