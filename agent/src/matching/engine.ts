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

const allRules = forEachRoom((_, { dealbreakers }) =>
  dealbreakers.flatMap((each) => ('theirs' in each ? [each.mine, each.theirs] : [each.mine])),
).flat()

/**
 * Why a peer is no match: a rule of its room, or one of every room. They are checked in the order of the room, and the
 * first is the one reported: a peer that `channel` leaves out passes all others.
 */
export const Rule = z.enum(['self', ...new Set(allRules.map(({ name }) => name)), 'channel'])
export type Rule = z.infer<typeof Rule>

/** What each rule says of a peer that it leaves out. */
export const ruleWords: Readonly<Record<Rule, string>> = {
  self: 'your own agent',
  ...Object.fromEntries(allRules.map(({ name, words }) => [name, words])),
  channel: 'publishes no channel that you publish too',
}

/** The rules that leave out a peer who is too far away for the one who looks. */
export const distanceRules = new Set(
  forEachRoom((_, { dealbreakers }) =>
    dealbreakers.flatMap((each) => (each.kind === 'near' ? [each.mine.name] : [])),
  ).flat(),
)

/** Who looks: what is at home, and the channels that peers see. */
export type Me = OwnProfile & {
  agentId: AgentId
  channels: readonly Channel[]
}

/** Between two cells, in kilometres. */
export interface Distance {
  /** Of their nearest places. */
  atLeast: number
  /** Of their centres. */
  about: number
}

export type Verdict = { isMatch: true; channel: Channel; distance: Distance } | { isMatch: false; rule: Rule }

const channelsByPrivacy = [...Channel.options].sort(
  (a, b) => channelDefinitions[a].privacyRank - channelDefinitions[b].privacyRank,
)

/** Cells whose distance is kept: some megabytes of them. */
const maxKnownCells = 20_000

interface Check {
  rule: Rule
  passes: (theirs: Profile, distance: Distance) => boolean
}

/** Applies the dealbreakers of both sides to one listing after another. */
export function createMatcher(me: Me): (listing: Listing) => Verdict {
  const distances = new Map<Area, Distance>()
  const checks = rooms[me.room].dealbreakers.flatMap((each) => checksOf(each, me))

  function distanceTo(area: Area): Distance {
    let distance = distances.get(area)
    if (distance === undefined) {
      distance = distanceOfAreas(me.profile.area, area)
      if (distances.size >= maxKnownCells) distances.clear()
      distances.set(area, distance)
    }
    return distance
  }

  return ({ agentId, channels, profile }) => {
    if (agentId === me.agentId) return { isMatch: false, rule: 'self' }
    const distance = distanceTo(profile.area)
    const failed = checks.find(({ passes }) => !passes(profile, distance))
    if (failed !== undefined) return { isMatch: false, rule: failed.rule }
    const channel = channelsByPrivacy.find((each) => channels[each] !== undefined && me.channels.includes(each))
    if (channel === undefined) return { isMatch: false, rule: 'channel' }
    return { isMatch: true, channel, distance }
  }
}

/** The checks of one dealbreaker, mine first. */
function checksOf(dealbreaker: Dealbreaker, { profile: mine, dealbreakers }: Me): Check[] {
  switch (dealbreaker.kind) {
    case 'sought': {
      const seeks = (one: Profile, other: Profile) => isAmong(listOf(one, dealbreaker.in), other[dealbreaker.of])
      return mutual(dealbreaker, (theirs) => [seeks(mine, theirs), seeks(theirs, mine)])
    }
    case 'between': {
      const { of, min, max } = dealbreaker
      const accepts = (one: Profile, other: Profile) =>
        numberOf(other, of) >= numberOf(one, min) && numberOf(other, of) <= numberOf(one, max)
      return mutual(dealbreaker, (theirs) => [accepts(mine, theirs), accepts(theirs, mine)])
    }
    case 'near': {
      const reaches = (one: Profile, { atLeast }: Distance) => atLeast <= numberOf(one, dealbreaker.within)
      return mutual(dealbreaker, (theirs, distance) => [reaches(mine, distance), reaches(theirs, distance)])
    }
    case 'shared': {
      const own = listOf(mine, dealbreaker.of)
      const shares = (theirs: readonly string[]) =>
        own.length === 0 || theirs.length === 0 || theirs.some((value) => own.includes(value))
      return [{ rule: dealbreaker.mine.name, passes: (theirs) => shares(listOf(theirs, dealbreaker.of)) }]
    }
    case 'private': {
      const { name, of, mine: rule } = dealbreaker
      const accepted = dealbreakers[name] ?? []
      return [{ rule: rule.name, passes: (theirs) => isAmong(accepted, theirs[of]) }]
    }
  }
}

function mutual(
  { mine, theirs }: { mine: { name: string }; theirs: { name: string } },
  both: (profile: Profile, distance: Distance) => [mine: boolean, theirs: boolean],
): Check[] {
  return [
    { rule: mine.name, passes: (profile, distance) => both(profile, distance)[0] },
    { rule: theirs.name, passes: (profile, distance) => both(profile, distance)[1] },
  ]
}

/** An empty list accepts everything. */
function isAmong(list: readonly string[], value: FieldValue | undefined): boolean {
  return list.length === 0 || list.some((each) => each === value)
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

/** What rounding may add to a distance: it is at its worst, some decimetres, between places half the earth apart. */
const roundingKm = 0.001

/** How far two areas are from each other. Nobody in them is nearer than `atLeast`. */
export function distanceOfAreas(a: Area, b: Area): Distance {
  const [ours, theirs] = [cellOf(a), cellOf(b)]
  const about = distanceKm(centreOf(ours), centreOf(theirs))
  return { about, atLeast: gapKm(ours, theirs) }
}

/**
 * The distance of the nearest places of two cells, of which one may hold the other. One of the two places is a corner:
 * edges along meridians come closest at an end, and of places on a parallel those at the same longitude are nearest.
 */
function gapKm(a: Cell, b: Cell): number {
  const gaps = [
    ...cornersOf(a).map((corner) => edgeDistanceKm(corner, b)),
    ...cornersOf(b).map((corner) => edgeDistanceKm(corner, a)),
  ]
  return Math.max(0, Math.min(...gaps) - roundingKm)
}

/** The distance from the centre of an area to the furthest place in it, which is a corner. */
export function radiusKm(area: Area): number {
  const cell = cellOf(area)
  return Math.max(...cornersOf(cell).map((corner) => distanceKm(centreOf(cell), corner)))
}

function cornersOf({ south, west, north, east }: Cell): Point[] {
  return [south, north].flatMap((latitude) => [west, east].map((longitude) => ({ latitude, longitude })))
}
