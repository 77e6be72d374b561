import { AgentId, DirectoryError, type Caller, Badge } from '@koko/contract'
import * as z from 'zod'
import { Account, parseStored, paths } from './documents.ts'
import type { Fields, Ports, Reader } from './ports.ts'

export interface Session {
  agentId: string
  /** The generation of the secret with which the session began. */
  generation: number
  /** When a settings session ends; null for an agent's own session. */
  settingsUntilMs: number | null
}

const Claims = z.object({
  uid: AgentId,
  // A user can add a password or an email address. Tokens of such a sign-in lack our claims.
  firebase: z.object({ sign_in_provider: z.literal('custom') }),
  generation: z.int().default(0),
  settings: z.boolean().default(false),
  untilMs: z.int().optional(),
})

/** The claims of the valid ID token in an `Authorization` header; null for anything else. */
export async function claimsOf({ signIns }: Ports, authorization: string | undefined) {
  const idToken = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1]
  return idToken === undefined ? null : signIns.verify(idToken)
}

/** The session that a token's claims describe; null if they describe none. */
export function sessionOf(claims: unknown): Session | null {
  const result = Claims.safeParse(claims)
  if (!result.success) return null
  const { uid, generation, settings, untilMs } = result.data
  return { agentId: uid, generation, settingsUntilMs: settings ? (untilMs ?? 0) : null }
}

export function requireSession(claims: unknown): Session {
  const session = sessionOf(claims)
  if (session === null) throw unauthenticated()
  return session
}

export function unauthenticated(): DirectoryError {
  return new DirectoryError(
    'unauthenticated',
    'The token is missing or not valid, or its agent was removed. Sign in again: signInAgent gives a new token.',
  )
}

/** Throws `permission-denied` if this kind of session may not make the call. */
export function assertMayCall(session: Session, caller: Caller, now: Date): void {
  if (session.settingsUntilMs === null) {
    if (caller !== 'settings') return
    throw new DirectoryError('permission-denied', 'Only a settings session can do this. Open a settings link.')
  }
  if (session.settingsUntilMs <= now.getTime()) {
    throw new DirectoryError('permission-denied', 'This settings session has ended. Open a new settings link.')
  }
  if (caller === 'agent') {
    throw new DirectoryError('permission-denied', "A settings session cannot do this. Use the agent's own session.")
  }
}

export interface Owner {
  badge: Badge
  account: Account
}

/** The agent of this session; null if the agent was removed or a new secret ended the session. */
export async function findOwner(reader: Reader, session: Session): Promise<Owner | null> {
  const [badge, account] = await reader.get(ownerPaths(session))
  return ownerOf(session, badge, account)
}

/** The documents that `ownerOf` needs. */
export function ownerPaths({ agentId }: Session): [badge: string, account: string] {
  return [paths.badge(agentId), paths.account(agentId)]
}

export function ownerOf(
  session: Session,
  badgeFields: Fields | null | undefined,
  accountFields: Fields | null | undefined,
): Owner | null {
  const badge = parseStored(Badge, badgeFields ?? null)
  const account = parseStored(Account, accountFields ?? null)
  return badge !== null && account?.generation === session.generation ? { badge, account } : null
}

export async function requireOwner(reader: Reader, session: Session): Promise<Owner> {
  const owner = await findOwner(reader, session)
  if (owner === null) throw unauthenticated()
  return owner
}
