import { maxBodyBytes } from '@koko/contract'
import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'

const contentTypes = new WeakMap<object, string>()

/**
 * Keeps the platform's parsers off every request of this process: they would log the start of a body, or the path, that
 * they cannot parse, inflate a compressed body to any size, and hold a long one whole. The body then arrives as the
 * bytes that were sent, a long one without the end. The hook is Node's own
 * (https://nodejs.org/api/diagnostics_channel.html#http), before any middleware.
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
  })
}

/** Lets through what shows that a body is too long, and drops the rest as it comes. */
function limitBody(request: IncomingMessage): void {
  // What arrives may be shorter than what was sent.
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

function isDecodable(url: string): boolean {
  try {
    decodeURIComponent(url)
    return true
  } catch {
    return false
  }
}

/** The content type that the client sent. */
export function sentContentType(request: object): string | undefined {
  return contentTypes.get(request)
}
