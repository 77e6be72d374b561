import { createSign, generateKeyPairSync, randomUUID, verify, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as z from 'zod'

/**
 * A stand-in for the Google services that the functions call: the key server, the metadata server, IAM, and Identity
 * Toolkit, whose accounts are the Auth emulator's. Unlike the emulator it checks custom tokens and signs ID tokens, so
 * that the functions verify them as they do in production.
 */
export interface Google extends AsyncDisposable {
  readonly origin: string
  /** The key that signs ID tokens, as the key server names and shows it. */
  readonly keyId: string
  readonly publicKey: string
  /** The key that IAM signs with for the functions' service account. */
  readonly serviceAccount: { email: string; publicKey: string }
  /** An ID token; what is given replaces its claims and header, `undefined` takes one out. */
  idToken: (agentId: string, change?: TokenChange) => string
  /** Every request, as `POST https://host/path`. */
  readonly requests: readonly string[]
  /** What was asked of it that production does not ask. */
  readonly refused: readonly string[]
  /** While false the key server answers 500, which the SDK does not try again. */
  servesKeys: boolean
}

export interface TokenChange {
  claims?: Record<string, unknown>
  header?: Record<string, unknown>
  sign?: (input: string) => string
}

const CustomToken = z.object({ uid: z.string(), claims: z.record(z.string(), z.unknown()).default({}) })
const SignBlob = z.object({ payload: z.string() })
const SignIn = z.object({ token: z.string() })

interface Answer {
  status?: number
  headers?: Record<string, string>
  body: unknown
}

export async function standInForGoogle(projectId: string): Promise<Google> {
  const authEmulator = process.env.FIREBASE_AUTH_EMULATOR_HOST
  if (!authEmulator) throw new Error('FIREBASE_AUTH_EMULATOR_HOST is not set: run this through npm run with-emulators')
  const idTokenKey = rsaKey()
  const accountKey = rsaKey()
  const keyId = randomUUID()
  const accessToken = `access-${randomUUID()}`
  const email = `functions@${projectId}.iam.gserviceaccount.com`
  const requests: string[] = []
  const refused: string[] = []

  const idToken = (agentId: string, change?: TokenChange) =>
    signIdToken({ projectId, keyId, privateKey: idTokenKey.privateKey }, agentId, change)

  async function signIn(body: unknown): Promise<Answer> {
    const [header = '', payload = '', signature = ''] = SignIn.parse(body).token.split('.')
    const isGenuine = verify(
      'RSA-SHA256',
      Buffer.from(`${header}.${payload}`),
      accountKey.publicKey,
      Buffer.from(signature, 'base64url'),
    )
    if (!isGenuine) return { status: 400, body: { error: { code: 400, message: 'INVALID_CUSTOM_TOKEN' } } }
    const { uid, claims } = CustomToken.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()))
    await toAuthEmulator('POST', `/v1/projects/${projectId}/accounts`, JSON.stringify({ localId: uid }))
    return { body: { idToken: idToken(uid, { claims }), refreshToken: randomUUID(), expiresIn: '3600' } }
  }

  async function toAuthEmulator(method: string, path: string, body: string): Promise<Answer> {
    const answer = await fetch(`http://${authEmulator}/identitytoolkit.googleapis.com${path}`, {
      method,
      headers: { authorization: 'Bearer owner', 'content-type': 'application/json' },
      ...(body === '' ? {} : { body }),
    })
    return { status: answer.status, body: await answer.json() }
  }

  const google: Google = {
    origin: '',
    keyId,
    publicKey: pem(idTokenKey.publicKey),
    serviceAccount: { email, publicKey: pem(accountKey.publicKey) },
    idToken,
    requests,
    refused,
    servesKeys: true,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }

  async function route(request: IncomingMessage, body: string): Promise<Answer | undefined> {
    const host = String(request.headers['x-meant-for'])
    const [path = ''] = (request.url ?? '').split('?', 1)
    const isAuthorized = request.headers.authorization === `Bearer ${accessToken}`
    switch (`${request.method ?? ''} ${host}${path}`) {
      case 'GET https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com':
        if (!google.servesKeys) return { status: 500, body: { error: 'internal' } }
        // Google serves certificates; a public key is read the same way.
        return { headers: { 'cache-control': 'public, max-age=0' }, body: { [keyId]: google.publicKey } }
      case 'POST https://identitytoolkit.googleapis.com/v1/accounts:signInWithCustomToken':
        return signIn(JSON.parse(body))
      case `POST https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${email}:signBlob`: {
        if (!isAuthorized) return undefined
        const { payload } = SignBlob.parse(JSON.parse(body))
        const signature = createSign('RSA-SHA256').update(Buffer.from(payload, 'base64')).sign(accountKey.privateKey)
        return { body: { keyId: 'fictional', signedBlob: signature.toString('base64') } }
      }
    }
    if (host === 'https://identitytoolkit.googleapis.com' && path.startsWith(`/v1/projects/${projectId}/accounts`)) {
      return isAuthorized ? toAuthEmulator(request.method ?? '', path, body) : undefined
    }
    if (/^http:\/\/(metadata\.google\.internal\.?|169\.254\.169\.254)$/.test(host)) {
      return metadata(path, projectId, email, accessToken)
    }
    return undefined
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const name = `${request.method ?? ''} ${String(request.headers['x-meant-for'])}${request.url ?? ''}`
      requests.push(name)
      void route(request, Buffer.concat(chunks).toString())
        .catch((error: unknown): Answer => ({ status: 500, body: String(error) }))
        .then((answer) => {
          if (answer === undefined) refused.push(name)
          const { status = 200, headers = {}, body } = answer ?? { status: 403, body: { error: 'refused' } }
          const isText = typeof body === 'string'
          const type = isText ? 'application/text' : 'application/json; charset=utf-8'
          response.writeHead(status, { 'content-type': type, 'metadata-flavor': 'Google', ...headers })
          response.end(isText ? body : JSON.stringify(body))
        })
    })
  })
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  return Object.assign(google, { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

/** https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys */
function metadata(path: string, projectId: string, email: string, accessToken: string): Answer | undefined {
  switch (path) {
    case '/':
    case '/computeMetadata/v1/instance':
      return { body: '' }
    case '/computeMetadata/v1/project/project-id':
      return { body: projectId }
    case '/computeMetadata/v1/universe/universe-domain':
    case '/computeMetadata/v1/universe/universe_domain':
      return { body: 'googleapis.com' }
    case '/computeMetadata/v1/instance/service-accounts/default/email':
      return { body: email }
    case '/computeMetadata/v1/instance/service-accounts/default/token':
      return { body: { access_token: accessToken, expires_in: 3_599, token_type: 'Bearer' } }
    default:
      return undefined
  }
}

/** An ID token as Google issues it for an hour, but for what `change` replaces. */
export function signIdToken(
  { projectId, keyId, privateKey }: { projectId: string; keyId: string; privateKey: KeyObject },
  agentId: string,
  { claims, header, sign = (input) => rs256(privateKey, input) }: TokenChange = {},
): string {
  const now = Math.floor(Date.now() / 1_000)
  return jwt(
    { alg: 'RS256', kid: keyId, typ: 'JWT', ...header },
    {
      iss: `https://securetoken.google.com/${projectId}`,
      aud: projectId,
      auth_time: now,
      user_id: agentId,
      sub: agentId,
      iat: now,
      exp: now + 3_600,
      firebase: { identities: {}, sign_in_provider: 'custom' },
      ...claims,
    },
    sign,
  )
}

/** A JSON Web Token in its compact form (RFC 7519); a claim or header that is undefined is left out. */
export function jwt(header: unknown, payload: unknown, sign: (input: string) => string): string {
  const input = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${input}.${sign(input)}`
}

export function rs256(key: KeyObject, input: string): string {
  return createSign('RSA-SHA256').update(input).sign(key).toString('base64url')
}

export function rsaKey(): { privateKey: KeyObject; publicKey: KeyObject } {
  return generateKeyPairSync('rsa', { modulusLength: 2_048 })
}

function pem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString()
}
