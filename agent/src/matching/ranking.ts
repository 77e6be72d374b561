import { rooms, type Listing } from '@koko/contract'
import { numberOf, type Me, type Verdict } from './engine.ts'

/** A peer that passes the dealbreakers. */
export interface Match {
  listing: Listing
  verdict: Verdict & { isMatch: true }
  /** Smaller is better; the first difference decides. */
  rank: readonly number[]
}

/** About the width of a cell of four characters: distances below it count as equal. */
const nearKm = 20

/**
 * By the preferences of the room, then by the day last seen. Distances count in bands that double: cells are no more
 * precise. The order of ties differs for each agent that looks, so that none is always first.
 */
function rankOf(
  { agentId, room, profile: mine }: Me,
  { agentId: theirId, profile: theirs, presence }: Listing,
  { distance }: Verdict & { isMatch: true },
): Match['rank'] {
  const preferred = rooms[room].preferences.map((preference) => {
    switch (preference.by) {
      case 'same':
        return choiceDistance(mine[preference.of], theirs[preference.of], preference.wildcard)
      case 'near':
        return Math.max(0, Math.ceil(Math.log2(distance.about / nearKm)))
      case 'close':
        return Math.abs(numberOf(mine, preference.of) - numberOf(theirs, preference.of))
    }
  })
  return [...preferred, -presence.lastSeenAtMs, hashOf(`${agentId} ${theirId}`)]
}

/** 0 for the same value, 1 if one of them is the wildcard, 2 otherwise. */
function choiceDistance(mine: unknown, theirs: unknown, wildcard: string | undefined): number {
  if (mine === theirs) return 0
  return wildcard !== undefined && (mine === wildcard || theirs === wildcard) ? 1 : 2
}

/** FNV-1a, 32 bits (RFC 9923), for an order: it protects nothing. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash >>> 0
}

/** Sorts the better match first. No two peers are equal. */
function compareMatches(a: Match, b: Match): number {
  const first = a.rank.findIndex((value, index) => value !== b.rank[index])
  if (first === -1) return a.listing.agentId < b.listing.agentId ? -1 : 1
  return (a.rank[first] ?? 0) - (b.rank[first] ?? 0)
}

/** The best matches of any number of listings. */
export interface Shortlist {
  take: (listing: Listing) => void
  /** Best first. */
  matches: () => Match[]
  /** How many of the listings taken match. */
  matched: number
}

/** Keeps the best `max` matches; while it takes listings, up to twice as many. */
export function createShortlist(me: Me, match: (listing: Listing) => Verdict, max: number): Shortlist {
  let best: Match[] = []
  const cut = () => (best = best.sort(compareMatches).slice(0, max))
  const shortlist: Shortlist = {
    matched: 0,
    take(listing) {
      const verdict = match(listing)
      if (!verdict.isMatch) return
      shortlist.matched += 1
      best.push({ listing, verdict, rank: rankOf(me, listing, verdict) })
      if (best.length >= 2 * max) cut()
    },
    matches: () => [...cut()],
  }
  return shortlist
}
