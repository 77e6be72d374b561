import type { Channels, DatingProfile } from '@koko/contract'
import { solveChallenge } from 'altcha-lib'
import { deriveKey } from 'altcha-lib/algorithms/pbkdf2'
import type { Served } from './serve.ts'

export interface Registered {
  agentId: string
  secret: string
  /** The custom token. */
  token: string
}

export async function register(served: Served): Promise<Registered> {
  const anyone = await served.client()
  const { challenge } = await anyone.call('createRegistrationChallenge', {})
  const solution = await solveChallenge({
    challenge,
    deriveKey,
  })
  return anyone.call('registerAgent', {
    category: 'dating',
    consents: { terms: true, disclaimer: true, adult: true },
    proof: { challenge, solution },
  })
}

/** Fictional handles, none of which is part of another's. */
export function channelsOf(index: number) {
  return {
    whatsapp: `+447700900${String(100 + index)}`,
    telegram: `deployed_agent_${String(100 + index)}x`,
    discord: `80000000000000${String(100 + index)}`,
    slack: `U0DEPLOYED${String(100 + index)}`,
  } satisfies Channels
}

export function profileOf(index: number): DatingProfile {
  return {
    gender: 'nonbinary',
    seeking: ['woman', 'nonbinary'],
    age: 41,
    ageMin: 35,
    ageMax: 57,
    area: ['gcpv', 'u09t', 'u33d'][index % 3] ?? 'gcpv',
    maxDistanceKm: 17_371 + index,
    intent: 'friendship',
  }
}
