import { Badge, Channel, DirectoryError, type AgentId } from '@koko/contract'
import type { Handles, Profile, Published } from '../home/files.ts'
import { noDealbreakers } from './profile.ts'
import { storedIn, unlinkedIn } from './stored-documents.ts'

/** What a home can take up of an agent, from the documents that the directory exports. */
export interface Restoration {
  badge: Badge
  /** Null where nothing is listed; undefined where what is cannot be read here. */
  listed: { profile: Profile; handles: Handles; published: Published } | null | undefined
}

/**
 * Reads an export: the badge, and the listing where there is one. What is listed was agreed to when it was published.
 * Throws `internal` where the badge is none.
 */
export function planRestoration(agentId: AgentId, documents: Readonly<Record<string, unknown>>): Restoration {
  const badge = Badge.safeParse(documents[`agents/${agentId}`])
  if (badge.data?.agentId !== agentId) {
    throw new DirectoryError('internal', 'The directory gave an export without a badge.', { cause: badge.error })
  }
  const stored = storedIn(documents, { agentId, room: badge.data.category })
  const { listing } = stored
  if (listing === null || listing === undefined) return { badge: badge.data, listed: listing }
  const { publishedAtMs } = listing.presence
  const handles: Handles = {}
  for (const channel of Channel.options) {
    const handle = listing.channels[channel]
    if (handle !== undefined) handles[channel] = { handle, agreedAtMs: publishedAtMs }
  }
  return {
    badge: badge.data,
    listed: {
      profile: { room: listing.category, profile: listing.profile, dealbreakers: noDealbreakers(listing.category) },
      handles,
      published: { publishedAtMs, listing, withheld: unlinkedIn(stored) },
    },
  }
}
