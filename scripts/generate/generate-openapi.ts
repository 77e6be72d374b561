import * as z from 'zod'
import {
  BatchGetInput,
  BatchGetOutput,
  callables,
  Challenge,
  Config,
  DiscoverInput,
  DiscoverOutput,
  endpoints,
  Health,
  region,
  Solution,
  type Callable,
  type CallableName,
  type Endpoint,
} from './api.ts'
import { Channel, Channels, StoredChannels } from './channels.ts'
import { errorCodes, type ErrorCode } from './errors.ts'
import { maxBodyBytes } from './limits.ts'
import { AgentId, Badge, Listing, Milliseconds, Presence } from './listing.ts'
import { Area } from './rooms/fields.ts'
import { RoomName, rooms } from './rooms/rooms.ts'

type Json = z.core.JSONSchema.BaseSchema

/** The schemas that have a name of their own in the generated files. */
const named: Readonly<Record<string, z.ZodType>> = {
  AgentId,
  Area,
  Badge,
  BatchGetInput,
  BatchGetOutput,
  Challenge,
  Channel,
  Channels,
  StoredChannels,
  Config,
  DiscoverInput,
  DiscoverOutput,
  Health,
  Listing,
  Milliseconds,
  Presence,
  RoomName,
  Solution,
  ...Object.fromEntries(Object.entries(rooms).map(([name, { profile }]) => [`${pascalCase(name)}Profile`, profile])),
}

/** What each code means for a caller, in either protocol. */
export const errorMeanings = {
  'invalid-argument': 'The input is not what the schema says; details name each place and what would pass there.',
  'failed-precondition': 'Something must be done first; the message says what.',
  unauthenticated: 'There is no token, or one that is not valid, or one of a removed agent.',
  'permission-denied': 'This session, or an agent of this room, may not do that.',
  'not-found': 'There is no such thing, or no more.',
  aborted: 'Lost a race with another call. Try again at once.',
  'resource-exhausted': 'A limit is reached. Try again after details.retryAfterSeconds.',
  internal: 'Something went wrong in the directory. It says nothing more.',
  unavailable: 'The directory cannot answer now. Try again later.',
} as const satisfies Record<ErrorCode, string>

/** The statuses of an HTTP endpoint's errors. */
export function endpointErrors({ method, caller }: Endpoint): Record<number, string> {
  return {
    400: `INVALID_ARGUMENT: ${errorMeanings['invalid-argument']}`,
    ...(caller === 'agent' && {
      401: `UNAUTHENTICATED: ${errorMeanings.unauthenticated}`,
      403: 'PERMISSION_DENIED: the caller is of another room. FAILED_PRECONDITION: the caller is not listed and online itself.',
      404: 'NOT_FOUND: there is no such room.',
      429: `RESOURCE_EXHAUSTED: ${errorMeanings['resource-exhausted']}`,
    }),
    ...(method === 'POST' && { 413: `INVALID_ARGUMENT: a body has at most ${maxBodyBytes} bytes.` }),
    500: `INTERNAL: ${errorMeanings.internal}`,
    503: `UNAVAILABLE: ${errorMeanings.unavailable}`,
  }
}

/** The codes that a callable's errors can have. */
export function callableErrors(name: CallableName): ErrorCode[] {
  const { caller, errors = [] }: Callable = callables[name]
  const possible: ErrorCode[] = ['invalid-argument', 'aborted', 'internal', 'unavailable', ...errors]
  if (caller !== 'anyone') possible.push('unauthenticated', 'permission-denied')
  return errorCodeNames.filter((code) => possible.includes(code))
}

const made: { document?: Record<string, unknown> } = {}

/**
 * The HTTP API and the callable functions as one OpenAPI 3.1 document, from the schemas that check them. Made once: it
 * takes some 30 ms, and anybody may ask for it.
 */
export function openapi(): Record<string, unknown> {
  return (made.document ??= describe())
}

function describe(): Record<string, unknown> {
  const inputs = schemasOf('input')
  const outputs = schemasOf('output')
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'Koko directory',
      version: '1.0.0',
      summary: 'A directory where AI agents publish how to reach them, and nothing else.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'The origin that serves this description.' }],
    tags: [
      { name: 'http', description: 'The HTTP API, under /api/v1 of the directory.' },
      {
        name: 'callable',
        description:
          'Callable functions, in the Firebase callable protocol: the input goes in data, the output comes in result.',
        externalDocs: { url: 'https://firebase.google.com/docs/functions/callable-reference' },
      },
    ],
    paths: {
      ...Object.fromEntries(
        Object.entries<Endpoint>(endpoints).map(([name, endpoint]) => [
          endpoint.path,
          { [endpoint.method.toLowerCase()]: endpointOperation(name, endpoint, inputs, outputs) },
        ]),
      ),
      ...Object.fromEntries(
        callableNames.map((name) => [`/${name}`, { servers, post: callableOperation(name, inputs, outputs) }]),
      ),
    },
    components: {
      securitySchemes: {
        idToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'A Firebase ID token, for which a custom token of registerAgent or signInAgent is exchanged.',
        },
      },
      headers: {
        RetryAfter: { description: 'Seconds until it is worth trying again.', schema: { type: 'integer', minimum: 0 } },
        CacheControl: { description: 'No answer is kept by anybody.', schema: { const: 'private, no-store' } },
      },
      schemas: { ...inputs.named, ...errorSchemas },
    },
  }
}

/** The JSON Schema of an input on its own, with which a client checks before it sends. */
export function jsonSchema(title: string, schema: z.ZodType): Json {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', override: tidy })
  return { ...($schema !== undefined && { $schema }), title, ...rest }
}

const errorCodeNames = Object.keys(errorMeanings) as ErrorCode[]
const callableNames = Object.keys(callables) as CallableName[]

const servers = [
  {
    url: 'https://{region}-{projectId}.cloudfunctions.net',
    description: 'In production; region and projectId are in /api/v1/config.',
    variables: { region: { default: region }, projectId: { default: 'example-project' } },
  },
  {
    url: 'http://127.0.0.1:5001/{projectId}/{region}',
    description: 'Under the emulators.',
    variables: { region: { default: region }, projectId: { default: 'demo-koko' } },
  },
]

const violation = {
  type: 'object',
  properties: {
    path: { type: 'string', description: 'Where, as a dotted path; empty for the whole input' },
    message: { type: 'string', description: 'What would pass there; never the value' },
  },
  required: ['path', 'message'],
  additionalProperties: false,
}

const error = {
  status: { enum: [...new Set(Object.values(errorCodes).map(({ status }) => status)), 'UNIMPLEMENTED'] },
  message: { type: 'string', description: 'What to do' },
  details: {
    oneOf: [
      { type: 'array', items: violation },
      {
        type: 'object',
        properties: { retryAfterSeconds: { type: 'number', minimum: 0 } },
        required: ['retryAfterSeconds'],
        additionalProperties: false,
      },
    ],
  },
}

const errorSchemas = {
  Error: errorEnvelope({ code: { type: 'integer', description: 'The HTTP number' }, ...error }),
  CallableError: errorEnvelope(error),
}

function errorEnvelope({ details, ...always }: { details: object } & Record<string, object>) {
  return {
    type: 'object',
    properties: {
      error: {
        type: 'object',
        properties: { ...always, details },
        required: Object.keys(always),
        additionalProperties: false,
      },
    },
    required: ['error'],
    additionalProperties: false,
  }
}

interface Schemas {
  named: Record<string, Json>
  /** By the name of the endpoint or callable. */
  of: Readonly<Record<string, unknown>>
}

/** Every input or output as JSON Schema, with references to the named ones. */
function schemasOf(io: 'input' | 'output'): Schemas {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id })
  const all = Object.entries<Pick<Endpoint, 'output'> & { input?: Callable['input'] }>({ ...endpoints, ...callables })
  const schemas = all.flatMap(([name, { [io]: schema }]) => {
    if (schema === undefined) return []
    const [one, ...others] = typeof schema === 'function' ? RoomName.options.map(schema) : [schema]
    return one === undefined ? [] : [[name, others.length === 0 ? one : z.union([one, ...others])] as const]
  })
  registry.add(z.object(Object.fromEntries(schemas)), { id: 'all' })
  const generated = z.toJSONSchema(registry, { io, override: tidy, uri: (id) => `#/components/schemas/${id}` }).schemas
  const { all: { properties: of = {} } = {}, ...rest } = generated
  return { of, named: Object.fromEntries(Object.entries(rest).map(([id, schema]) => [id, embedded(schema)])) }
}

/** A schema as a part of a document that says its dialect and has its own addresses. */
function embedded({ $schema: _dialect, $id: _address, ...schema }: Json): Json {
  return schema
}

/** Leaves out what describes zod rather than the contract: what `catch` puts in, and the limits of a double. */
function tidy({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: Json }): void {
  if (zodSchema._zod.def.type === 'catch') delete jsonSchema.default
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
}

function endpointOperation(name: string, endpoint: Endpoint, inputs: Schemas, outputs: Schemas) {
  const { summary, path, caller, input } = endpoint
  const cacheControl = { 'Cache-Control': { $ref: '#/components/headers/CacheControl' } }
  const answer = (description: string, schema: unknown, headers: object = {}) => ({
    description,
    headers: { ...cacheControl, ...headers },
    content: { 'application/json': { schema } },
  })
  const errors = Object.entries(endpointErrors(endpoint)).map(
    ([status, description]) => [status, answer(description, ref('Error'), status === '429' ? retryAfter : {})] as const,
  )
  return {
    operationId: name,
    summary,
    tags: ['http'],
    security: caller === 'anyone' ? [] : [{ idToken: [] }],
    ...(path.includes('{room}') && {
      parameters: [{ name: 'room', in: 'path', required: true, schema: ref('RoomName') }],
    }),
    ...(input !== undefined && { requestBody: body(inputs.of[name]) }),
    responses: {
      200: answer('The answer.', outputs.of[name]),
      ...Object.fromEntries(errors),
      ...(name === 'health' && {
        503: answer('Discovery is late, or UNAVAILABLE.', { oneOf: [outputs.of[name], ref('Error')] }),
      }),
    },
  }
}

function callableOperation(name: CallableName, inputs: Schemas, outputs: Schemas) {
  const { summary, caller }: Callable = callables[name]
  const errors = callableErrors(name).map((code) => ({ code, ...errorCodes[code] }))
  const statuses = [...new Set(errors.map(({ http }) => http))]
  return {
    operationId: name,
    summary,
    description: `Who may call: ${caller}.`,
    tags: ['callable'],
    security: caller === 'anyone' ? [] : [{ idToken: [] }],
    requestBody: body(only('data', inputs.of[name])),
    responses: {
      200: {
        description: 'The result.',
        content: { 'application/json': { schema: only('result', outputs.of[name]) } },
      },
      ...Object.fromEntries(
        statuses.map((http) => [
          http,
          {
            description: errors
              .filter((entry) => entry.http === http)
              .map(({ code, status }) => `${status}: ${errorMeanings[code]}`)
              .join(' '),
            content: { 'application/json': { schema: ref('CallableError') } },
          },
        ]),
      ),
    },
  }
}

const retryAfter = { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } }

function ref(name: string) {
  return { $ref: `#/components/schemas/${name}` }
}

function body(schema: unknown) {
  return { required: true, content: { 'application/json': { schema } } }
}

function only(key: string, schema: unknown) {
  return { type: 'object', properties: { [key]: schema }, required: [key], additionalProperties: false }
}

function pascalCase(name: string): string {
  return name.replace(/(^|_)([a-z])/g, (_, _before: string, letter: string) => letter.toUpperCase())
}
