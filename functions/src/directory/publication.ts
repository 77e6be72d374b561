import {
  secondMs,
  Channel,
  DirectoryError,
  parse,
  publishInput,
  type Badge,
  type Channels,
  type Listing,
  type Unlinks,
} from '@koko/contract'
import { paths, unlinksOf } from '../documents.ts'
import { publishBurst, publishIntervalMs } from '../limits.ts'
import { readListingState, utcDay, writeListing } from './listing-change.ts'
import type { Ports } from '../ports.ts'
import { requireOwner, type Session } from '../sessions.ts'
import { assertNotTakenDown } from './takedown.ts'

/**
 * Replaces the agent's whole listing. Channels that were unlinked are withheld; where that is all of them, no listing
 * remains. Throws `invalid-argument` for what the room's schema refuses and for handles that the host has taken down,
 * `resource-exhausted` above the allowance.
 */
export async function publishProfile({ store, vault }: Ports, session: Session, input: unknown, now: Date) {
  return store.transaction(async (transaction) => {
    const { badge, account } = await requireOwner(transaction, session)
    const { channels, profile } = parse(publishInput(badge.category), input)
    const publishAllowanceFullAtMs = chargePublish(account.publishAllowanceFullAtMs, now)

    const state = await readListingState(transaction, badge.category, badge.agentId)
    const [unlinkFields] = await transaction.get([paths.unlinks(badge.agentId)])
    await assertNotTakenDown(transaction, vault, channels)
    const unlinks = unlinksOf(unlinkFields, now)
    const { published, withheld } = decidePublication(badge, channels, profile, unlinks, now)
    const changed = writeListing(transaction, state, published, account, now)
    // Publishing counts as being seen, even where every channel is withheld.
    const unlistedSinceMs = published === null ? utcDay(now) : null
    transaction.set(paths.account(badge.agentId), { ...changed, publishAllowanceFullAtMs, unlistedSinceMs })
    return { published, withheld }
  })
}

/** What a publish stores, and which of its channels an unlink holds back. */
function decidePublication(
  badge: Badge,
  channels: Channels,
  profile: Listing['profile'],
  unlinks: Unlinks,
  now: Date,
): { published: Listing | null; withheld: { channel: Channel; unlinkedAtMs: number }[] } {
  const offered = Channel.options.filter((channel) => channels[channel] !== undefined)
  const withheld = offered.flatMap((channel) => {
    const unlink = unlinks[channel]
    return unlink === undefined ? [] : [{ channel, unlinkedAtMs: unlink.unlinkedAtMs }]
  })
  const shown = Object.fromEntries(
    offered.filter((channel) => unlinks[channel] === undefined).map((channel) => [channel, channels[channel]]),
  )
  if (Object.keys(shown).length === 0) return { published: null, withheld }
  const today = utcDay(now)
  const published: Listing = {
    agentId: badge.agentId,
    category: badge.category,
    channels: shown,
    profile,
    presence: { registeredAtMs: utcDay(new Date(badge.registeredAtMs)), publishedAtMs: today, lastSeenAtMs: today },
  }
  return { published, withheld }
}

/** When the allowance will be whole again after one more publish; throws where there is none left. */
function chargePublish(fullAtMs: number, now: Date): number {
  const furthestMs = now.getTime() + publishBurst * publishIntervalMs
  // Further off than that, the clock that wrote it has gone back since: one a minute, as if all was used.
  const hasJumped = fullAtMs > furthestMs + publishIntervalMs
  const startMs = hasJumped ? furthestMs - publishIntervalMs : Math.max(fullAtMs, now.getTime())
  const next = startMs + publishIntervalMs
  const overMs = next - furthestMs
  if (overMs <= 0) return next
  const retryAfterSeconds = Math.ceil(overMs / secondMs)
  throw new DirectoryError('resource-exhausted', `Too many publishes: try again in ${retryAfterSeconds} s.`, {
    details: { retryAfterSeconds },
  })
}
