import { dayMs, goneWithinMs, minuteMs, type AgentId, type Listing } from '@koko/contract'
import { createMatcher, type Me, type Rule } from './engine.ts'
import type { Peers } from '../home/files.ts'
import { createShortlist, type Match } from './ranking.ts'

/** Discovery answers from shards: a handle that was taken back may be in what is asked for this much later. */
export const discoveryDelayMs = goneWithinMs
/** A peer that was not refreshed for so long is no longer kept. */
const keptMs = 7 * dayMs
/** Longer than any answer takes that is still under way. */
const forgottenMs = 5 * minuteMs

export const noPeers: Peers = { peers: [], forgotten: [], budget: { dayMs: 0, discovered: 0, refreshed: 0 } }

/** What the directory answered. */
export interface Answer {
  listings: readonly Listing[]
  /** Who was asked for by id: of these, those without a listing are gone. */
  asked: readonly AgentId[]
  /** The listings were not taken from an earlier state than at this time. */
  asOfMs: number
}

/** A match that is known. */
export interface KnownMatch extends Match {
  refreshedAtMs: number
}

export interface Plan {
  peers: Peers
  /** All of `peers`, the best first. */
  matches: KnownMatch[]
  /** Of the listings of the answer, those that are no match, unless something newer is known. */
  leftOut: { agentId: AgentId; rule: Rule }[]
}

/**
 * Peers after an answer: matches only, at most `most`, and of two states of a listing the newer one, in whichever order
 * they arrive. Who was known and is no match any more is forgotten.
 */
export function planPeers(before: Peers, answer: Answer, me: Me, most: number, nowMs: number): Plan {
  const known = new Map(before.peers.map((peer) => [peer.listing.agentId, peer]))
  const forgotten = new Map(
    before.forgotten
      .filter(({ asOfMs }) => past(asOfMs, nowMs) >= nowMs - forgottenMs)
      .map((peer) => [peer.agentId, peer]),
  )
  const isNews = (agentId: AgentId) =>
    answer.asOfMs >= past(known.get(agentId)?.refreshedAtMs ?? 0, nowMs) &&
    answer.asOfMs >= (forgotten.get(agentId)?.asOfMs ?? 0)
  const forget = (agentId: AgentId) => {
    known.delete(agentId)
    forgotten.set(agentId, { agentId, asOfMs: answer.asOfMs })
  }

  const match = createMatcher(me)
  const leftOut: Plan['leftOut'] = []
  const asked = new Set(answer.asked)
  const listed = new Set(answer.listings.map(({ agentId }) => agentId))
  for (const agentId of asked) if (!listed.has(agentId) && isNews(agentId)) forget(agentId)
  for (const listing of answer.listings) {
    const { agentId } = listing
    if (!isNews(agentId)) continue
    const verdict = match(listing)
    if (verdict.isMatch) {
      const foundAtMs = known.get(agentId)?.foundAtMs ?? nowMs
      known.set(agentId, { listing, foundAtMs, refreshedAtMs: answer.asOfMs })
      forgotten.delete(agentId)
    } else {
      leftOut.push({ agentId, rule: verdict.rule })
      if (known.has(agentId) || asked.has(agentId)) forget(agentId)
    }
  }

  const shortlist = createShortlist(me, match, most)
  for (const { listing, refreshedAtMs } of known.values()) {
    if (refreshedAtMs > nowMs - keptMs) shortlist.take(listing)
  }
  const kept = shortlist.matches().flatMap((found) => {
    const peer = known.get(found.listing.agentId)
    return peer === undefined ? [] : [{ found, peer }]
  })
  return {
    peers: { ...before, peers: kept.map(({ peer }) => peer), forgotten: [...forgotten.values()] },
    matches: kept.map(({ found, peer }) => ({ ...found, refreshedAtMs: peer.refreshedAtMs })),
    leftOut,
  }
}

/** Known peers, the one first that was not asked for the longest. */
export function longestUnasked({ peers }: Peers, nowMs: number): AgentId[] {
  const askedAtMs = ({ refreshedAtMs }: Peers['peers'][number]) => past(refreshedAtMs, nowMs)
  return peers.toSorted((a, b) => askedAtMs(a) - askedAtMs(b)).map(({ listing }) => listing.agentId)
}

/** A time that is yet to come was taken from a clock that was wrong, and is older than anything. */
function past(timeMs: number, nowMs: number): number {
  return timeMs > nowMs ? 0 : timeMs
}

export type Count = 'discovered' | 'refreshed'

/**
 * What of the budgets is used on a day. By this machine's clock a day that was begun goes on, if the clock goes back by
 * no more than a day; a day that the directory told is the day.
 */
export function budgetOn(budget: Peers['budget'], today: number, isTold: boolean): Peers['budget'] {
  if (budget.dayMs < today) return { dayMs: today, discovered: 0, refreshed: 0 }
  return budget.dayMs > (isTold ? today : today + dayMs) ? { ...budget, dayMs: today } : budget
}

/** The UTC day of a time, in milliseconds since the epoch. */
export function utcDay(timeMs: number): number {
  return Math.floor(timeMs / dayMs) * dayMs
}
