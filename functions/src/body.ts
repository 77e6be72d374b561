import { invalidArgument, maxBodyBytes } from '@koko/contract'
import { maxBodyDepth } from './limits.ts'

/**
 * A request's body as JSON, or `invalid-argument`, before anything else parses or logs it. Refused are a body that is
 * too large, not UTF-8, not JSON or nested too deeply, and the keys `__proto__` and `@type`, which the platform's
 * parsers would act on.
 */
export function parseBody(bytes: Uint8Array): unknown {
  if (bytes.length > maxBodyBytes) throw refused(`must be at most ${maxBodyBytes} bytes long`)
  let body: unknown
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    // The parser's own message quotes the body.
    throw refused('must be JSON in UTF-8')
  }
  const pending: { value: unknown; depth: number }[] = [{ value: body, depth: 0 }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value, depth } = next
    if (typeof value !== 'object' || value === null) continue
    if (depth > maxBodyDepth) throw refused(`must be nested at most ${maxBodyDepth} levels deep`)
    if (Object.hasOwn(value, '__proto__') || Object.hasOwn(value, '@type')) {
      throw refused('must not have the keys __proto__ and @type')
    }
    for (const child of Object.values(value)) pending.push({ value: child, depth: depth + 1 })
  }
  return body
}

/** The `data` of a callable's body, which is exactly `{data}`. */
export function parseCallableBody(bytes: Uint8Array): unknown {
  const body = parseBody(bytes)
  if (typeof body === 'object' && body !== null && 'data' in body && Object.keys(body).length === 1) return body.data
  throw refused('must be {"data": …} and nothing else')
}

function refused(message: string) {
  return invalidArgument([{ path: '', message }])
}
