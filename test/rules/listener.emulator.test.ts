import { initializeTestEnvironment } from '@firebase/rules-unit-testing'
import type { RulesTestEnvironment } from '@firebase/rules-unit-testing'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { setLogLevel } from 'firebase/firestore'
import { firestoreRules } from '../../scripts/generate/generate-rules.ts'
import { exactDocument, ownId, rows } from './documents.ts'
import type { Fields, Row } from './documents.ts'

const projectId = `demo-rules-listener-${process.pid}`
const agentId = '00000000-0000-4000-8000-000000000001'
const timeoutMs = 30_000

let environment: RulesTestEnvironment

beforeAll(async () => {
  // The SDK warns of every refusal, and refusals are what is tested.
  setLogLevel('silent')
  environment = await initializeTestEnvironment({ projectId, firestore: { rules: firestoreRules() } })
}, timeoutMs)
beforeEach(() => environment.clearFirestore())
afterAll(() => environment.cleanup())

const table = Object.entries(rows).map(([name, row]): { name: string; row: Row } => ({ name, row }))

test.each(table)(
  "keeps an owner's listener through the creation, change and deletion of its $name",
  async ({ row }) => {
    const [first, second] = [documentOf(row), { ...documentOf(row), ...changeOf(row) }]
    const path = row.path(agentId)
    using events = listen(path)
    expect(await events.next()).toBe('absent')
    await put(path, first)
    expect(await events.next()).toEqual(first)
    await put(path, second)
    expect(await events.next()).toEqual(second)
    await remove(path)
    expect(await events.next()).toBe('absent')
    await put(path, first)
    expect(await events.next()).toEqual(first)
  },
  timeoutMs,
)

test.each(table)(
  "ends an owner's listener when a field is added to its $name",
  async ({ row }) => {
    const path = row.path(agentId)
    await put(path, documentOf(row))
    using events = listen(path)
    expect(await events.next()).toEqual(documentOf(row))
    await put(path, { ...documentOf(row), extra: 'extra' })
    expect(await events.next()).toBe('permission-denied')
  },
  timeoutMs,
)

test(
  "shows a listener nothing more once the agent's secret was rotated",
  async () => {
    const { path, group } = rows.badge
    await put(path(agentId), documentOf({ path, group }))
    using events = listen(path(agentId))
    expect(await events.next()).toEqual(documentOf({ path, group }))
    await put(`accounts/${agentId}`, { generation: 1 })
    await remove(path(agentId))
    expect(await events.next()).toBe('permission-denied')
  },
  timeoutMs,
)

function documentOf({ group }: Row): Fields {
  return Object.fromEntries(
    Object.entries(exactDocument(group)).map(([field, value]) => [field, value === ownId ? agentId : value]),
  )
}

/** Another value for the last field of the row, in the shape that it has. */
function changeOf({ group }: Row): Fields {
  const [field, node] = Object.entries(group.fields).at(-1) ?? []
  if (field === undefined || node === undefined) throw new Error('a row without fields')
  if ('fields' in node) {
    const [inner] = Object.keys(node.fields)
    return { [field]: { ...exactDocument(node), [String(inner)]: 1_800_000_000_001 } }
  }
  return { [field]: 1_800_000_000_001 }
}

/** What the owner's own SDK is told of a document, one after the other. */
function listen(path: string): Disposable & { next: () => Promise<unknown> } {
  const events: unknown[] = []
  let wake: (() => void) | undefined
  const tell = (event: unknown) => {
    events.push(event)
    wake?.()
  }
  const stop = environment
    .authenticatedContext(agentId)
    .firestore()
    .doc(path)
    .onSnapshot(
      (snapshot) => tell(snapshot.data() ?? 'absent'),
      ({ code }) => tell(code),
    )
  return {
    next: async () => {
      while (events.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      return events.shift()
    },
    [Symbol.dispose]: stop,
  }
}

async function put(path: string, document: Fields): Promise<void> {
  await environment.withSecurityRulesDisabled((server) => server.firestore().doc(path).set(document))
}

async function remove(path: string): Promise<void> {
  await environment.withSecurityRulesDisabled((server) => server.firestore().doc(path).delete())
}
