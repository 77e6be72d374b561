import { DirectoryError, invalidArgument } from '@koko/contract'
import { HttpsError, onCall, type CallableFunction, type Request } from 'firebase-functions/v2/https'

export interface CallableOptions {
  maxInstances: number
  allowedOrigins: string[]
  /** The request as the client sent it. */
  read: (request: Request) => {
    method: string
    authorization: string | undefined
    contentType: string | undefined
    body: Uint8Array
  }
  /** The `data` of a body. Throws `DirectoryError`. */
  parse: (body: Uint8Array) => unknown
  run: (data: unknown, authorization: string | undefined) => Promise<unknown>
  /** Receives every error that is not the caller's. */
  onFault: (error: unknown) => void
}

/**
 * A callable that checks the body's bytes and the token itself, before the platform's parser sees any of them. The
 * platform would log parts of a body it refuses; it refuses every token when it has no keys, and none under the
 * emulators.
 */
export function createCallable({
  maxInstances,
  allowedOrigins,
  read,
  parse,
  run,
  onFault,
}: CallableOptions): CallableFunction<unknown, Promise<unknown>> {
  const received = new WeakMap<Request, { authorization?: string | undefined; refusal?: DirectoryError }>()
  const onParsed = onCall({ cors: allowedOrigins, invoker: 'public', maxInstances }, async ({ data, rawRequest }) => {
    try {
      const { authorization, refusal } = received.get(rawRequest) ?? {}
      if (refusal !== undefined) throw refusal
      return await run(data, authorization)
    } catch (error) {
      throw httpsErrorOf(error, onFault)
    }
  })
  const onBytes = (request: Request, response: Parameters<typeof onParsed>[1]) => {
    if (request.method !== 'OPTIONS') {
      const { method, authorization, contentType, body } = read(request)
      delete request.headers.authorization
      delete request.headers['x-firebase-appcheck']
      request.headers['content-type'] = 'application/json'
      request.body = { data: null }
      // The platform's own refusal of another method has no details.
      request.method = 'POST'
      try {
        if (method !== 'POST') throw invalidArgument([{ path: '', message: 'must be sent by POST' }])
        const data = parse(body)
        if (!/^application\/json(;|$)/i.test(contentType ?? '')) {
          throw invalidArgument([{ path: '', message: 'must be sent as application/json' }])
        }
        request.body = { data }
        received.set(request, { authorization })
      } catch (error) {
        if (!(error instanceof DirectoryError)) throw error
        received.set(request, { refusal: error })
      }
    }
    return onParsed(request, response)
  }
  return Object.defineProperties(onBytes, Object.getOwnPropertyDescriptors(onParsed)) as typeof onParsed
}

function httpsErrorOf(error: unknown, onFault: (error: unknown) => void): HttpsError {
  const isOurs = error instanceof DirectoryError && error.code !== 'internal'
  if (!isOurs || error.code === 'unavailable') onFault(error)
  if (isOurs) return new HttpsError(error.code, error.message, error.details)
  return new HttpsError('internal', 'The directory had an internal error. Try again later.')
}
