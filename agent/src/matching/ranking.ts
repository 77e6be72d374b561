import { rooms, type Listing } from '@koko/contract'
import { numberOf, type Me, type Rule, type Verdict } from './engine.ts'

/** A peer that passes the dealbreakers, and the place it takes among others. */
export interface Match {
  listing: Listing
  verdict: Verdict & { isMatch: true }
  rank: Rank
}

/** Smaller is better, the first difference decides. */
type Rank = readonly number[]

/** A cell of four characters is about so wide: distances below it are the same. */
const nearKm = 20

/**
 * The rank of a match. The preferences of the room come first; distances count in bands that double, because cells tell no
 * more. Then the day last seen. Ties are broken by an order that differs for each operator, so that no agent is first for
 * everybody.
 */
function rankOf(
  { agentId, room, profile: mine }: Me,
  { agentId: theirId, profile: theirs, presence }: Listing,
  { distance }: Verdict & { isMatch: true },
): Rank {
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

/** FNV-1a, 32 bits (RFC 9923): it orders, and keeps no secret. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash >>> 0
}

/** Sorts the better match first. No two peers are equal. */
function compareMatches(a: Match, b: Match): number {
  for (const [index, value] of a.rank.entries()) {
    const other = b.rank[index] ?? 0
    if (value !== other) return value - other
  }
  return a.listing.agentId < b.listing.agentId ? -1 : 1
}

/** The best matches of any number of listings, and why the others are none. */
export interface Shortlist {
  take: (listing: Listing) => Verdict
  /** The best first, and no more than were asked for. */
  matches: () => Match[]
  matched: number
  leftOut: Partial<Record<Rule, number>>
}

/** Keeps at most `most` matches, and, while it takes more, as many again. */
export function createShortlist(me: Me, match: (listing: Listing) => Verdict, most: number): Shortlist {
  let best: Match[] = []
  const cut = () => {
    best = best.sort(compareMatches).slice(0, most)
  }
  const shortlist: Shortlist = {
    matched: 0,
    leftOut: {},
    take(listing) {
      const verdict = match(listing)
      if (verdict.isMatch) {
        shortlist.matched += 1
        best.push({ listing, verdict, rank: rankOf(me, listing, verdict) })
        if (best.length >= 2 * most) cut()
      } else {
        shortlist.leftOut[verdict.rule] = (shortlist.leftOut[verdict.rule] ?? 0) + 1
      }
      return verdict
    },
    matches() {
      cut()
      return [...best]
    },
  }
  return shortlist
}
