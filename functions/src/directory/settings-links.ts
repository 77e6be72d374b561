import { codePattern, DirectoryError, settingsLinkLifetimeMs, settingsSessionMs } from '@koko/contract'
import { Account, paths, readDocument, SettingsLink } from '../documents.ts'
import type { Ports } from '../ports.ts'
import { requireOwner, type Session } from '../sessions.ts'

/** A one-time link to the settings page; it voids the last. The code is in the fragment; only its hash is stored. */
export async function createSettingsLink({ store, vault, allowances, webOrigin }: Ports, session: Session, now: Date) {
  const code = vault.code()
  const codeHash = vault.hash(code)
  const expiresAtMs = now.getTime() + settingsLinkLifetimeMs
  let isPaid = false
  await store.transaction(async (transaction) => {
    const { account } = await requireOwner(transaction, session)
    if (!isPaid) allowances.spend('createSettingsLink', session.agentId)
    isPaid = true
    if (account.settingsLinkHash !== null) transaction.delete(paths.settingsLink(account.settingsLinkHash))
    transaction.set(paths.settingsLink(codeHash), { agentId: session.agentId, expiresAt: new Date(expiresAtMs) })
    transaction.set(paths.account(session.agentId), { ...account, settingsLinkHash: codeHash } satisfies Account)
  })
  return { url: `${webOrigin}/settings#code=${code}`, expiresAtMs }
}

/** Exchanges a code for the token of a settings session. An unknown, used, void or expired code is `not-found`. */
export async function redeemSettingsLink({ store, signIns, vault }: Ports, { code }: { code: string }, now: Date) {
  if (!codePattern.test(code)) throw unknownLink()
  const linkPath = paths.settingsLink(vault.hash(code))
  const link = await readDocument(store, linkPath, SettingsLink)
  if (link === null) throw unknownLink()
  const seen = await readDocument(store, paths.account(link.agentId), Account)
  if (seen === null) throw unknownLink()
  // Before the code is used: a failure here leaves the link valid.
  const token = await signIns.mint(link.agentId, {
    settings: true,
    untilMs: now.getTime() + settingsSessionMs,
    generation: seen.generation,
  })
  const redeemed = await store.transaction(async (transaction) => {
    const current = await readDocument(transaction, linkPath, SettingsLink)
    const account = await readDocument(transaction, paths.account(link.agentId), Account)
    if (current === null || account === null) return false
    transaction.delete(linkPath)
    transaction.set(paths.account(link.agentId), { ...account, settingsLinkHash: null } satisfies Account)
    return current.expiresAt.getTime() > now.getTime() && account.generation === seen.generation
  })
  if (!redeemed) throw unknownLink()
  return { token }
}

function unknownLink(): DirectoryError {
  return new DirectoryError(
    'not-found',
    'This link is no longer valid: it was used, replaced, or has expired. Ask for a new one.',
  )
}
