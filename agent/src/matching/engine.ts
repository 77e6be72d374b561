import {
  cellOf,
  centreOf,
  Channel,
  channelDefinitions,
  distanceKm,
  edgeDistanceKm,
  forEachRoom,
  rooms,
  type AgentId,
  type Area,
  type Cell,
  type Dealbreaker,
  type FieldValue,
  type Listing,
  type Point,
  type Profile,
} from '@koko/contract'
import * as z from 'zod'
import type { Profile as OwnProfile } from '../home/files.ts'

const allDealbreakers = forEachRoom((_, { dealbreakers }) => dealbreakers).flat()
const allRules = allDealbreakers.flatMap((each) => ('theirs' in each ? [each.mine, each.theirs] : [each.mine]))

/**
 * Why a peer is no match: a rule of its room, or one of every room. The first that fails is reported, in the order of the
 * room: a peer that fails only `channel` passes all others.
 */
export const Rule = z.enum(['self', 'hidden', ...new Set(allRules.map(({ name }) => name)), 'channel'])
export type Rule = z.infer<typeof Rule>

/** A description of a peer that fails the rule. */
export const ruleWords: Readonly<Record<Rule, string>> = {
  self: 'your own agent',
  hidden: 'you hid it',
  ...Object.fromEntries(allRules.map(({ name, words }) => [name, words])),
  channel: 'publishes no channel that you publish too',
}

/** The rules that a peer fails who is too far away for this agent. */
export const distanceRules = new Set(allDealbreakers.flatMap((each) => (each.kind === 'near' ? [each.mine.name] : [])))

/** This agent: its profile at home, and its published channels. */
export type Me = OwnProfile & {
  agentId: AgentId
  channels: readonly Channel[]
}

/** The distance of two cells, in kilometres. */
export interface Distance {
  /** Between their nearest places. */
  atLeast: number
  /** Between their centres. */
  about: number
}

/** `channels` are those in common, the one that reveals least first. */
export type Verdict = { isMatch: true; channels: Channel[]; distance: Distance } | { isMatch: false; rule: Rule }

const channelsByPrivacy = [...Channel.options].sort(
  (a, b) => channelDefinitions[a].privacyRank - channelDefinitions[b].privacyRank,
)

/** The cells whose distance is cached take a few megabytes. */
const maxCachedCells = 20_000

/** Applies the dealbreakers of both sides to one listing after another. */
export function createMatcher(me: Me): (listing: Listing) => Verdict {
  const distances = new Map<Area, Distance>()
  const checks = rooms[me.room].dealbreakers.flatMap((each) => checksOf(each, me, distanceTo))

  function distanceTo(area: Area): Distance {
    let distance = distances.get(area)
    if (distance === undefined) {
      distance = distanceOfAreas(me.profile.area, area)
      if (distances.size >= maxCachedCells) distances.clear()
      distances.set(area, distance)
    }
    return distance
  }

  return ({ agentId, channels, profile }) => {
    if (agentId === me.agentId) return { isMatch: false, rule: 'self' }
    for (const { rule, passes } of checks) if (!passes(profile)) return { isMatch: false, rule }
    const shared = channelsByPrivacy.filter((each) => channels[each] !== undefined && me.channels.includes(each))
    if (shared.length === 0) return { isMatch: false, rule: 'channel' }
    return { isMatch: true, channels: shared, distance: distanceTo(profile.area) }
  }
}

/** The checks of one dealbreaker, mine first. */
function checksOf(
  dealbreaker: Dealbreaker,
  { profile: me, dealbreakers }: Me,
  distanceTo: (area: Area) => Distance,
): { rule: Rule; passes: (peer: Profile) => boolean }[] {
  const { mine } = dealbreaker
  const mutual = (theirs: { name: string }, accepts: (one: Profile, other: Profile, peer: Profile) => boolean) => [
    { rule: mine.name, passes: (peer: Profile) => accepts(me, peer, peer) },
    { rule: theirs.name, passes: (peer: Profile) => accepts(peer, me, peer) },
  ]
  switch (dealbreaker.kind) {
    case 'sought': {
      const { of, in: accepted, theirs } = dealbreaker
      return mutual(theirs, (one, other) => isAmong(listOf(one, accepted), other[of]))
    }
    case 'between': {
      const { of, min, max, theirs } = dealbreaker
      return mutual(theirs, (one, other) => {
        const number = numberOf(other, of)
        return number >= numberOf(one, min) && number <= numberOf(one, max)
      })
    }
    case 'near': {
      const { within, theirs } = dealbreaker
      return mutual(theirs, (one, _, { area }) => distanceTo(area).atLeast <= numberOf(one, within))
    }
    case 'shared': {
      const own = listOf(me, dealbreaker.of)
      const shares = (theirs: readonly string[]) =>
        own.length === 0 || theirs.length === 0 || theirs.some((value) => own.includes(value))
      return [{ rule: mine.name, passes: (peer) => shares(listOf(peer, dealbreaker.of)) }]
    }
    case 'private': {
      const accepted = dealbreakers[dealbreaker.name] ?? []
      return [{ rule: mine.name, passes: (peer) => isAmong(accepted, peer[dealbreaker.of]) }]
    }
  }
}

/** An empty list accepts everything. */
function isAmong(list: readonly unknown[], value: unknown): boolean {
  return list.length === 0 || list.includes(value)
}

function listOf(profile: Profile, name: string): readonly string[] {
  const value: FieldValue | undefined = profile[name]
  return typeof value === 'object' && value !== null ? value : []
}

/** `null` is no limit. */
export function numberOf(profile: Profile, name: string): number {
  const value: FieldValue | undefined = profile[name]
  if (value === null) return Infinity
  return typeof value === 'number' ? value : Number.NaN
}

/** The most that rounding adds to a distance: some decimetres, between places half the earth apart. */
const maxRoundingKm = 0.001

/** The distance of two areas, of which one may contain the other. No two places in them are nearer than `atLeast`. */
export function distanceOfAreas(a: Area, b: Area): Distance {
  const [ours, theirs] = [cellOf(a), cellOf(b)]
  // One of the two nearest places is a corner: edges along meridians are nearest at an end, and of places on a parallel
  // those at the same longitude are.
  const gaps = [
    ...cornersOf(ours).map((corner) => edgeDistanceKm(corner, theirs)),
    ...cornersOf(theirs).map((corner) => edgeDistanceKm(corner, ours)),
  ]
  return {
    about: distanceKm(centreOf(ours), centreOf(theirs)),
    atLeast: Math.max(0, Math.min(...gaps) - maxRoundingKm),
  }
}

/** The distance from the centre of an area to its furthest place, which is a corner. */
export function radiusKm(area: Area): number {
  const cell = cellOf(area)
  return Math.max(...cornersOf(cell).map((corner) => distanceKm(centreOf(cell), corner)))
}

function cornersOf({ south, west, north, east }: Cell): Point[] {
  return [south, north].flatMap((latitude) => [west, east].map((longitude) => ({ latitude, longitude })))
}
