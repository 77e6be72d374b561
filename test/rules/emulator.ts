import { operations, planted } from './cases.ts'
import type { Case, Token } from './cases.ts'
import { ownId } from './documents.ts'
import type { Fields } from './documents.ts'

/** The Firestore emulator, spoken to in its own REST protocol: thousands of clients cost nothing there. */
export interface Emulator {
  readonly origin: string
  readonly projectId: string
}

export function emulatorOf(projectId: string): Emulator {
  const host = process.env.FIRESTORE_EMULATOR_HOST
  if (!host) throw new Error('FIRESTORE_EMULATOR_HOST is not set: run this through npm run with-emulators')
  return { origin: `http://${host}`, projectId }
}

/** How many requests are under way at once. */
const lanes = 8
/** The most writes of one commit. */
const commitSize = 400

/** Loads the rules, or throws what the emulator's compiler says of them. */
export async function loadRules({ origin, projectId }: Emulator, content: string): Promise<void> {
  const answer = await fetch(`${origin}/emulator/v1/projects/${projectId}:securityRules`, {
    method: 'PUT',
    body: JSON.stringify({ rules: { files: [{ content }] } }),
  })
  if (!answer.ok) throw new Error(`${await answer.text()}\n${content}`)
}

/** Makes the store hold exactly the planted documents. */
export async function plant(emulator: Emulator): Promise<void> {
  const { origin, projectId } = emulator
  const store = await fetch(`${origin}/emulator/v1/${root(projectId)}`, { method: 'DELETE' })
  if (!store.ok) throw new Error(await store.text())
  for (let from = 0; from < planted.length; from += commitSize) {
    const writes = planted
      .slice(from, from + commitSize)
      .map(({ path, agentId, document }) => ({ update: documentOf(projectId, path, document, agentId) }))
    const answer = await send(emulator, ':commit', 'owner', { writes })
    if (!answer.ok) throw new Error(await answer.text())
  }
}

/** Undoes what the cases among these wrote that should not have. */
export async function restore(emulator: Emulator, cases: readonly Case[]): Promise<void> {
  const writes = cases
    .filter(({ operation }) => operations[operation].isWrite)
    .map(({ path, agentId }) => {
      const was = planted.find((one) => one.path === path)
      const update = documentOf(emulator.projectId, path, was?.document ?? {}, agentId)
      return was ? { update } : { delete: update.name }
    })
  if (writes.length === 0) return
  const answer = await send(emulator, ':commit', 'owner', { writes })
  if (!answer.ok) throw new Error(await answer.text())
}

/** The cases whose outcome is not the expected one, in order; with `stopAtFirst` at most those under way with it. */
export async function brokenCases(emulator: Emulator, cases: readonly Case[], stopAtFirst = false): Promise<Case[]> {
  const broken = new Set<Case>()
  const queue = cases.values()
  const lane = async () => {
    for (const one of queue) {
      if ((await isAllowed(emulator, one)) !== one.allowed) broken.add(one)
      if (stopAtFirst && broken.size > 0) return
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return cases.filter((one) => broken.has(one))
}

async function isAllowed(emulator: Emulator, one: Case): Promise<boolean> {
  const answer = await request(emulator, one)
  const body = await answer.text()
  if (answer.status === 403) return false
  // Rules let the request through, and then there was no such document, or there was one already.
  if (answer.ok || answer.status === 404 || answer.status === 409) return true
  throw new Error(`${one.name}: ${answer.status} ${body}`)
}

function request(emulator: Emulator, { operation, path, agentId, document, token }: Case): Promise<Response> {
  const bearer = token && bearerOf(emulator, token)
  const [, parent = '', collectionId = ''] = /^(.*?)\/?([^/]+)\/[^/]+$/.exec(path) ?? []
  const below = parent && `/${parent}`
  const name = `${root(emulator.projectId)}/${path}`
  const write = (body: object) => send(emulator, ':commit', bearer, { writes: [body] })
  const put = () => ({ update: documentOf(emulator.projectId, path, document, agentId) })
  const mask = { updateMask: { fieldPaths: Object.keys(document) } }
  const where = (fieldPath: string, value: object, allDescendants = false) => ({
    from: [{ collectionId, allDescendants }],
    where: { fieldFilter: { field: { fieldPath }, op: 'EQUAL', value } },
  })
  const ofAgent = { stringValue: agentId }
  switch (operation) {
    case 'gets':
    case 'gets null, as there is none yet, for':
      return send(emulator, `/${path}`, bearer)
    case 'lists the collection of':
      return send(emulator, `${below}/${collectionId}`, bearer)
    case 'lists what has the id of':
      return send(emulator, `${below}:runQuery`, bearer, {
        structuredQuery: where('__name__', { referenceValue: name }),
      })
    case 'lists what has the agentId of':
      return send(emulator, `${below}:runQuery`, bearer, { structuredQuery: where('agentId', ofAgent) })
    case 'queries all collections named like that of':
      return send(emulator, ':runQuery', bearer, { structuredQuery: where('agentId', ofAgent, true) })
    case 'counts':
      return send(emulator, `${below}:runAggregationQuery`, bearer, {
        structuredAggregationQuery: {
          structuredQuery: where('agentId', ofAgent),
          aggregations: [{ alias: 'n', count: {} }],
        },
      })
    case 'creates':
      return write({ ...put(), currentDocument: { exists: false } })
    case 'replaces':
      return write(put())
    case 'merges into':
      return write({ ...put(), ...mask })
    case 'updates':
      return write({ ...put(), ...mask, currentDocument: { exists: true } })
    case 'deletes':
      return write({ delete: name })
  }
}

function send({ origin, projectId }: Emulator, path: string, bearer: string | null, body?: object): Promise<Response> {
  return fetch(`${origin}/v1/${root(projectId)}${path}`, {
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
    headers: { 'content-type': 'application/json', ...(bearer !== null && { authorization: `Bearer ${bearer}` }) },
  })
}

function root(projectId: string): string {
  return `projects/${projectId}/databases/(default)/documents`
}

function bearerOf({ projectId }: Emulator, claims: NonNullable<Token>): string {
  const iat = Math.floor(Date.now() / 1_000)
  const payload = {
    iss: `https://securetoken.google.com/${projectId}`,
    aud: projectId,
    iat,
    exp: iat + 3_600,
    ...claims,
  }
  return [{ alg: 'none', typ: 'JWT' }, payload]
    .map((part) => `${Buffer.from(JSON.stringify(part)).toString('base64url')}.`)
    .join('')
}

function documentOf(projectId: string, path: string, document: Fields, agentId: string) {
  return { name: `${root(projectId)}/${path}`, fields: encodeFields(document, agentId) }
}

function encodeFields(fields: object, agentId: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, encode(value, agentId)]))
}

function encode(value: unknown, agentId: string): Record<string, unknown> {
  if (value === ownId) return { stringValue: agentId }
  if (value === null) return { nullValue: null }
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { booleanValue: value }
  if (typeof value === 'number')
    return Number.isInteger(value) ? { integerValue: String(value) } : { doubleValue: value }
  if (value instanceof Date) return { timestampValue: value.toISOString() }
  if (value instanceof Uint8Array) return { bytesValue: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return { arrayValue: { values: value.map((item) => encode(item, agentId)) } }
  if (typeof value === 'object') return { mapValue: { fields: encodeFields(value, agentId) } }
  throw new Error(`No Firestore value for a ${typeof value}`)
}
