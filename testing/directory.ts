import {
  callables,
  DirectoryError,
  type CallableName,
  type Config,
  type DatingProfile,
  type Listing,
} from '@koko/contract'
import * as z from 'zod'
import { createProofs } from '../functions/src/adapters/altcha.ts'
import { parseCallableBody } from '../functions/src/body.ts'
import { runCallable } from '../functions/src/calls.ts'
import { createDiscoveryView } from '../functions/src/discovery/view.ts'
import { errorResponse, handleHttp } from '../functions/src/http.ts'
import type { Fields, Ports } from '../functions/src/ports.ts'
import { republishDiscovery } from '../functions/src/discovery/republish.ts'
import { claimsOf } from '../functions/src/sessions.ts'
import { createRecentErrors } from '../functions/src/status.ts'
import { call, createWorld, profileIn, register, type Claims, type World } from './world.ts'

/** A request as the network saw it. */
export interface SeenRequest {
  method: string
  /** Without the query, in which only the sign-in's public key travels. */
  url: string
  /** What is asked for: a callable's name, `config`, `health`, `discover`, `batchGet`, `exchange` or `renew`. */
  name: string
  /** The JSON sent; a callable's without the `data` around it. */
  body: unknown
}

/** A whole directory in this process: the real handlers on a store in memory, with a clock that the test moves. */
export interface TestDirectory {
  origin: string
  projectId: string
  world: World
  clock: World['clock']
  fetch: (url: string, init: RequestInit) => Promise<Response>
  /** Every request that was sent, one that failed included. */
  requests: SeenRequest[]
  /** Nobody answers while this is true. */
  isDown: boolean
  /** Stands between the agent and the directory: may answer itself, fail, or lose the answer after it was given. */
  intercept: (request: SeenRequest, answer: () => Promise<Response>) => Promise<Response>
  /** Runs the republish once, as the schedule does each minute. */
  republish: () => Promise<void>
  /** Lets time pass, and the schedule run; of a long time only the last hour of it. */
  pass: (ms: number) => Promise<void>
  /** A peer that is listed, found by discovery at once. */
  addPeer: (peer?: { channels?: Listing['channels']; profile?: Partial<DatingProfile> }) => Promise<TestPeer>
}

export interface TestPeer {
  agentId: string
  claims: Claims
  /** Calls as the peer. */
  call: <Name extends CallableName>(name: Name, data?: unknown) => Promise<z.output<(typeof callables)[Name]['output']>>
}

export interface TestDirectoryOptions {
  origin?: string
  projectId?: string
  startMs?: number
  /** A directory that says that it runs under emulators. */
  isEmulated?: boolean
}

const minute = 60_000
const hour = 3_600_000

/** The library that checks proofs compares with this machine's clock, so that the tests' challenges end far ahead. */
export const startMs = Date.UTC(2100, 0, 15, 12)

const emulators = {
  auth: { host: '127.0.0.1', port: 9099 },
  firestore: { host: '127.0.0.1', port: 8080 },
  functions: { host: '127.0.0.1', port: 5001 },
}

export async function createTestDirectory({
  isEmulated = false,
  // Emulators belong to a directory on this machine.
  origin = isEmulated ? 'http://127.0.0.1:5000' : 'https://directory.example',
  projectId = 'demo-agent',
  startMs: beginMs = startMs,
}: TestDirectoryOptions = {}): Promise<TestDirectory> {
  const world = createWorld(beginMs)
  const { clock } = world
  const signIns = createSignIns(world)
  const ports: Ports = {
    ...world.ports,
    signIns: signIns.port,
    proofs: createProofs({ signature: 'one key of the tests', solution: 'another key of the tests' }, 1),
    webOrigin: origin,
  }
  const api = {
    ports,
    view: createDiscoveryView(ports),
    project: { projectId, apiKey: 'the-public-key', emulators: isEmulated ? emulators : undefined } satisfies Pick<
      Config,
      'projectId' | 'apiKey' | 'emulators'
    >,
    recentErrors: createRecentErrors(ports.monotonicMs),
    onFault,
  }
  const bases = isEmulated
    ? {
        functions: `http://127.0.0.1:5001/${projectId}/us-central1/`,
        exchange: 'http://127.0.0.1:9099/identitytoolkit.googleapis.com/v1/accounts:signInWithCustomToken',
        renew: 'http://127.0.0.1:9099/securetoken.googleapis.com/v1/token',
      }
    : {
        functions: `https://us-central1-${projectId}.cloudfunctions.net/`,
        exchange: 'https://identitytoolkit.googleapis.com/v1/accounts:signInWithCustomToken',
        renew: 'https://securetoken.googleapis.com/v1/token',
      }

  async function serve(url: string, init: RequestInit): Promise<Response> {
    const body = bytesOf(init.body)
    const headers = new Headers(init.headers)
    const authorization = headers.get('authorization') ?? undefined
    if (url === bases.exchange) return tokens(signIns.exchange(jsonOf(body)))
    if (url === bases.renew) return tokens(signIns.renew(jsonOf(body)))
    if (url.startsWith(bases.functions)) {
      return callable(url.slice(bases.functions.length), authorization, body)
    }
    if (!url.startsWith(`${origin}/`)) throw new TypeError('fetch failed')
    const contentType = headers.get('content-type') ?? undefined
    const answer = await handleHttp(
      api,
      { method: init.method ?? 'GET', url: url.slice(origin.length), authorization, contentType, body },
      clock.now(),
    )
    return respond(answer.status, answer.body, answer.headers)
  }

  async function callable(name: string, authorization: string | undefined, body: Uint8Array): Promise<Response> {
    if (!isCallable(name)) return respond(404, {})
    try {
      const data = parseCallableBody(body)
      const claims = callables[name].caller === 'anyone' ? null : await claimsOf(ports, authorization)
      return respond(200, { result: await runCallable(ports, name, claims, data, clock.now()) })
    } catch (error) {
      if (!(error instanceof DirectoryError)) throw error
      const { status, body } = errorResponse(error)
      return respond(status, body)
    }
  }

  const respond = (status: number, body: unknown, headers: Record<string, string> = {}) =>
    new Response(JSON.stringify(body), {
      status,
      headers: { ...headers, 'content-type': 'application/json', date: clock.now().toUTCString() },
    })
  const tokens = (given: object | null) =>
    given === null ? respond(400, { error: { code: 400, message: 'INVALID' } }) : respond(200, given)

  let nextRunMs = clock.monotonicMs() + minute
  const directory: TestDirectory = {
    origin,
    projectId,
    world,
    clock,
    requests: [],
    isDown: false,
    intercept: (_request, answer) => answer(),
    async fetch(url, init) {
      const { signal } = init
      signal?.throwIfAborted()
      const [path = ''] = url.split('?')
      const request = { method: init.method ?? 'GET', url: path, name: nameOf(path), body: seenBody(init) }
      directory.requests.push(request)
      const answered = directory.intercept(request, async () => {
        if (directory.isDown) throw new TypeError('fetch failed')
        return serve(path, init)
      })
      if (signal === null || signal === undefined) return answered
      return untilAborted(signal, answered)
    },
    async republish() {
      await republishDiscovery(ports, clock.now, undefined, onFault)
    },
    async pass(ms) {
      const endMs = clock.monotonicMs() + ms
      nextRunMs = Math.max(nextRunMs, endMs - hour)
      while (nextRunMs <= endMs) {
        clock.advance(nextRunMs - clock.monotonicMs())
        await directory.republish()
        nextRunMs += minute
      }
      clock.advance(endMs - clock.monotonicMs())
    },
    async addPeer({ channels = { telegram: 'a_fictional_peer' }, profile = {} } = {}) {
      const { agentId, claims } = await register(world)
      await call(world, 'publishProfile', claims, { channels, profile: { ...profileIn('gcpv'), ...profile } })
      await directory.republish()
      return { agentId, claims, call: (name, data) => call(world, name, claims, data) }
    },
  }
  await directory.republish()
  return directory
}

/** Sign-ins with tokens that end: an ID token after an hour, the refresh token with the sign-in or its revocation. */
function createSignIns({ signIns, clock }: World) {
  const refreshable = new Map<string, Claims>()
  let given = 0

  function give(claims: Claims) {
    given += 1
    const refreshToken = `refresh-${given}`
    refreshable.set(refreshToken, claims)
    const idToken = Buffer.from(JSON.stringify({ claims, untilMs: clock.monotonicMs() + hour })).toString('base64url')
    return { idToken, refreshToken, expiresIn: '3600' }
  }
  const endRefreshing = (agentId: string) => {
    for (const [token, { uid }] of refreshable) if (uid === agentId) refreshable.delete(token)
  }

  return {
    exchange(body: Fields) {
      try {
        return give(signIns.exchange(String(body.token)))
      } catch {
        return null
      }
    },
    renew(body: Fields) {
      const claims = refreshable.get(String(body.refresh_token))
      if (claims === undefined || body.grant_type !== 'refresh_token') return null
      const { idToken, refreshToken, expiresIn } = give(claims)
      return { id_token: idToken, refresh_token: refreshToken, expires_in: expiresIn }
    },
    port: {
      ...signIns,
      verify(idToken: string) {
        const token = IdToken.safeParse(jsonOf(Buffer.from(idToken, 'base64url')))
        const isValid = token.success && token.data.untilMs > clock.monotonicMs()
        return Promise.resolve(isValid ? token.data.claims : null)
      },
      revoke(agentId: string) {
        endRefreshing(agentId)
        return signIns.revoke(agentId)
      },
      remove(agentId: string) {
        endRefreshing(agentId)
        return signIns.remove(agentId)
      },
    },
  }
}

const IdToken = z.object({ claims: z.record(z.string(), z.unknown()), untilMs: z.number() })

function nameOf(url: string): string {
  const last = url.slice(url.lastIndexOf('/') + 1)
  if (last.endsWith(':signInWithCustomToken')) return 'exchange'
  return last === 'token' ? 'renew' : last.slice(last.lastIndexOf(':') + 1)
}

function isCallable(name: string): name is CallableName {
  return Object.hasOwn(callables, name)
}

function seenBody({ body }: RequestInit): unknown {
  if (body === undefined || body === null) return undefined
  const json = jsonOf(bytesOf(body))
  return 'data' in json ? json.data : json
}

function bytesOf(body: RequestInit['body']): Uint8Array {
  if (body === undefined || body === null) return new Uint8Array()
  if (typeof body !== 'string') throw new Error('the client sends texts')
  return new TextEncoder().encode(body)
}

function jsonOf(bytes: Uint8Array): Fields {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(new TextDecoder().decode(bytes)))
  } catch {
    return {}
  }
}

/** The work's outcome, or the signal's reason where it is aborted first, as `fetch` does. */
function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

function onFault(error: unknown): never {
  throw error
}
