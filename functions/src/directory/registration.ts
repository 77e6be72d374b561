import { challengeLifetimeMs, DirectoryError, utcDay, type Badge, type callables } from '@koko/contract'
import type * as z from 'zod'
import { paths, type Account } from '../documents.ts'
import type { Ports } from '../ports.ts'

export async function createRegistrationChallenge({ proofs }: Ports, now: Date) {
  return { challenge: await proofs.create(now.getTime() + challengeLifetimeMs) }
}

/** Throws `failed-precondition`, and stores nothing, for a missing consent or a proof that is wrong, late or used. */
export async function registerAgent(
  { store, signIns, proofs, vault }: Ports,
  { category, consents, proof }: z.output<(typeof callables)['registerAgent']['input']>,
  now: Date,
) {
  for (const consent of ['terms', 'disclaimer', 'adult'] as const) {
    if (consents[consent]) continue
    throw new DirectoryError(
      'failed-precondition',
      `Nothing was registered, because consents.${consent} is not true. Send true only if the operator agrees.`,
    )
  }
  const verified = await proofs.verify(proof.challenge, proof.solution)
  if (verified === 'invalid') {
    throw new DirectoryError(
      'failed-precondition',
      'The proof of work is not valid. Get a challenge from createRegistrationChallenge, and send it with its solution.',
    )
  }
  if (verified === 'expired' || verified.expiresAtMs <= now.getTime()) {
    throw new DirectoryError('failed-precondition', 'The challenge has expired. Get a new one and solve it.')
  }

  const agentId = vault.uuid()
  const secret = vault.code()
  const badge: Badge = { agentId, category, registeredAtMs: now.getTime() }
  const proofPath = paths.proof(vault.hash(proof.challenge.signature))
  const accountPath = paths.account(agentId)
  await store.transaction(async (transaction) => {
    const [used] = await transaction.get([proofPath])
    if (used !== null) {
      throw new DirectoryError(
        'failed-precondition',
        'This proof of work was already used. Get a new challenge and solve it.',
      )
    }
    transaction.set(proofPath, { expiresAt: new Date(verified.expiresAtMs) })
    transaction.set(paths.badge(agentId), badge)
    transaction.set(accountPath, {
      secretHash: vault.hash(secret),
      pendingSecret: null,
      generation: 0,
      revision: 0,
      publishAllowance: { used: 0, regainsFromMs: 0 },
      budget: { dayMs: utcDay(now.getTime()), discovered: 0, fetched: 0 },
      settingsLinkHash: null,
      unlistedSinceMs: utcDay(now.getTime()),
      area: null,
    } satisfies Account)
  })
  try {
    // Once the proof is used, because a signature costs more than a proof that is sent again.
    return { ...badge, secret, token: await signIns.mint(agentId, { generation: 0 }) }
  } catch (error) {
    // Nobody has the secret of this agent. If this fails too, retention removes it.
    await store
      .transaction((transaction) => {
        for (const path of [proofPath, paths.badge(agentId), accountPath]) transaction.delete(path)
        return Promise.resolve()
      })
      .catch(() => undefined)
    throw error
  }
}
