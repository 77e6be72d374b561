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
import { readListingState, utcDay, withoutChannels, writeListing } from './listing-change.ts'
import type { Ports } from '../ports.ts'
import { requireOwner, type Session } from '../sessions.ts'
import { assertNotTakenDown } from './takedown.ts'

/**
 * Replaces the agent's whole listing. Unlinked channels are withheld; if all are, no listing remains. Throws
 * `invalid-argument` for an input that the room's schema refuses and for handles that the host has taken down,
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
    // A publish counts as being seen, even if every channel is withheld.
    const unlistedSinceMs = published === null ? utcDay(now) : null
    transaction.set(paths.account(badge.agentId), { ...changed, publishAllowanceFullAtMs, unlistedSinceMs })
    return { published, withheld }
  })
}

/** What a publish stores, and which of its channels are unlinked. */
function decidePublication(
  badge: Badge,
  channels: Channels,
  profile: Listing['profile'],
  unlinks: Unlinks,
  now: Date,
): { published: Listing | null; withheld: { channel: Channel; unlinkedAtMs: number }[] } {
  const withheld = Channel.options.flatMap((channel) => {
    const unlink = channels[channel] === undefined ? undefined : unlinks[channel]
    return unlink === undefined ? [] : [{ channel, unlinkedAtMs: unlink.unlinkedAtMs }]
  })
  const { agentId, category, registeredAtMs } = badge
  const today = utcDay(now)
  const presence = { registeredAtMs: utcDay(new Date(registeredAtMs)), publishedAtMs: today, lastSeenAtMs: today }
  const listing: Listing = { agentId, category, channels, profile, presence }
  const hidden = withheld.map(({ channel }) => channel)
  return { published: withoutChannels(listing, hidden), withheld }
}

/** When the allowance will be full again after one more publish. Throws `resource-exhausted` if none is left. */
function chargePublish(fullAtMs: number, now: Date): number {
  const furthestMs = now.getTime() + publishBurst * publishIntervalMs
  // A later time comes from a clock that has gone back since. It counts as an allowance with one publish left.
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
