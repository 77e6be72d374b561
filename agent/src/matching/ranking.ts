import type { DatingProfile, Listing } from '@koko/contract'
import type { Me, Rule, Verdict } from './engine.ts'

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
 * The place of a match. What both hope for comes first; then how near, in bands that double, because cells tell no
 * more; then closeness in age; then the day last seen. Who is equal in all of it comes in an order that is another for
 * each operator, so that nobody is first for everybody.
 */
function rankOf(
  { agentId, profile: mine }: Me,
  { agentId: theirId, profile: theirs, presence }: Listing,
  { distance }: Verdict & { isMatch: true },
): Rank {
  return [
    intentDistance(mine, theirs),
    Math.max(0, Math.ceil(Math.log2(distance.about / nearKm))),
    Math.abs(mine.age - theirs.age),
    -presence.lastSeenAtMs,
    hashOf(`${agentId} ${theirId}`),
  ]
}

/** 0 where both hope for the same, 1 where one of them is open, 2 otherwise. */
function intentDistance(mine: DatingProfile, theirs: DatingProfile): number {
  if (mine.intent === theirs.intent) return 0
  return mine.intent === 'open' || theirs.intent === 'open' ? 1 : 2
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
