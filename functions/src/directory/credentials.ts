import { Badge, DirectoryError } from '@koko/contract'
import { Account, parseStored, paths } from '../documents.ts'
import type { Ports } from '../ports.ts'
import { requireOwner, type Session } from '../sessions.ts'

/** A token for the holder of the secret. An unknown agent and a wrong secret get the same `unauthenticated`. */
export async function signInAgent(
  { store, signIns, vault }: Ports,
  { agentId, secret }: { agentId: string; secret: string },
) {
  const [badgeFields, accountFields] = await store.get([paths.badge(agentId), paths.account(agentId)])
  const badge = parseStored(Badge, badgeFields ?? null)
  const account = parseStored(Account, accountFields ?? null)
  // Comparing hashes of random secrets tells a clock nothing about a secret.
  if (badge === null || account?.secretHash !== vault.hash(secret)) {
    throw new DirectoryError('unauthenticated', 'There is no agent with this id and secret.')
  }
  return { token: await signIns.mint(agentId, { generation: account.generation }) }
}

/** A new secret. Sessions begun under the old one, and the open settings link, end. */
export async function rotateSecret({ store, signIns, vault }: Ports, session: Session) {
  const secret = vault.code()
  // First: after the transaction a failure would lose the only copy of the new secret. The generation ends sessions.
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
