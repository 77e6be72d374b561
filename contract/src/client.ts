import * as z from 'zod'
import { callables, Config, endpoints, type CallableName, type EndpointName } from './api.ts'
import { DirectoryError, errorCodes } from './errors.ts'
import { keysOf } from './keys-of.ts'
import { readAnswer } from './read-answer.ts'

export interface ClientOptions {
  /** Where the directory is, such as `https://example-project.web.app`. */
  origin: string
  /** An ID token for calls that need one; undefined if there is no session. */
  idToken?: () => Promise<string | undefined>
  /** Where the callables are, if not where the configuration says: web pages reach them through their own origin. */
  callablesUrl?: string
  fetch?: (url: string, init: RequestInit) => Promise<Response>
  /** Aborts the calls that are in progress. */
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
/** What an endpoint takes: path parameters, URL parameters, the JSON body. */
type EndpointRequest<Name extends EndpointName> = {
  [Part in keyof Endpoints[Name] & ('params' | 'query' | 'input')]: Part extends 'params'
    ? // A directory can have rooms that this client does not know.
      Record<keyof z.input<Endpoints[Name][Part]>, string>
    : z.input<Endpoints[Name][Part]>
}

/** The calls of a directory, as its tables describe them. Each throws `DirectoryError`. */
export interface Client {
  config: () => Promise<Config>
  call: <Name extends CallableName>(name: Name, input: CallableInput<Name>) => Promise<CallableOutput<Name>>
  request: <Name extends EndpointName>(
    name: Name,
    ...request: keyof EndpointRequest<Name> extends never ? [] : [request: EndpointRequest<Name>]
  ) => Promise<EndpointOutput<Name>>
}

interface AnyRequest {
  params?: Record<string, unknown>
  query?: Record<string, string>
  input?: unknown
}

/** A client that needs only the origin: `/api/v1/config` says where the functions are. */
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
  const result = readAnswer(schema, answer)
  if (result.success) return result.data
  throw new DirectoryError(
    'internal',
    'The directory gave an answer that this client does not understand. Update the client, or try again later.',
    {
      cause: result.error,
    },
  )
}

/** What a client reads of an error, in the callable protocol and in the HTTP API. It ignores parts that it does not know. */
const ErrorAnswer = z.object({
  error: z.object({
    status: z.string().optional().catch(undefined),
    message: z.string().optional().catch(undefined),
    details: z
      .union([
        // JSON's 1e999 is Infinity, which z.number() refuses.
        z.object({ retryAfterSeconds: z.custom<number>((value) => typeof value === 'number') }),
        z
          .array(z.object({ path: z.string(), message: z.string() }).nullable().catch(null))
          .transform((details) => details.filter((detail) => detail !== null)),
      ])
      .optional()
      .catch(undefined),
  }),
})

function errorOf(http: number, answer: unknown): DirectoryError {
  const { status, message, details } = ErrorAnswer.safeParse(answer).data?.error ?? {}
  const codes = keysOf(errorCodes)
  const code =
    codes.find((each) => errorCodes[each].status === status) ??
    codes.find((each) => errorCodes[each].http === http) ??
    // A proxy gives these while the directory starts or is overloaded.
    (http === 502 || http === 504 ? 'unavailable' : 'internal')
  return message === undefined
    ? new DirectoryError(
        code,
        `The directory answered with the HTTP status ${http}, and did not say why. Try again later.`,
        { details },
      )
    : new DirectoryError(code, message, { details, isQuoted: true })
}
