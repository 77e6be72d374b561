import {
  Channel,
  parse,
  publishInput,
  utcDay,
  type Badge,
  type Channels,
  type Listing,
  type Unlinks,
} from '@koko/contract'
import { tooOften } from '../allowances.ts'
import { paths, unlinksOf, type Account } from '../documents.ts'
import { publishBurst, publishIntervalMs } from '../limits.ts'
import { readListingState, withoutChannels, writeListing } from './listing-change.ts'
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
    const publishAllowance = chargePublish(account.publishAllowance, now)

    const state = await readListingState(transaction, badge.category, badge.agentId)
    const [unlinkFields] = await transaction.get([paths.unlinks(badge.agentId)])
    await assertNotTakenDown(transaction, vault, channels)
    const unlinks = unlinksOf(unlinkFields, now)
    const { published, withheld } = decidePublication(badge, channels, profile, unlinks, now)
    const changed = writeListing(transaction, state, published, account, now)
    // A publish counts as being seen, even if every channel is withheld.
    const unlistedSinceMs = published === null ? utcDay(now.getTime()) : null
    transaction.set(paths.account(badge.agentId), { ...changed, publishAllowance, unlistedSinceMs })
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
  const today = utcDay(now.getTime())
  const presence = { registeredAtMs: utcDay(registeredAtMs), publishedAtMs: today, lastSeenAtMs: today }
  const listing: Listing = { agentId, category, channels, profile, presence }
  const hidden = withheld.map(({ channel }) => channel)
  return { published: withoutChannels(listing, hidden), withheld }
}

/**
 * The allowance after one more publish. Throws `resource-exhausted` if none is left. It is counted from the end of the
 * minute, so that it does not record when the agent published. Only the time at which the last publish is used is kept
 * exactly: rounded, it would allow the next one too early, or up to a minute late.
 */
function chargePublish({ used, regainsFromMs }: Account['publishAllowance'], now: Date): Account['publishAllowance'] {
  const nowMs = now.getTime()
  const minuteEnd = (ms: number) => Math.ceil(ms / publishIntervalMs) * publishIntervalMs
  // A later time than any that is written comes from a clock that has gone back since. Then one publish is left.
  const hasJumped = used > 0 && regainsFromMs > nowMs + 2 * publishIntervalMs
  const regained = Math.min(used, Math.max(0, Math.floor((nowMs - regainsFromMs) / publishIntervalMs)))
  const spent = hasJumped ? publishBurst - 1 : used - regained
  if (spent >= publishBurst) throw tooOften('publishes', regainsFromMs + publishIntervalMs - nowMs)
  if (spent + 1 === publishBurst) return { used: publishBurst, regainsFromMs: nowMs }
  const fromMs = spent === 0 ? nowMs : regainsFromMs + regained * publishIntervalMs
  return { used: spent + 1, regainsFromMs: minuteEnd(fromMs) }
}
