import { Area, Badge, DirectoryError, type RoomName } from '@koko/contract'
import * as z from 'zod'
import { Account, paths, type Departure } from '../documents.ts'
import { departureDelayMs } from '../limits.ts'
import { readListingState, writeListing } from './listing-change.ts'
import type { Fields, Ports, Transaction } from '../ports.ts'
import { findOwner, unauthenticated, type Session } from '../sessions.ts'

/**
 * Deletes the agent: listing, badge, credential, unlinks and settings link in one transaction, then the sign-in. A
 * removed agent's token gets the same answer, and a sign-in that it recreated is deleted again.
 */
export async function unregisterAgent(ports: Ports, session: Session) {
  const { agentId } = session
  const stillDue = async (transaction: Transaction) => {
    if ((await findOwner(transaction, session)) !== null) return true
    const [badge] = await transaction.get([paths.badge(agentId)])
    if (badge === null) return false
    throw unauthenticated()
  }
  await removeAgent(ports, agentId, stillDue, { isPatient: true })
  try {
    await ports.signIns.remove(agentId)
  } catch (cause) {
    if (!(cause instanceof DirectoryError)) throw cause
    const message =
      'The agent is removed, but its sign-in could not be deleted now. The directory deletes it later; to have it deleted now, repeat the call.'
    throw new DirectoryError(cause.code, message, { cause })
  }
  return { agentId, deleted: true as const }
}

/**
 * Removes an agent if `stillDue` returns true inside the transaction. The caller deletes the sign-in. If the badge is
 * missing, removes the listing of `room`. A patient removal waits for the locks of others.
 */
export async function removeAgent(
  { store, vault }: Pick<Ports, 'store' | 'vault'>,
  agentId: string,
  stillDue: (transaction: Transaction) => Promise<boolean>,
  { room, isPatient = false }: { room?: RoomName | undefined; isPatient?: boolean } = {},
): Promise<boolean> {
  const sealedAgentId = vault.seal('departure', agentId)
  const departurePath = paths.departure(vault.uuid())
  return store.transaction(
    async (transaction) => {
      if (!(await stillDue(transaction))) return false
      const [badgeFields, accountFields, unlinks] = await transaction.get([
        paths.badge(agentId),
        paths.account(agentId),
        paths.unlinks(agentId),
      ])
      // Documents of an unknown shape are deleted too.
      const category = Badge.safeParse(badgeFields).data?.category ?? room
      if (category === undefined) return false
      const account = Account.safeParse(accountFields).data ?? lostAccount(accountFields)
      const state = await readListingState(transaction, category, agentId)
      const now = transaction.readTime()
      writeListing(transaction, state, null, account, now)
      transaction.delete(paths.badge(agentId))
      transaction.delete(paths.account(agentId))
      if (unlinks !== null) transaction.delete(paths.unlinks(agentId))
      if (account.settingsLinkHash !== null) transaction.delete(paths.settingsLink(account.settingsLinkHash))
      const departure: Departure = { sealedAgentId, dueAtMs: now.getTime() + departureDelayMs }
      transaction.set(departurePath, departure)
      return true
    },
    { isPatient, usesDatabaseTime: true },
  )
}

/**
 * Stands in for an account that is missing or cannot be read. Its revision is above every entry's, because nobody knows
 * that of the agent's entry; nothing follows, because without an account the agent can publish nothing.
 */
function lostAccount(fields: Fields | null | undefined): Account {
  return {
    secretHash: '',
    pendingSecret: null,
    generation: 0,
    revision: Number.MAX_SAFE_INTEGER - 1,
    publishAllowance: { used: 0, regainsFromMs: 0 },
    budget: { dayMs: 0, discovered: 0, fetched: 0 },
    unlistedSinceMs: null,
    ...Remains.parse(fields ?? {}),
  }
}

/** What a removal needs of an account, whatever its other fields are. */
const Remains = z.object({
  settingsLinkHash: z
    .string()
    .regex(/^[\w-]+$/)
    .nullable()
    .catch(null),
  area: Area.nullable().catch(null),
})
