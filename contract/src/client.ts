import type * as z from 'zod'
import { callables, Config, endpoints, type CallableName, type EndpointName } from './api.ts'
import { DirectoryError, errorCodes, type ErrorCode, type RetryAfter, type Violation } from './errors.ts'

type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface ClientOptions {
  /** Where the directory is, such as `https://example-project.web.app`. */
  origin: string
  /** An ID token for calls that need one; undefined where there is no session. */
  idToken?: () => Promise<string | undefined>
  /** Where the callables are, if not where the configuration says: a page reaches them through its own origin. */
  callablesUrl?: string
  fetch?: Fetch
  /** Aborts whatever is under way. */
  signal?: AbortSignal
}

type InputOf<Schema> = Schema extends z.ZodType
  ? z.input<Schema>
  : Schema extends (room: never) => z.ZodType
    ? z.input<ReturnType<Schema>>
    : never
type CallableInput<Name extends CallableName> = InputOf<(typeof callables)[Name]['input']>
type CallableOutput<Name extends CallableName> = z.output<(typeof callables)[Name]['output']>
type EndpointOutput<Name extends EndpointName> = z.output<(typeof endpoints)[Name]['output']>
type Endpoints = typeof endpoints
/** The parts of a request that an endpoint takes: path parameters, URL parameters, the JSON body. */
type EndpointRequest<Name extends EndpointName> = {
  [
    Part in 'params' | 'query' | 'input' as Endpoints[Name] extends Record<Part, z.ZodType> ? Part : never
  ]: Endpoints[Name] extends Record<Part, infer Schema extends z.ZodType>
    ? Part extends 'params'
      ? // A directory can have rooms that this client does not know.
        Record<keyof z.input<Schema>, string>
      : z.input<Schema>
    : never
}

/** A directory, as its endpoint table describes it. Every call throws `DirectoryError`. */
export interface Client {
  config: () => Promise<Config>
  call: <Name extends CallableName>(name: Name, input: CallableInput<Name>) => Promise<CallableOutput<Name>>
  request: <Name extends EndpointName>(
    name: Name,
    ...request: Endpoints[Name] extends { params: z.ZodType } | { query: z.ZodType } | { input: z.ZodType }
      ? [request: EndpointRequest<Name>]
      : []
  ) => Promise<EndpointOutput<Name>>
}

interface AnyRequest {
  params?: Record<string, unknown>
  query?: Record<string, string>
  input?: unknown
}

/** A client that starts from the origin alone: where the functions are comes from `/api/v1/config`. */
export function createClient({
  origin,
  idToken,
  callablesUrl,
  fetch = globalThis.fetch,
  signal,
}: ClientOptions): Client {
  const base = origin.replace(/\/+$/, '')
  let known: Promise<Config> | undefined

  async function send(url: string, method: string, body: unknown, authorized: boolean): Promise<unknown> {
    const token = authorized ? await idToken?.().catch(noSession) : undefined
    let response: Response
    let text: string
    try {
      response = await fetch(url, {
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      })
      text = await response.text()
    } catch (cause) {
      throw new DirectoryError('unavailable', 'The directory cannot be reached. Try again later.', { cause })
    }
    const answer = jsonOf(text)
    if (!response.ok) throw errorOf(response.status, answer)
    return answer
  }

  function config(): Promise<Config> {
    known ??= send(`${base}${endpoints.config.path}`, 'GET', undefined, false)
      .then((answer) => read(Config, answer))
      .catch((error: unknown) => {
        known = undefined
        throw error
      })
    return known
  }

  return {
    config,
    async call(name, input) {
      const functions = callablesUrl ?? functionsUrl(await config())
      const { caller, output } = callables[name]
      const answer = await send(`${functions}/${name}`, 'POST', { data: input }, caller !== 'anyone')
      const result = typeof answer === 'object' && answer !== null && 'result' in answer ? answer.result : undefined
      return read(output, result) as CallableOutput<typeof name>
    },
    async request(name, ...[request]) {
      const { method, path, caller, output } = endpoints[name]
      const { params = {}, query, input }: AnyRequest = request ?? {}
      const filled = path.replace(/\{(\w+)\}/g, (_, param: string) => encodeURIComponent(String(params[param])))
      const search = query === undefined ? '' : `?${new URLSearchParams(query).toString()}`
      const answer = await send(`${base}${filled}${search}`, method, input, caller !== 'anyone')
      return read(output, answer) as EndpointOutput<typeof name>
    },
  }
}

function noSession(cause: unknown): never {
  if (cause instanceof DirectoryError) throw cause
  throw new DirectoryError('unauthenticated', 'There is no session. Sign in again.', { cause })
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function functionsUrl({ projectId, region, emulators }: Config): string {
  return emulators === undefined
    ? `https://${region}-${projectId}.cloudfunctions.net`
    : `http://${emulators.functions.host}:${emulators.functions.port}/${projectId}/${region}`
}

function read<T extends z.ZodType>(schema: T, answer: unknown): z.output<T> {
  const result = schema.safeParse(answer)
  if (result.success) return result.data
  throw new DirectoryError('internal', 'The directory gave an answer that this client does not understand.', {
    cause: result.error,
  })
}

/** The error in an answer: `{error: {status, message, details?}}`, in the callable protocol and in the HTTP API. */
function errorOf(http: number, answer: unknown): DirectoryError {
  const error = field(answer, 'error')
  const status = field(error, 'status')
  const message = field(error, 'message')
  const code =
    codeOf((entry) => entry.status === status) ??
    codeOf((entry) => entry.http === http) ??
    // What stands before the directory speaks for it while it starts or is overloaded.
    (http === 502 || http === 504 ? 'unavailable' : 'internal')
  return new DirectoryError(code, typeof message === 'string' ? message : `The directory answered ${http}.`, {
    details: detailsOf(field(error, 'details')),
  })
}

function codeOf(matches: (entry: { http: number; status: string }) => boolean): ErrorCode | undefined {
  return (Object.keys(errorCodes) as ErrorCode[]).find((code) => matches(errorCodes[code]))
}

function detailsOf(details: unknown): readonly Violation[] | RetryAfter | undefined {
  const retryAfterSeconds = field(details, 'retryAfterSeconds')
  if (typeof retryAfterSeconds === 'number') return { retryAfterSeconds }
  if (!Array.isArray(details)) return undefined
  return details.flatMap((detail: unknown) => {
    const path = field(detail, 'path')
    const message = field(detail, 'message')
    return typeof path === 'string' && typeof message === 'string' ? [{ path, message }] : []
  })
}

function field(of: unknown, key: string): unknown {
  return typeof of === 'object' && of !== null ? (of as Record<string, unknown>)[key] : undefined
}
