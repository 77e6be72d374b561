import { Challenge } from '@koko/contract'
import { createChallenge, randomInt, verifySolution } from 'altcha-lib'
import { deriveKey } from 'altcha-lib/algorithms/pbkdf2'
import type { Proofs } from '../ports.ts'

/**
 * The solver tries the counters from 1; only the server knows which is right. Each is equally likely: in a range that
 * started higher, a solver could skip the attempts below it.
 */
const lastCounter = 512

/**
 * Proofs of work by ALTCHA v2 (https://altcha.org). `cost` is the PBKDF2 iterations of one attempt; a proof takes 256
 * attempts on average and at most 512.
 */
export function createProofs(keys: { signature: string; solution: string }, cost: number): Proofs {
  return {
    async create(expiresAtMs) {
      const challenge = await createChallenge({
        algorithm: 'PBKDF2/SHA-256',
        cost,
        counter: randomInt(lastCounter),
        deriveKey,
        expiresAt: new Date(expiresAtMs),
        hmacSignatureSecret: keys.signature,
        hmacKeySignatureSecret: keys.solution,
      })
      return Challenge.parse(challenge)
    },

    async verify(challenge, solution) {
      const parameters = Challenge.shape.parameters.safeParse(challenge.parameters)
      if (!parameters.success) return 'invalid'
      const { verified, expired } = await verifySolution({
        challenge: { parameters: parameters.data, signature: challenge.signature },
        solution: { counter: solution.counter, derivedKey: solution.derivedKey },
        deriveKey,
        hmacSignatureSecret: keys.signature,
        hmacKeySignatureSecret: keys.solution,
      })
      // The library checks expiry first, so `expired` does not mean that the signature is valid.
      if (expired) return 'expired'
      return verified ? { expiresAtMs: parameters.data.expiresAt * 1_000 } : 'invalid'
    },
  }
}
