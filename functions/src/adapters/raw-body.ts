import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'

const contentTypes = new WeakMap<object, string>()

/**
 * Keeps the platform's body parser off every request of this process: it would log the start of a body that it cannot
 * parse, and inflate a compressed one to any size. The body then arrives as the bytes that were sent. The hook is
 * Node's own (https://nodejs.org/api/diagnostics_channel.html#http), before any middleware.
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
  })
}

/** The content type that the client sent. */
export function sentContentType(request: object): string | undefined {
  return contentTypes.get(request)
}
