import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'

const timeoutMs = 30_000
/** A full page of listings, and an export, take less than a hundredth of this. */
const maxBytes = 16 * 1024 * 1024

/** A directory, and its Google Cloud project if that is known. */
interface Place {
  origin: string
  projectId?: string
}

/** The context's network for one directory: its own hosts only, no redirects, limited time and size. */
export function networkOf(context: Context, place: Place): Context['fetch'] {
  return async (url, init) => {
    assertOwn(url, place)
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(timeoutMs)])
    return bounded(await context.fetch(url, { ...init, redirect: 'error', signal }))
  }
}

/** https://firebase.google.com/docs/reference/rest/auth */
const signInHosts = ['identitytoolkit.googleapis.com', 'securetoken.googleapis.com']

/** A directory's configuration names its functions and emulators. Whoever controls it must not receive the secret. */
function assertOwn(url: string, { origin, projectId = '[a-z][a-z0-9-]*' }: Place): void {
  const { protocol, hostname, origin: asked } = new URL(url)
  // https://cloud.google.com/functions/docs/calling/http#url
  const functionsHost = new RegExp(`^[a-z]+-[a-z]+\\d+-${projectId}\\.cloudfunctions\\.net$`)
  const isOwn = asked === origin || isLoopback(hostname)
  const isGoogles = protocol === 'https:' && (signInHosts.includes(hostname) || functionsHost.test(hostname))
  if (isOwn || isGoogles) return
  throw new UserError(`${origin} leads to another host, ${hostname}.`, 'Ask its host. Nothing was sent there.')
}

/** The same answer, which fails if it is too long. */
function bounded(response: Response): Response {
  if (response.body === null) return response
  let bytes = 0
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.byteLength
      if (bytes > maxBytes) controller.error(new TypeError('the answer is too long'))
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
