import { maxBodyBytes } from '@koko/contract'
import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

const contentTypes = new WeakMap<object, string>()

/**
 * Keeps the platform's parsers off every request of this process: they would log the start of a body, or the path, that
 * they cannot parse, inflate a compressed body to any size, and hold a long one whole. The body then arrives as the
 * bytes that were sent, a long one without the end. The hook is Node's own
 * (https://nodejs.org/api/diagnostics_channel.html#http) and runs before any middleware.
 */
export function keepBodiesRaw(): void {
  subscribe('http.server.request.start', (message) => {
    const { request } = message as { request: IncomingMessage }
    const contentType = request.headers['content-type']
    if (contentType !== undefined) contentTypes.set(request, contentType)
    if (contentType !== undefined || request.method === 'POST') {
      request.headers['content-type'] = 'application/octet-stream'
    }
    delete request.headers['content-encoding']
    if (!isDecodable(request.url ?? '')) request.url = '/'
    limitBody(request)
    ignoreAbort(request)
  })
}

/** Passes on enough to show that a body is too long, and drops the rest as it arrives. */
function limitBody(request: IncomingMessage): void {
  // What is passed on may be shorter than the declared length.
  if (request.headers['content-length'] !== undefined) request.headers['transfer-encoding'] = 'chunked'
  delete request.headers['content-length']
  const push = request.push.bind(request)
  let bytes = 0
  request.push = (chunk: Uint8Array | null, encoding) => {
    if (chunk !== null && bytes > maxBodyBytes) return true
    bytes += chunk?.length ?? 0
    return push(chunk, encoding)
  }
}

/** Ends a request that its client breaks off without the error of which the platform would log a stack. */
function ignoreAbort(request: IncomingMessage): void {
  const emit = request.emit.bind(request)
  const isAbort = (event: string | symbol) =>
    event === 'aborted' || (event === 'error' && request.destroyed && !request.complete)
  request.emit = (event: string | symbol, ...values: unknown[]) => !isAbort(event) && emit(event, ...values)
}

function isDecodable(url: string): boolean {
  try {
    decodeURIComponent(url)
    return true
  } catch {
    return false
  }
}

/** The request as the client sent it. Needs `keepBodiesRaw`. */
export function readRequest(request: IncomingMessage & { originalUrl: string; rawBody?: Uint8Array }) {
  return {
    method: request.method ?? '',
    url: request.originalUrl,
    authorization: request.headers.authorization,
    contentType: contentTypes.get(request),
    // The platform sets none for a request without a body.
    body: request.rawBody ?? new Uint8Array(),
  }
}

const gzipInPool = promisify(gzip)

/** Gzip makes shorter texts little smaller. */
const compressedFromLength = 1_000

/** Sends the body as JSON, with gzip where the caller accepts it and the text is long enough. */
export async function writeJson(
  response: ServerResponse,
  answer: { status: number; headers: Record<string, string>; body: unknown },
  acceptsGzip: boolean,
): Promise<void> {
  const headers = { ...answer.headers, 'content-type': 'application/json; charset=utf-8', vary: 'accept-encoding' }
  const text = JSON.stringify(answer.body)
  if (text.length < compressedFromLength || !acceptsGzip) {
    response.writeHead(answer.status, { ...headers, 'content-length': Buffer.byteLength(text) }).end(text)
    return
  }
  // This level packs a page of listings to a sixth, off the thread that serves.
  const packed = await gzipInPool(text, { level: 4 })
  response
    .writeHead(answer.status, { ...headers, 'content-encoding': 'gzip', 'content-length': packed.length })
    .end(packed)
}
