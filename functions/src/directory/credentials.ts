import { Badge, DirectoryError } from '@koko/contract'
import { Account, parseStored, paths } from '../documents.ts'
import { pendingSecretLifetimeMs } from '../limits.ts'
import type { Ports, Reader } from '../ports.ts'
import { requireOwner, type Session } from '../sessions.ts'

/**
 * A token for the holder of the secret. The first sign-in with a pending secret commits it: the old one and every session
 * before end. An unknown agent and a wrong secret get the same `unauthenticated` after the same reads.
 */
export async function signInAgent(
  { store, signIns, vault, allowances }: Ports,
  { agentId, secret }: { agentId: string; secret: string },
  now: Date,
) {
  // The time that comparing hashes of random secrets takes reveals nothing about a secret.
  const secretHash = vault.hash(secret)
  const { account, isPending } = await findHolder(store, agentId, secretHash, now)
  if (!isPending) {
    // A thief who still has the old secret cannot use up the sign-in that ends it.
    allowances.spend('signInAgent', agentId)
    return { token: await signIns.mint(agentId, { generation: account.generation }) }
  }

  const generation = await store.transaction(async (transaction) => {
    const current = await findHolder(transaction, agentId, secretHash, now)
    // Another sign-in has committed it meanwhile.
    if (!current.isPending) return current.account.generation
    const { settingsLinkHash } = current.account
    if (settingsLinkHash !== null) transaction.delete(paths.settingsLink(settingsLinkHash))
    const committed: Account = {
      ...current.account,
      secretHash,
      pendingSecret: null,
      generation: current.account.generation + 1,
      settingsLinkHash: null,
    }
    transaction.set(paths.account(agentId), committed)
    return committed.generation
  })
  // The generation has ended the sessions; this ends their renewal. After a failure the caller signs in again.
  await signIns.revoke(agentId)
  return { token: await signIns.mint(agentId, { generation }) }
}

/** The account that a secret opens. Throws `unauthenticated` if there is none. */
async function findHolder(
  reader: Reader,
  agentId: string,
  secretHash: string,
  now: Date,
): Promise<{ account: Account; isPending: boolean }> {
  const [badgeFields, accountFields] = await reader.get([paths.badge(agentId), paths.account(agentId)])
  const badge = parseStored(Badge, badgeFields ?? null)
  const account = parseStored(Account, accountFields ?? null)
  if (badge !== null && account !== null) {
    if (account.secretHash === secretHash) return { account, isPending: false }
    const { pendingSecret } = account
    if (pendingSecret?.hash === secretHash && pendingSecret.voidAtMs > now.getTime())
      return { account, isPending: true }
  }
  throw new DirectoryError(
    'unauthenticated',
    'There is no agent with this id and secret. It may have been removed, or have a newer secret.',
  )
}

/**
 * Makes a pending secret, in place of an earlier one. The present secret stays valid until the pending one is first used
 * to sign in, so that a lost answer loses nothing.
 */
export async function rotateSecret({ store, vault }: Ports, session: Session, now: Date) {
  const secret = vault.code()
  await store.transaction(async (transaction) => {
    const { account } = await requireOwner(transaction, session)
    const voidAtMs = now.getTime() + pendingSecretLifetimeMs
    const pendingSecret = { hash: vault.hash(secret), voidAtMs }
    transaction.set(paths.account(session.agentId), { ...account, pendingSecret } satisfies Account)
  })
  return { secret }
}
