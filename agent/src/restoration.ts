import { Badge, Channel, DirectoryError, Listing, Unlinks, type AgentId } from '@koko/contract'
import type { Handles, Profile, Published } from './files.ts'

/** What a home can take up of an agent, from the documents that the directory exports. */
export interface Restoration {
  badge: Badge
  /** Null where nothing is listed, and so nothing is there to take up. */
  listed: { profile: Profile; handles: Handles; published: Published } | null
}

/**
 * Reads an export: the badge, and the listing where there is one. What is listed was agreed to when it was published.
 * Throws `internal` where the badge is none.
 */
export function planRestoration(agentId: AgentId, documents: Readonly<Record<string, unknown>>): Restoration {
  const badge = Badge.safeParse(documents[`agents/${agentId}`])
  if (!badge.success) {
    throw new DirectoryError('internal', 'The directory gave an export without a badge.', { cause: badge.error })
  }
  const { listing, withheld } = listedOf(badge.data, documents)
  if (listing === null) return { badge: badge.data, listed: null }
  const { publishedAtMs } = listing.presence
  const handles: Handles = {}
  for (const channel of Channel.options) {
    const handle = listing.channels[channel]
    if (handle !== undefined) handles[channel] = { handle, agreedAtMs: publishedAtMs }
  }
  return {
    badge: badge.data,
    listed: {
      profile: { profile: listing.profile, onlyIntents: [] },
      handles,
      published: { publishedAtMs, listing, withheld },
    },
  }
}

/** The listing that an export holds, and the channels that the directory withholds. */
export function listedOf(
  { agentId, category }: Pick<Badge, 'agentId' | 'category'>,
  documents: Readonly<Record<string, unknown>>,
): { listing: Listing | null; withheld: Published['withheld'] } {
  const listing = Listing.safeParse(documents[`mcpDirectory/${category}/agents/${agentId}`])
  const unlinks = Unlinks.safeParse(documents[`unlinks/${agentId}`] ?? {}).data ?? {}
  const withheld = Channel.options.flatMap((channel) => {
    const unlink = unlinks[channel]
    return unlink === undefined ? [] : [{ channel, unlinkedAtMs: unlink.unlinkedAtMs }]
  })
  return { listing: listing.success ? listing.data : null, withheld }
}
