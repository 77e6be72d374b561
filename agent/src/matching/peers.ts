import { dayMs, goneWithinMs, minuteMs, type AgentId, type Listing } from '@koko/contract'
import { createMatcher, type Me, type Rule, type Verdict } from './engine.ts'
import type { Peers } from '../home/files.ts'
import { createShortlist, type Match } from './ranking.ts'

/** Discovery answers from shards: a handle can appear in its answers for this long after it was unlinked. */
export const discoveryDelayMs = goneWithinMs
/** A peer that was not refreshed for this long is removed. */
const maxAgeMs = 7 * dayMs
/** Every request that is under way ends sooner. */
const forgottenMs = 5 * minuteMs

export const noPeers: Peers = {
  peers: [],
  hidden: [],
  forgotten: [],
  budget: { dayMs: 0, discovered: 0, refreshed: 0 },
}

export interface Answer {
  listings: readonly Listing[]
  /** The ids that were asked for: those without a listing are gone. */
  asked: readonly AgentId[]
  /** The listings are at least as recent as this. */
  asOfMs: number
}

export interface KnownMatch extends Match {
  refreshedAtMs: number
}

export interface Plan {
  peers: Peers
  /** All of `peers`, best first. */
  matches: KnownMatch[]
  /** The listings of the answer that do not match, unless a newer state is known. */
  leftOut: { agentId: AgentId; rule: Rule }[]
}

/**
 * The best `max` matches after an answer. Of two states of a listing the newer counts, in whichever order they arrive. A
 * known peer that no longer matches, or that is hidden, is forgotten.
 */
export function planPeers(before: Peers, answer: Answer, me: Me, max: number, nowMs: number): Plan {
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

  const matcher = createMatcher(me)
  const hidden = new Set(before.hidden.map(({ agentId }) => agentId))
  const match = (listing: Listing): Verdict =>
    hidden.has(listing.agentId) ? { isMatch: false, rule: 'hidden' } : matcher(listing)
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

  const shortlist = createShortlist(me, match, max)
  for (const { listing, refreshedAtMs } of known.values()) {
    if (refreshedAtMs > nowMs - maxAgeMs) shortlist.take(listing)
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

/** The same without the peers that were not refreshed for too long; null if there is none. */
export function withoutStale(before: Peers, nowMs: number): Peers | null {
  const peers = before.peers.filter(({ refreshedAtMs }) => refreshedAtMs > nowMs - maxAgeMs)
  return peers.length === before.peers.length ? null : { ...before, peers }
}

/** Known peers, the least recently refreshed first. */
export function longestUnasked({ peers }: Peers, nowMs: number): AgentId[] {
  const askedAtMs = ({ refreshedAtMs }: Peers['peers'][number]) => past(refreshedAtMs, nowMs)
  return peers.toSorted((a, b) => askedAtMs(a) - askedAtMs(b)).map(({ listing }) => listing.agentId)
}

/** A time in the future came from a wrong clock: it counts as the oldest. */
function past(timeMs: number, nowMs: number): number {
  return timeMs > nowMs ? 0 : timeMs
}

export type Count = 'discovered' | 'refreshed'

/**
 * The use of the budgets on a day. Where only this machine's clock gives the day, the clock can go back by up to a day
 * without starting another. The directory's day (`isExact`) always counts.
 */
export function budgetOn(budget: Peers['budget'], today: number, isExact: boolean): Peers['budget'] {
  if (budget.dayMs < today) return { dayMs: today, discovered: 0, refreshed: 0 }
  return budget.dayMs > (isExact ? today : today + dayMs) ? { ...budget, dayMs: today } : budget
}
