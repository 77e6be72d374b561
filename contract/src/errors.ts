import type * as z from 'zod'

/** Every error code, as https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto maps it to HTTP. */
export const errorCodes = {
  'invalid-argument': { http: 400, status: 'INVALID_ARGUMENT' },
  'failed-precondition': { http: 400, status: 'FAILED_PRECONDITION' },
  unauthenticated: { http: 401, status: 'UNAUTHENTICATED' },
  'permission-denied': { http: 403, status: 'PERMISSION_DENIED' },
  'not-found': { http: 404, status: 'NOT_FOUND' },
  aborted: { http: 409, status: 'ABORTED' },
  'resource-exhausted': { http: 429, status: 'RESOURCE_EXHAUSTED' },
  internal: { http: 500, status: 'INTERNAL' },
  unavailable: { http: 503, status: 'UNAVAILABLE' },
} as const
export type ErrorCode = keyof typeof errorCodes

/** Where an input fails, as a dotted path (`""` is the whole input), and what would pass. It never has the value. */
export interface Violation {
  path: string
  message: string
}

/** The one error of the contract. `message` says what to do, `details` is for programs, `cause` is not sent. */
export class DirectoryError extends Error {
  override readonly name = 'DirectoryError'
  readonly code: ErrorCode
  readonly details: readonly Violation[] | { retryAfterSeconds: number } | undefined
  /** In a client: the message is the directory's text, which can be anything. Attribute it wherever it is shown. */
  readonly isQuoted: boolean

  constructor(
    code: ErrorCode,
    message: string,
    {
      details,
      isQuoted = false,
      cause,
    }: { details?: DirectoryError['details']; isQuoted?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause })
    this.code = code
    this.details = details
    this.isQuoted = isQuoted
  }
}

export function invalidArgument(violations: readonly Violation[]): DirectoryError {
  const first = violations[0]
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more, in details)` : ''
  const where = first === undefined || first.path === '' ? 'The input' : first.path
  return new DirectoryError('invalid-argument', `${where} ${first?.message ?? 'is not valid'}${more}.`, {
    details: violations,
  })
}

/**
 * Parses `input` or throws `invalid-argument`. Unknown keys are reported at their parent's path with the keys that would
 * pass, and are not repeated: a key can be a handle.
 */
export function parse<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  throw invalidArgument(violations(schema, result.error))
}

/** The first violation at each path: later rules assume that the earlier ones pass. */
function violations(schema: z.ZodType, error: z.ZodError): Violation[] {
  const byPath = new Map<string, Violation>()
  for (const issue of error.issues) {
    const path = issue.path.map(String).join('.')
    if (!byPath.has(path)) byPath.set(path, { path, message: messageOf(schema, issue) })
  }
  return [...byPath.values()]
}

function messageOf(schema: z.ZodType, issue: z.core.$ZodIssue): string {
  if (issue.code !== 'unrecognized_keys') return issue.message
  const keys = keysAt(schema, issue.path)
  return keys.length === 0 ? 'takes no keys' : `takes only the keys ${keys.join(', ')}`
}

/** The keys of the object schema at a path, which may be optional or refined. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema
  for (const key of path) {
    const shape = shapeOf(at)
    at = shape === undefined ? undefined : Object.hasOwn(shape, key) ? shape[String(key)] : undefined
  }
  return Object.keys(shapeOf(at) ?? {})
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  if (typeof schema !== 'object' || schema === null || !('def' in schema)) return undefined
  const { def } = schema
  if (typeof def !== 'object' || def === null) return undefined
  if ('shape' in def && typeof def.shape === 'object' && def.shape !== null) return { ...def.shape }
  if ('innerType' in def) return shapeOf(def.innerType)
  return 'out' in def ? shapeOf(def.out) : undefined
}
