import {
  DirectoryError,
  endpoints,
  errorCodes,
  invalidArgument,
  maxBodyBytes,
  openapi,
  parse,
  type Config,
  type EndpointName,
} from '@koko/contract'
import { parseBody } from './body.ts'
import type { DiscoveryView } from './discovery/view.ts'
import { batchGet, discover } from './discovery/discover.ts'
import type { Ports } from './ports.ts'
import { claimsOf, sessionOf, unauthenticated, type Session } from './sessions.ts'
import { config, health } from './status.ts'

export interface HttpRequest {
  method: string
  /** With the query string, such as `/api/v1/health`. */
  url: string
  authorization: string | undefined
  contentType: string | undefined
  body: Uint8Array
}

export interface HttpResponse {
  status: number
  headers: Record<string, string>
  body: unknown
}

/** What the HTTP API serves from. */
export interface Api {
  ports: Ports
  view: DiscoveryView
  project: Pick<Config, 'projectId' | 'apiKey' | 'emulators'>
  /** Told of an error that is not the caller's. */
  onFault: (error: unknown) => void
}

/** Answers one request of the HTTP API. Never throws. */
export async function handleHttp(api: Api, request: HttpRequest, now: Date): Promise<HttpResponse> {
  const answer = await route(api, request, now).catch((error: unknown) => {
    if (!(error instanceof DirectoryError) || error.code === 'internal' || error.code === 'unavailable') {
      api.onFault(error)
    }
    return errorResponse(error)
  })
  return {
    ...answer,
    headers: { ...answer.headers, 'cache-control': 'private, no-store', 'x-content-type-options': 'nosniff' },
  }
}

async function route(api: Api, request: HttpRequest, now: Date): Promise<HttpResponse> {
  const [path = '', query] = request.url.split('?', 2)
  const matches = names.flatMap((name) => {
    const room = patterns[name].exec(path)
    return room === null ? [] : [{ name, room: room[1] ?? '' }]
  })
  const match = matches[0]
  if (match === undefined)
    throw new DirectoryError('not-found', 'There is nothing at this path. See /api/v1/openapi.json.')
  const { name, room } = match
  const { method, caller } = endpoints[name]
  if (request.method !== method && !(request.method === 'HEAD' && method === 'GET')) {
    return { ...problem(405, 'UNIMPLEMENTED', `Use ${method}.`), headers: { allow: method } }
  }
  if (query !== undefined) {
    throw invalidArgument([{ path: '', message: 'goes in the JSON body; the URL takes no parameters' }])
  }
  if (request.body.length > maxBodyBytes) {
    return problem(413, 'INVALID_ARGUMENT', `A body is at most ${maxBodyBytes} bytes.`)
  }
  const session = caller === 'agent' ? await authenticate(api.ports, request) : undefined
  return { status: 200, headers: {}, ...(await serve(api, name, room, session, request, now)) }
}

async function serve(
  { ports, view, project }: Api,
  name: EndpointName,
  room: string,
  session: Session | undefined,
  request: HttpRequest,
  now: Date,
): Promise<{ status?: number; body: unknown }> {
  switch (name) {
    case 'config':
      return { body: config(project) }
    case 'health': {
      const body = await health(ports.store, now)
      return { status: body.late ? 503 : 200, body }
    }
    case 'openapi':
      return { body: openapi() }
    case 'discover':
      if (session === undefined) throw unauthenticated()
      return {
        body: await discover(ports, view, session, room, parse(endpoints.discover.input, jsonBody(request)), now),
      }
    case 'batchGet':
      if (session === undefined) throw unauthenticated()
      return { body: await batchGet(ports, session, room, parse(endpoints.batchGet.input, jsonBody(request)), now) }
  }
}

const names = Object.keys(endpoints) as EndpointName[]

const patterns = Object.fromEntries(
  names.map((name) => [
    name,
    new RegExp(`^/api/v1${endpoints[name].path.replaceAll('.', '\\.').replace('{room}', '([^/]*)')}$`),
  ]),
) as Record<EndpointName, RegExp>

async function authenticate(ports: Ports, { authorization }: HttpRequest): Promise<Session> {
  const session = sessionOf(await claimsOf(ports, authorization))
  if (session === null) throw unauthenticated()
  return session
}

function jsonBody({ body, contentType }: HttpRequest): unknown {
  if (body.length === 0) return {}
  if (!/^application\/json(;|$)/i.test(contentType ?? '')) {
    throw invalidArgument([{ path: '', message: 'must be sent as application/json' }])
  }
  return parseBody(body)
}

/** Whether a caller takes gzip (RFC 9110, section 12.5.3). */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  const weights = new Map(
    (acceptEncoding ?? '').split(',').map((each) => {
      const [coding = '', ...parameters] = each.split(';').map((part) => part.trim().toLowerCase())
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
      return [coding, weight === undefined ? 1 : Number(weight)]
    }),
  )
  return (weights.get('gzip') ?? weights.get('*') ?? 0) > 0
}

/** `{"error": {code, status, message, details?}}`; what is not ours to tell is `internal`, and says nothing more. */
export function errorResponse(error: unknown): HttpResponse {
  const known =
    error instanceof DirectoryError && error.code !== 'internal'
      ? error
      : new DirectoryError('internal', 'Something went wrong on our side. Try again later.')
  const { http, status } = errorCodes[known.code]
  // A caller that may not yet do a thing is forbidden it, in HTTP's terms.
  const code = known.code === 'failed-precondition' ? 403 : http
  const { details } = known
  const retryAfterSeconds =
    details !== undefined && 'retryAfterSeconds' in details ? details.retryAfterSeconds : undefined
  return {
    ...problem(code, status, known.message, details),
    headers: retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
  }
}

function problem(code: number, status: string, message: string, details?: unknown): HttpResponse {
  return {
    status: code,
    headers: {},
    body: { error: { code, status, message, ...(details === undefined ? {} : { details }) } },
  }
}
