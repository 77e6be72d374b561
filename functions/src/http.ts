import {
  createRouter,
  DirectoryError,
  endpoints,
  errorCodes,
  invalidArgument,
  maxBodyBytes,
  parse,
  parseQuery,
  type Config,
  type Endpoint,
  type EndpointName,
} from '@koko/contract'
import type * as z from 'zod'
import { parseBody } from './body.ts'
import type { DiscoveryView } from './discovery/view.ts'
import { batchGet, discover } from './discovery/discover.ts'
import { adviseOn, OutcomeUnknown, type Ports } from './ports.ts'
import { claimsOf, requireSession, type Session } from './sessions.ts'
import { config, health, type RecentErrors } from './status.ts'

export interface HttpRequest {
  method: string
  /** The path and the query string. */
  url: string
  authorization: string | undefined
  contentType: string | undefined
  body: Uint8Array
}

interface HttpResponse {
  status: number
  headers: Record<string, string>
  body: unknown
}

export interface Api {
  ports: Ports
  view: DiscoveryView
  project: Pick<Config, 'projectId' | 'apiKey' | 'emulators'>
  recentErrors: RecentErrors
  /** Receives every error that is not the caller's. */
  onFault: (error: unknown) => void
}

/** Answers one request of the HTTP API. Never throws. */
export async function handleHttp(api: Api, request: HttpRequest, now: Date): Promise<HttpResponse> {
  const answer = await serve(api, request, now).catch((thrown: unknown) => {
    const error = adviseOn(thrown, "Repeat it: at worst, today's budget is charged twice.")
    if (!(error instanceof DirectoryError) || error.code === 'internal' || error.code === 'unavailable') {
      api.onFault(error)
      // A commit that is not confirmed says nothing about the others: calls that lock their own account can cause it.
      const isOwn = thrown instanceof OutcomeUnknown || request.url.startsWith(endpoints.health.path)
      if (!isOwn) api.recentErrors.add()
    }
    return errorResponse(error)
  })
  return {
    ...answer,
    headers: { 'cache-control': 'private, no-store', ...answer.headers, 'x-content-type-options': 'nosniff' },
  }
}

type Endpoints = typeof endpoints
type Parsed<Name extends EndpointName, Part extends 'params' | 'query' | 'input'> =
  Endpoints[Name] extends Record<Part, infer Schema extends z.ZodType> ? z.output<Schema> : undefined

/** What the endpoint's schemas made of a request. */
interface Call<Name extends EndpointName> {
  params: Parsed<Name, 'params'>
  query: Parsed<Name, 'query'>
  input: Parsed<Name, 'input'>
  session: Endpoints[Name]['caller'] extends 'anyone' ? null : Session
  now: Date
}

interface Answer<Name extends EndpointName> {
  /** 200 by default. */
  status?: number
  body: z.output<Endpoints[Name]['output']>
}

const handlers: { [Name in EndpointName]: (api: Api, call: Call<Name>) => Promise<Answer<Name>> | Answer<Name> } = {
  config: ({ project }) => ({ body: config(project) }),
  async health({ ports, recentErrors }, { now }) {
    ports.allowances.spendAnonymous('health')
    const { isHealthy, body } = await health(ports.store, recentErrors, now)
    return { status: isHealthy ? 200 : 503, body }
  },
  openapi: async () => ({ body: (await import('@koko/contract/openapi.json', { with: { type: 'json' } })).default }),
  discover: async ({ ports, view }, { params, input, session, now }) => ({
    body: await discover(ports, view, session, params.room, input, now),
  }),
  batchGet: async ({ ports }, { params, input, session, now }) => ({
    body: await batchGet(ports, session, params.room, input, now),
  }),
}

const route = createRouter(endpoints)

async function serve(api: Api, request: HttpRequest, now: Date): Promise<HttpResponse> {
  const found = route(request.method, request.url)
  if (found.kind === 'unknown path') {
    throw new DirectoryError('not-found', 'There is nothing at this path. /api/v1/openapi.json lists every endpoint.')
  }
  if (found.kind === 'wrong method') {
    const allow = found.allow.join(', ')
    return {
      ...problem(405, 'UNIMPLEMENTED', `This endpoint does not accept this method. Use ${allow}.`),
      headers: { allow },
    }
  }
  const endpoint: Endpoint = endpoints[found.name]
  const query = parseQuery(endpoint.query, found.query)
  if (request.body.length > maxBodyBytes) {
    return problem(413, 'INVALID_ARGUMENT', `The body is too long. Send at most ${maxBodyBytes} bytes.`)
  }
  const session = endpoint.caller === 'anyone' ? null : requireSession(await claimsOf(api.ports, request.authorization))
  const params = endpoint.params === undefined ? undefined : parseParams(endpoint.params, found.params)
  const input = endpoint.input === undefined ? undefined : parse(endpoint.input, jsonBody(request))
  const handle: (api: Api, call: never) => Promise<Answer<EndpointName>> | Answer<EndpointName> = handlers[found.name]
  const { status = 200, body } = await handle(api, { params, query, input, session, now } as never)
  const { maxAgeSeconds } = endpoint
  return { status, headers: maxAgeSeconds === undefined ? {} : { 'cache-control': `max-age=${maxAgeSeconds}` }, body }
}

function parseParams(schema: z.ZodObject, params: Record<string, string>): unknown {
  const result = schema.safeParse(params)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new DirectoryError(
    'not-found',
    `There is nothing at this path, in which {${String(issue?.path[0])}} ${issue?.message ?? ''}.`,
  )
}

function jsonBody({ body, contentType }: HttpRequest): unknown {
  if (body.length === 0) return {}
  if (!/^application\/json(;|$)/i.test(contentType ?? '')) {
    throw invalidArgument([{ path: '', message: 'must be sent as application/json' }])
  }
  return parseBody(body)
}

/** Whether the client accepts gzip (RFC 9110, section 12.5.3). */
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

/** `{"error": {code, status, message, details?}}`. An unexpected error is `internal`, without its message. */
export function errorResponse(error: unknown): HttpResponse {
  const known =
    error instanceof DirectoryError && error.code !== 'internal'
      ? error
      : new DirectoryError('internal', 'The directory had an internal error. Try again later.')
  const { http, status } = errorCodes[known.code]
  const code = known.code === 'failed-precondition' ? 403 : http
  const { message, details = {} } = known
  return {
    ...problem(code, status, message, known.details),
    headers: 'retryAfterSeconds' in details ? { 'retry-after': String(details.retryAfterSeconds) } : {},
  }
}

function problem(code: number, status: string, message: string, details?: unknown): HttpResponse {
  return {
    status: code,
    headers: {},
    body: { error: { code, status, message, ...(details === undefined ? {} : { details }) } },
  }
}
