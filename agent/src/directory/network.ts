import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'

/** No call waits longer than this for an answer. */
const patienceMs = 30_000
/** A page of the most listings, and an export, take less than a hundredth of it. */
const mostBytes = 16 * 1024 * 1024

/** Where a directory is, and of which Google Cloud project, where that is known. */
export interface Place {
  origin: string
  projectId?: string
}

/**
 * The context's network, for one directory: to its own hosts only, wherever an answer would lead, without redirects, and
 * for answers that end within bounds.
 */
export function networkOf(context: Context, place: Place): Context['fetch'] {
  return async (url, init) => {
    assertOwn(url, place)
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(patienceMs)])
    return bounded(await context.fetch(url, { ...init, redirect: 'error', signal }))
  }
}

/** Sign-in, as https://firebase.google.com/docs/reference/rest/auth names its hosts. */
const signInHosts = ['identitytoolkit.googleapis.com', 'securetoken.googleapis.com']

/**
 * What a directory says of itself names its functions and its emulators. A host that took its address over must not get
 * the secret by it.
 */
function assertOwn(url: string, { origin, projectId = '[a-z][a-z0-9-]*' }: Place): void {
  const { protocol, hostname, origin: asked } = new URL(url)
  // https://cloud.google.com/functions/docs/calling/http#url
  const functionsHost = new RegExp(`^[a-z]+-[a-z]+\\d+-${projectId}\\.cloudfunctions\\.net$`)
  const isOwn = asked === origin || isLoopback(hostname)
  const isGoogles = protocol === 'https:' && (signInHosts.includes(hostname) || functionsHost.test(hostname))
  if (isOwn || isGoogles) return
  throw new UserError(`${origin} leads to another host, ${hostname}.`, 'Ask its host. Nothing was sent there.')
}

/** An answer that breaks off where it is longer than any answer is. */
function bounded(response: Response): Response {
  if (response.body === null) return response
  let bytes = 0
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.byteLength
      if (bytes > mostBytes) controller.error(new TypeError('the answer is too long'))
      else controller.enqueue(chunk)
    },
  })
  const { status, headers } = response
  return new Response(response.body.pipeThrough(counter), { status, headers })
}

/** https://www.rfc-editor.org/rfc/rfc6761#section-6.3 and the loopback addresses of IPv4 and IPv6. */
export function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host.endsWith('.localhost') || /^127(\.\d{1,3}){3}$/.test(host) || /^\[?::1\]?$/.test(host)
  )
}
