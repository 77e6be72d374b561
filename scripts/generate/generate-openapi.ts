import * as z from 'zod'
import { createDocument, type ZodOpenApiOperationObject } from 'zod-openapi'
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
} from '../../contract/src/api.ts'
import { Channel, Channels, StoredChannels } from '../../contract/src/channels.ts'
import { errorCodes, type ErrorCode } from '../../contract/src/errors.ts'
import { keysOf } from '../../contract/src/keys-of.ts'
import { maxBodyBytes } from '../../contract/src/limits.ts'
import { AgentId, Badge, Listing, Milliseconds, Presence } from '../../contract/src/listing.ts'
import { Area } from '../../contract/src/rooms/fields.ts'
import { RoomName, rooms } from '../../contract/src/rooms/rooms.ts'

const errorFields = {
  status: z.enum([...Object.values(errorCodes).map(({ status }) => status), 'UNIMPLEMENTED']),
  message: z.string().describe('What happened, and what to do'),
  details: z
    .union([
      z.array(
        z.strictObject({
          path: z.string().describe('Where, as a dotted path; empty for the whole input'),
          message: z.string().describe('What would pass there; never the value'),
        }),
      ),
      z.strictObject({ retryAfterSeconds: z.number().min(0) }),
    ])
    .optional(),
}
const EndpointError = z.strictObject({
  error: z.strictObject({ code: z.int().describe('The HTTP number'), ...errorFields }),
})
const CallableError = z.strictObject({ error: z.strictObject(errorFields) })

/** The schemas that have a name in the generated files. */
const named: Readonly<Record<string, z.ZodType>> = {
  AgentId,
  Area,
  Badge,
  BatchGetInput,
  BatchGetOutput,
  Challenge,
  Channel,
  Channels,
  CallableError,
  Config,
  DiscoverInput,
  DiscoverOutput,
  Error: EndpointError,
  Health,
  Listing,
  Milliseconds,
  Presence,
  RoomName,
  Solution,
  StoredChannels,
  ...Object.fromEntries(Object.entries(rooms).map(([name, { profile }]) => [`${pascalCase(name)}Profile`, profile])),
}

/** What each code means for a caller, in either protocol. */
export const errorMeanings = {
  'invalid-argument': 'The input is not what the schema says; details name each place and what would pass there.',
  'failed-precondition': 'Something must be done first; the message says what.',
  unauthenticated: 'The token is missing or not valid, its agent was removed, or the secret is wrong.',
  'permission-denied': 'This session, or an agent of this room, may not do that.',
  'not-found': 'It does not exist, or no longer does.',
  aborted: 'Another call changed the same data first. Try again at once.',
  'resource-exhausted': 'You have reached a limit. Try again after details.retryAfterSeconds.',
  internal: 'Something went wrong in the directory. It gives no details.',
  unavailable: 'The directory cannot answer now. Try again later.',
} as const satisfies Record<ErrorCode, string>

/** The statuses of an HTTP endpoint's errors. */
export function endpointErrors({ method, caller, errors }: Endpoint): Record<number, string> {
  return {
    400: `INVALID_ARGUMENT: ${errorMeanings['invalid-argument']}`,
    ...(caller === 'agent' && {
      401: `UNAUTHENTICATED: ${errorMeanings.unauthenticated}`,
      403: 'PERMISSION_DENIED: the caller is of another room. FAILED_PRECONDITION: the caller is not listed and online.',
      404: 'NOT_FOUND: there is no such room.',
      409: `ABORTED: ${errorMeanings.aborted}`,
    }),
    ...((caller === 'agent' || errors !== undefined) && {
      429: `RESOURCE_EXHAUSTED: ${errorMeanings['resource-exhausted']}`,
    }),
    ...(method === 'POST' && { 413: `INVALID_ARGUMENT: a body has at most ${maxBodyBytes} bytes.` }),
    500: `INTERNAL: ${errorMeanings.internal}`,
    503: `UNAVAILABLE: ${errorMeanings.unavailable}`,
  }
}

/** The codes with which any callable can fail. */
export const errorsOfAnyCall: readonly ErrorCode[] = ['invalid-argument', 'aborted', 'internal', 'unavailable']

/** The codes that a callable's errors can have. */
export function callableErrors(name: CallableName): ErrorCode[] {
  const { caller, errors = [] }: Callable = callables[name]
  const possible = [...errorsOfAnyCall, ...errors]
  if (caller === 'anyone') possible.push('resource-exhausted')
  else possible.push('unauthenticated', 'permission-denied')
  return keysOf(errorMeanings).filter((code) => possible.includes(code))
}

/** The HTTP API and the callable functions as one OpenAPI 3.1 document, from the schemas that check them. */
export function openapi() {
  return createDocument(
    {
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
            { [endpoint.method.toLowerCase()]: endpointOperation(name, endpoint) },
          ]),
        ),
        ...Object.fromEntries(
          keysOf(callables).map((name) => [`/${name}`, { servers, post: callableOperation(name, callables[name]) }]),
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
          RetryAfter: {
            description: 'Wait this many seconds before trying again.',
            schema: { type: 'integer', minimum: 0 },
          },
          CacheControl: { description: 'No answer may be cached.', schema: { const: 'private, no-store' } },
        },
        schemas: named,
      },
    },
    { override: tidy },
  )
}

/** The JSON Schema of one input, with which a client can check before it sends. */
export function jsonSchema(title: string, schema: z.ZodType): z.core.JSONSchema.BaseSchema {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', override: tidy })
  return { ...($schema !== undefined && { $schema }), title, ...rest }
}

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

/** Removes what describes zod and not the contract: the default of `catch`, and the limits of a double. */
function tidy({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: z.core.JSONSchema.BaseSchema }) {
  if (zodSchema._zod.def.type === 'catch') delete jsonSchema.default
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
}

function endpointOperation(name: string, endpoint: Endpoint): ZodOpenApiOperationObject {
  const { summary, caller, params, query, input, output, maxAgeSeconds } = endpoint
  const answer = (description: string, schema: z.ZodType, headers: object = {}) => ({
    description,
    headers: { 'Cache-Control': noStore, ...headers },
    content: json(schema),
  })
  const noStore = { $ref: '#/components/headers/CacheControl' }
  const cacheControl = maxAgeSeconds === undefined ? noStore : { schema: { const: `max-age=${maxAgeSeconds}` } }
  const retryAfter = { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } }
  const errors = Object.entries(endpointErrors(endpoint)).map(
    ([status, description]) =>
      [status, answer(description, EndpointError, status === '429' ? retryAfter : {})] as const,
  )
  return {
    operationId: name,
    summary,
    tags: ['http'],
    security: caller === 'anyone' ? [] : [{ idToken: [] }],
    ...((params ?? query) && { requestParams: { ...(params && { path: params }), ...(query && { query }) } }),
    ...(input !== undefined && { requestBody: { required: true, content: json(input) } }),
    responses: {
      200: answer('The answer.', output, { 'Cache-Control': cacheControl }),
      ...Object.fromEntries(errors),
      ...(name === 'health' && {
        503: answer('Something is wrong: the body says what, or is UNAVAILABLE.', z.union([output, EndpointError])),
      }),
    },
  }
}

function callableOperation(
  name: CallableName,
  { summary, caller, input, output }: Callable,
): ZodOpenApiOperationObject {
  const errors = callableErrors(name).map((code) => ({ code, ...errorCodes[code] }))
  const byStatus = Object.entries(Object.groupBy(errors, ({ http }) => http))
  return {
    operationId: name,
    summary,
    description: `Who may call: ${caller}.`,
    tags: ['callable'],
    security: caller === 'anyone' ? [] : [{ idToken: [] }],
    requestBody: { required: true, content: json(z.strictObject({ data: inputSchema(input) })) },
    responses: {
      200: { description: 'The result.', content: json(z.strictObject({ result: output })) },
      ...Object.fromEntries(
        byStatus.map(([http, of]) => [
          http,
          {
            description: of.map(({ code, status }) => `${status}: ${errorMeanings[code]}`).join(' '),
            content: json(CallableError),
          },
        ]),
      ),
    },
  }
}

/** An input that depends on the caller's room is the union of every room's. */
function inputSchema(input: Callable['input']): z.ZodType {
  return typeof input === 'function' ? z.union(RoomName.options.map(input)) : input
}

function json(schema: z.ZodType) {
  return { 'application/json': { schema } }
}

export function pascalCase(name: string): string {
  return name.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
