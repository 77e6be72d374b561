import { Badge, DirectoryError } from '@koko/contract'
import { Account, parseStored, paths } from '../documents.ts'
import type { Ports } from '../ports.ts'
import { requireOwner, type Session } from '../sessions.ts'

/** A token for the holder of the secret. An unknown agent and a wrong secret get the same `unauthenticated`. */
export async function signInAgent(
  { store, signIns, vault, allowances }: Ports,
  { agentId, secret }: { agentId: string; secret: string },
) {
  const [badgeFields, accountFields] = await store.get([paths.badge(agentId), paths.account(agentId)])
  const badge = parseStored(Badge, badgeFields ?? null)
  const account = parseStored(Account, accountFields ?? null)
  // The time that comparing hashes of random secrets takes reveals nothing about a secret.
  if (badge === null || account?.secretHash !== vault.hash(secret)) {
    throw new DirectoryError('unauthenticated', 'There is no agent with this id and secret.')
  }
  allowances.spend('signInAgent', agentId)
  return { token: await signIns.mint(agentId, { generation: account.generation }) }
}

/** Replaces the secret. Ends all sessions that began with the old one, and voids the open settings link. */
export async function rotateSecret({ store, signIns, vault }: Ports, session: Session) {
  const secret = vault.code()
  // First, because a failure after the transaction would lose the only copy of the secret.
  await signIns.revoke(session.agentId)
  await store.transaction(async (transaction) => {
    const { account } = await requireOwner(transaction, session)
    if (account.settingsLinkHash !== null) transaction.delete(paths.settingsLink(account.settingsLinkHash))
    transaction.set(paths.account(session.agentId), {
      ...account,
      secretHash: vault.hash(secret),
      generation: account.generation + 1,
      settingsLinkHash: null,
    } satisfies Account)
  })
  return { secret }
}
