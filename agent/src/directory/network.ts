import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'
import { untilAborted } from '../until-aborted.ts'

const timeoutMs = 30_000
/** A full page of listings, and an export, take less than a hundredth of this. */
const maxBytes = 16 * 1024 * 1024

/** A directory, and its Google Cloud project if that is known. */
interface Place {
  origin: string
  projectId?: string
}

/**
 * The context's network for one directory: its own hosts only, no redirects, limited size, and a deadline for the whole
 * answer. On Node 20 the garbage collection can separate a request from its signal, so the wait ends by itself too.
 */
export function networkOf(context: Context, place: Place): Context['fetch'] {
  return async (url, init) => {
    assertOwn(url, place)
    const ended = new AbortController()
    const { signal } = ended
    const stop = () => ended.abort(context.signal.reason)
    const deadline = setTimeout(() => ended.abort(new TypeError('no answer in time')), timeoutMs)
    context.signal.addEventListener('abort', stop)
    if (context.signal.aborted) stop()
    try {
      const answer = async () => readWhole(await context.fetch(url, { ...init, redirect: 'error', signal }), signal)
      return await untilAborted(signal, answer())
    } finally {
      clearTimeout(deadline)
      context.signal.removeEventListener('abort', stop)
    }
  }
}

/** https://firebase.google.com/docs/reference/rest/auth */
const signInHosts = ['identitytoolkit.googleapis.com', 'securetoken.googleapis.com']

/** A directory's configuration names its functions and emulators. Whoever controls it must not receive the secret. */
function assertOwn(url: string, { origin, projectId = '[a-z][a-z0-9-]*' }: Place): void {
  const { protocol, hostname, origin: asked } = new URL(url)
  // https://cloud.google.com/functions/docs/calling/http#url
  const functionsHost = new RegExp(`^[a-z]+-[a-z]+\\d+-${projectId}\\.cloudfunctions\\.net$`)
  // Only a directory on this machine runs under its emulators: another one must not reach into this machine.
  const isOwn = asked === origin || (isLoopback(hostname) && isLoopback(new URL(origin).hostname))
  const isGoogles = protocol === 'https:' && (signInHosts.includes(hostname) || functionsHost.test(hostname))
  if (isOwn || isGoogles) return
  throw new UserError(
    `${origin} refers koko to another host, ${hostname}.`,
    'Ask the host of the directory. Nothing was sent there.',
  )
}

/** The same answer, completely read. Throws if it is too long. */
async function readWhole({ body, status, headers }: Response, signal: AbortSignal): Promise<Response> {
  if (body === null) return new Response(null, { status, headers })
  const reader = body.getReader()
  const drop = () => void reader.cancel().catch(() => undefined)
  signal.addEventListener('abort', drop, { once: true })
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return new Response(new Blob(chunks), { status, headers })
    chunks.push(value)
    bytes += value.byteLength
    if (bytes <= maxBytes) continue
    drop()
    throw new TypeError('the answer is too long')
  }
}

/** https://www.rfc-editor.org/rfc/rfc6761#section-6.3 and the loopback addresses of IPv4 and IPv6. */
export function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host.endsWith('.localhost') || /^127(\.\d{1,3}){3}$/.test(host) || /^\[?::1\]?$/.test(host)
  )
}
