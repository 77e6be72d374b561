import { DirectoryError } from '@koko/contract'
import type { Auth } from 'firebase-admin/auth'
import type { SignIns } from '../ports.ts'

/** The SDK takes long to load: load it on first use. */
export async function loadAuth(projectId: string): Promise<Auth> {
  const [{ getApps, initializeApp }, { getAuth }] = await Promise.all([
    import('firebase-admin/app'),
    import('firebase-admin/auth'),
  ])
  return getAuth(getApps()[0] ?? initializeApp({ projectId }))
}

/** Sign-ins on Firebase Authentication. `auth` is called on first use. */
export function createSignIns(auth: () => Promise<Auth>): SignIns {
  return {
    mint: async (agentId, claims) => (await auth()).createCustomToken(agentId, claims),

    async verify(idToken) {
      const claims = readClaims(idToken)
      if (claims === null) return null
      try {
        return await (await auth()).verifyIdToken(idToken)
      } catch (error) {
        // Only the Auth emulator looks up the user, of a valid token. The badge says whether the agent was removed.
        if (codeOf(error) === 'auth/user-not-found') return { ...claims, uid: claims.sub }
        if (isRefusal(error)) return null
        throw new DirectoryError('unavailable', 'Tokens cannot be checked now. Try again later.', { cause: error })
      }
    },

    async record(agentId) {
      try {
        const user = await (await auth()).getUser(agentId)
        return { ...user.toJSON() }
      } catch (error) {
        if (codeOf(error) === 'auth/user-not-found') return {}
        throw error
      }
    },

    async revoke(agentId) {
      await ignoringUnknown(async () => (await auth()).revokeRefreshTokens(agentId))
    },

    async remove(agentId) {
      await ignoringUnknown(async () => (await auth()).deleteUser(agentId))
    },
  }
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
