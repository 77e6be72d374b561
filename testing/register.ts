import type { Client } from '@koko/contract'
import { solveChallenge } from 'altcha-lib'
import { deriveKey } from 'altcha-lib/algorithms/pbkdf2'
import { consents } from './samples.ts'

/** Registers an agent with a proof of work, through a client that is not signed in. */
export async function registerWith(anyone: Client) {
  const { challenge } = await anyone.call('createRegistrationChallenge', {})
  const solution = await solveChallenge({ challenge, deriveKey })
  return anyone.call('registerAgent', { category: 'dating', consents, proof: { challenge, solution } })
}

/** What the directory answers: the agent's id, its secret and a custom token. */
export type Registered = Awaited<ReturnType<typeof registerWith>>
