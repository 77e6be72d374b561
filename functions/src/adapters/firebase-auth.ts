import { DirectoryError } from '@koko/contract'
import type { Auth } from 'firebase-admin/auth'
import type { SignIns } from '../ports.ts'

/** Sign-ins on Firebase Authentication. `auth` is asked for at the first use: it is slow to load. */
export function createSignIns(auth: () => Promise<Auth>): SignIns {
  return {
    mint: async (agentId, claims) => (await auth()).createCustomToken(agentId, claims),

    async verify(idToken) {
      try {
        return await (await auth()).verifyIdToken(idToken)
      } catch (error) {
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

/** True where the token itself is at fault, not the way to check it. */
function isRefusal(error: unknown): boolean {
  return [
    'auth/argument-error',
    'auth/invalid-id-token',
    'auth/id-token-expired',
    'auth/id-token-revoked',
    'auth/user-disabled',
    'auth/user-not-found',
  ].includes(codeOf(error) ?? '')
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
