import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { DirectoryError, secondMs } from '@koko/contract'
import { createSignIns, loadAuth } from '../src/adapters/firebase-auth.ts'
import { createFirestoreStore } from '../src/adapters/firestore.ts'
import { republishDiscovery } from '../src/discovery/republish.ts'
import { createDiscoveryView } from '../src/discovery/view.ts'
import { handleHttp, type Api } from '../src/http.ts'
import { batchDeadlines, viewRefreshAgeMs } from '../src/limits.ts'
import { OutcomeUnknown, type Ports, type Store } from '../src/ports.ts'
import { createRecentErrors } from '../src/status.ts'
import { createTcpProxy, type TcpProxy } from '../../testing/tcp-proxy.ts'
import { call, createWorld, profileIn, refusalOf, register, type TestAgent } from '../../testing/world.ts'

const projectId = `demo-deadlines-${process.pid}`
/** Long enough for a busy machine, and shorter than in production, so that the file does not take minutes. */
const deadlines = { readMs: 3 * secondMs, transactionMs: 6 * secondMs, patientTransactionMs: 6 * secondMs }
const timeoutMs = 60_000
const cleanUp = new AsyncDisposableStack()

let firestoreProxy: TcpProxy
let authProxy: TcpProxy
let direct: Store
let agents: TestAgent[]
const world = createWorld(Date.now())
/** The republish compares it with the emulator's clock, which goes on while the world's stands still. */
const machineNow = () => new Date()

beforeAll(async () => {
  const { FIRESTORE_EMULATOR_HOST: firestore = '', FIREBASE_AUTH_EMULATOR_HOST: auth = '' } = process.env
  direct = cleanUp.use(createFirestoreStore(projectId, batchDeadlines))
  agents = [await publish('ann_waits'), await publish('ben_waits')]
  await republishDiscovery({ ...world.ports, store: direct }, machineNow)
  firestoreProxy = await createTcpProxy(firestore)
  authProxy = await createTcpProxy(auth)
  // The clients read the addresses of the emulators from here, with every new connection.
  process.env.FIRESTORE_EMULATOR_HOST = firestoreProxy.host
  process.env.FIREBASE_AUTH_EMULATOR_HOST = authProxy.host
}, timeoutMs)
afterEach(() => {
  firestoreProxy.resume()
  authProxy.resume()
})
afterAll(async () => {
  // A store closes when its calls have ended.
  await firestoreProxy[Symbol.asyncDispose]()
  await authProxy[Symbol.asyncDispose]()
  await cleanUp.disposeAsync()
}, timeoutMs)

/** A listed agent. */
async function publish(telegram: string): Promise<TestAgent> {
  const at = { ...world, ports: { ...world.ports, store: direct } }
  const agent = await register(at)
  await call(at, 'publishProfile', agent.claims, { channels: { telegram }, profile: profileIn('gcpv') })
  return agent
}

/** An instance whose database is behind the proxy. */
function newInstance(store: Store = cleanUp.use(createFirestoreStore(projectId, deadlines))) {
  const ports: Ports = { ...world.ports, store }
  const project = { projectId, apiKey: '', emulators: undefined }
  const recentErrors = createRecentErrors(world.clock.monotonicMs)
  const api: Api = { ports, view: createDiscoveryView(ports), project, recentErrors, onFault: () => undefined }
  const send = (method: string, url: string) =>
    handleHttp(
      api,
      {
        method,
        url,
        authorization: `Bearer ${JSON.stringify(agents[0]?.claims)}`,
        contentType: undefined,
        body: new Uint8Array(),
      },
      world.clock.now(),
    )
  return {
    ports,
    health: () => send('GET', '/api/v1/health'),
    discover: () => send('POST', '/api/v1/rooms/dating/agents:discover'),
  }
}

function expectUnavailable(answer: { status: number; body: unknown }): void {
  expect(answer).toMatchObject({
    status: 503,
    body: { error: { status: 'UNAVAILABLE', message: expect.stringContaining('Try again in a minute.') } },
  })
}

test(
  'a new instance answers 503 while the database hangs, and the next request after that succeeds',
  async () => {
    const { discover, health } = newInstance()
    firestoreProxy.stall()
    const answers = await Promise.all([health(), discover(), ...Array.from({ length: 20 }, discover)])
    answers.forEach(expectUnavailable)
    firestoreProxy.resume()
    expect(await discover()).toMatchObject({ status: 200 })
    expect(await health()).toMatchObject({ status: 503, body: { late: false, recentErrors: 21 } })
  },
  timeoutMs,
)

test(
  'an instance that has served answers 503 while the database hangs',
  async () => {
    const { discover } = newInstance()
    expect(await discover()).toMatchObject({ status: 200 })
    firestoreProxy.stall()
    world.clock.advance(viewRefreshAgeMs + secondMs)
    const hanging = Array.from({ length: 20 }, discover)
    world.clock.advance(2 * secondMs)
    for (const answer of await Promise.all([...hanging, discover()])) expectUnavailable(answer)
    firestoreProxy.resume()
    expect(await discover()).toMatchObject({ status: 200 })
  },
  timeoutMs,
)

test(
  'a connection that never answers again is used no longer than until one deadline has passed',
  async () => {
    const { discover } = newInstance()
    expect(await discover()).toMatchObject({ status: 200 })
    firestoreProxy.stall()
    world.clock.advance(viewRefreshAgeMs + secondMs)
    expectUnavailable(await discover())
    firestoreProxy.resumeNew()
    expect(await discover()).toMatchObject({ status: 200 })
  },
  timeoutMs,
)

test(
  'an instance answers 503 while the database refuses connections, and the next request after that succeeds',
  async () => {
    const { discover, health } = newInstance()
    await firestoreProxy.refuse()
    expectUnavailable(await health())
    expectUnavailable(await discover())
    await firestoreProxy.accept()
    expect(await discover()).toMatchObject({ status: 200 })
  },
  timeoutMs,
)

test(
  'a transaction whose first read hangs throws, stores nothing later, and locks nothing: repeated, it succeeds',
  async () => {
    const { ports } = newInstance()
    const ann = await publish('ann_unlinks')
    firestoreProxy.stall()
    const stopped = await refusalOf(call({ ...world, ports }, 'unlinkChannel', ann.claims, { channel: 'telegram' }))
    expect(stopped).toMatchObject({
      code: 'unavailable',
      message: 'The database does not answer. Try again in a minute.',
    })
    firestoreProxy.resume()
    expect(await direct.get([`unlinks/${ann.agentId}`])).toEqual([null])
    const { channel } = await call({ ...world, ports }, 'unlinkChannel', ann.claims, { channel: 'telegram' })
    expect(channel).toBe('telegram')
  },
  timeoutMs,
)

test(
  'a transaction that passed its deadline before its commit stores nothing later',
  async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<undefined>()
    const store = createFirestoreStore(projectId, { ...deadlines, transactionMs: secondMs })
    const late = store.transaction(async (transaction) => {
      await gate
      transaction.set('cases/late', { is: 'stored' })
    })
    expect(await refusalOf(late)).toMatchObject({ code: 'unavailable' })
    open(undefined)
    // Closing waits for what still goes on.
    await store[Symbol.asyncDispose]()
    expect(await direct.get(['cases/late'])).toEqual([null])
  },
  timeoutMs,
)

test(
  'a commit whose answer is lost has an unknown outcome, and is not tried again',
  async () => {
    const store = cleanUp.use(createFirestoreStore(projectId, deadlines))
    let attempts = 0
    const add = () =>
      store.transaction(async (transaction) => {
        const [fields] = await transaction.get(['cases/counted'])
        attempts += 1
        if (attempts === 1) firestoreProxy.stallAnswers()
        const count = Number(fields?.count ?? 0) + 1
        transaction.set('cases/counted', { count })
        return count
      })
    await expect(add()).rejects.toBeInstanceOf(OutcomeUnknown)
    firestoreProxy.resumeNew()
    expect(await add()).toBe(2)
    expect(attempts).toBe(2)
  },
  timeoutMs,
)

test(
  'a commit that never arrives has an unknown outcome, and is not tried again',
  async () => {
    const store = cleanUp.use(createFirestoreStore(projectId, deadlines))
    const write = (text: string) =>
      store.transaction((transaction) => {
        transaction.set('cases/written', { text })
        return Promise.resolve()
      })
    firestoreProxy.stall()
    await expect(write('first')).rejects.toBeInstanceOf(OutcomeUnknown)
    firestoreProxy.resumeNew()
    expect(await direct.get(['cases/written'])).toEqual([null])
    await write('second')
    expect(await direct.get(['cases/written'])).toEqual([{ text: 'second' }])
  },
  timeoutMs,
)

test(
  'a run of the republish that meets a hanging database ends, and the next run does its work',
  async () => {
    const store = cleanUp.use(createFirestoreStore(projectId, deadlines))
    await publish('cas_waits')
    const stalling: Store = {
      ...store,
      transaction: (work) =>
        store.transaction((transaction) => {
          firestoreProxy.stall()
          return work(transaction)
        }),
    }
    await expect(republishDiscovery({ ...world.ports, store: stalling }, machineNow)).rejects.toBeInstanceOf(
      DirectoryError,
    )
    firestoreProxy.resume()
    const report = await republishDiscovery({ ...world.ports, store }, machineNow)
    expect(report).toMatchObject({ finished: true })
    expect(await direct.count('changes')).toBe(0)
  },
  timeoutMs,
)

test(
  'sign-ins that hang are unavailable, and the next call after that succeeds',
  async () => {
    const signIns = createSignIns(() => loadAuth(projectId), deadlines.readMs)
    expect(await signIns.record('nobody')).toEqual({})
    const part = (json: object) => Buffer.from(JSON.stringify(json)).toString('base64url')
    const times = { iat: Math.floor(Date.now() / secondMs), exp: Math.floor(Date.now() / secondMs) + 3_600 }
    const issuer = { iss: `https://securetoken.google.com/${projectId}`, aud: projectId, sub: 'nobody' }
    const idToken = `${part({ alg: 'none', typ: 'JWT' })}.${part({ ...times, auth_time: times.iat, ...issuer })}.`
    expect(await signIns.verify(idToken)).toMatchObject({ uid: 'nobody' })
    authProxy.stall()
    const calls = [
      signIns.verify(idToken),
      signIns.record('nobody'),
      signIns.revoke('nobody'),
      signIns.remove('nobody'),
    ]
    for (const each of calls) expect(await refusalOf(each)).toMatchObject({ code: 'unavailable' })
    authProxy.resumeNew()
    expect(await signIns.verify(idToken)).toMatchObject({ uid: 'nobody' })
    expect(await signIns.record('nobody')).toEqual({})
  },
  timeoutMs,
)
