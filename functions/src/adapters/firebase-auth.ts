import { DirectoryError } from '@koko/contract'
import type { Auth } from 'firebase-admin/auth'
import { randomUUID } from 'node:crypto'
import { within, type SignIns } from '../ports.ts'

/** The SDK takes long to load: load it on first use. */
export async function loadAuth(projectId: string): Promise<Auth> {
  const [{ initializeApp }, { getAuth }] = await Promise.all([
    import('firebase-admin/app'),
    import('firebase-admin/auth'),
  ])
  return getAuth(initializeApp({ projectId }, randomUUID()))
}

/**
 * Sign-ins on Firebase Authentication. `connect` is called on first use, again if it failed, and again after a call that
 * took longer than `timeoutMs`: an SDK that waits for an access token lets every later call wait for the same one.
 */
export function createSignIns(connect: () => Promise<Auth>, timeoutMs: number): SignIns {
  const held: { auth?: Promise<Auth> | undefined } = {}

  async function call<T>(work: (auth: Auth) => Promise<T>): Promise<T> {
    const auth = (held.auth ??= connect().catch((error: unknown) => {
      delete held.auth
      throw error
    }))
    try {
      return await within(
        timeoutMs,
        async () => work(await auth),
        () => {
          if (held.auth === auth) {
            delete held.auth
            // Nothing depends on it.
            disconnect(auth).catch(() => undefined)
          }
          return noAnswer()
        },
      )
    } catch (cause) {
      throw isUnreachable(cause) ? noAnswer(cause) : cause
    }
  }

  return {
    mint: (agentId, claims) => call((auth) => auth.createCustomToken(agentId, claims)),

    async verify(idToken) {
      const claims = readClaims(idToken)
      if (claims === null) return null
      try {
        return await call((auth) => auth.verifyIdToken(idToken))
      } catch (error) {
        // Only the Auth emulator looks up the user, of a valid token. The badge says whether the agent was removed.
        if (codeOf(error) === 'auth/user-not-found') return { ...claims, uid: claims.sub }
        if (isRefusal(error)) return null
        throw noAnswer(error)
      }
    },

    async record(agentId) {
      try {
        const user = await call((auth) => auth.getUser(agentId))
        return { ...user.toJSON() }
      } catch (error) {
        if (codeOf(error) === 'auth/user-not-found') return {}
        throw error
      }
    },

    revoke: (agentId) => ignoringUnknown(() => call((auth) => auth.revokeRefreshTokens(agentId))),

    remove: (agentId) => ignoringUnknown(() => call((auth) => auth.deleteUser(agentId))),
  }
}

async function disconnect(auth: Promise<Auth>): Promise<void> {
  const { deleteApp } = await import('firebase-admin/app')
  await deleteApp((await auth).app)
}

function noAnswer(cause?: unknown): DirectoryError {
  return new DirectoryError('unavailable', 'The sign-in service does not answer. Try again in a minute.', { cause })
}

/** A token's unverified claims; null if it has none, because the SDK then fails with an internal error. */
function readClaims(idToken: string): Record<string, unknown> | null {
  try {
    const claims: unknown = JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString())
    return typeof claims === 'object' && claims !== null ? { ...claims } : null
  } catch {
    return null
  }
}

/** Whether the token is invalid, rather than the check failing. Only then does an argument error name the token. */
function isRefusal(error: unknown): boolean {
  const code = codeOf(error) ?? ''
  if (code === 'auth/argument-error') return error instanceof Error && error.message.includes('ID token')
  return ['auth/invalid-id-token', 'auth/id-token-expired', 'auth/id-token-revoked', 'auth/user-disabled'].includes(
    code,
  )
}

function isUnreachable(error: unknown): boolean {
  return ['app/network-error', 'app/network-timeout'].includes(codeOf(error) ?? '')
}

async function ignoringUnknown(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (codeOf(error) !== 'auth/user-not-found') throw error
  }
}

function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}
