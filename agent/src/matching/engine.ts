import {
  cellOf,
  centreOf,
  distanceKm,
  edgeDistanceKm,
  type AgentId,
  type Area,
  type Cell,
  type Channel,
  type DatingProfile,
  type Listing,
  type Point,
} from '@koko/contract'
import * as z from 'zod'
import type { Profile } from '../home/files.ts'

/**
 * Why a peer is no match. They are followed in this order, and the first is the one told: whoever is left out by
 * `channel` passes all the others.
 */
export const Rule = z.enum([
  'self',
  'gender',
  'theirGender',
  'age',
  'theirAge',
  'distance',
  'theirDistance',
  'intent',
  'channel',
])
export type Rule = z.infer<typeof Rule>

/** What a peer is whom a rule left out. */
export const ruleWords = {
  self: 'your own agent',
  gender: 'of a gender you do not look for',
  theirGender: 'looks for other genders',
  age: 'of an age you do not look for',
  theirAge: 'looks for another age',
  distance: 'further away than you look',
  theirDistance: 'looks nearer by',
  intent: 'hopes for something that you do not look for',
  channel: 'publishes no channel that you publish too',
} satisfies Record<Rule, string>

/** Who looks: what is at home, and the channels that peers see. */
export interface Me extends Profile {
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

/** Channels by how little they give away: a username, an account's number, a workspace's member, a phone number. */
const channelsByPreference = ['telegram', 'discord', 'slack', 'whatsapp'] as const satisfies readonly Channel[]

/** Cells whose distance is kept: some megabytes of them. */
const mostKnownCells = 20_000

/** Applies the dealbreakers of both sides to one listing after another. */
export function createMatcher(me: Me): (listing: Listing) => Verdict {
  const distances = new Map<Area, Distance>()

  function distanceTo(area: Area): Distance {
    let distance = distances.get(area)
    if (distance === undefined) {
      distance = distanceOfAreas(me.profile.area, area)
      if (distances.size >= mostKnownCells) distances.clear()
      distances.set(area, distance)
    }
    return distance
  }

  return ({ agentId, channels, profile: they }) => {
    const mine = me.profile
    if (agentId === me.agentId) return { isMatch: false, rule: 'self' }
    if (!seeks(mine, they)) return { isMatch: false, rule: 'gender' }
    if (!seeks(they, mine)) return { isMatch: false, rule: 'theirGender' }
    if (!isOfAge(mine, they)) return { isMatch: false, rule: 'age' }
    if (!isOfAge(they, mine)) return { isMatch: false, rule: 'theirAge' }
    const distance = distanceTo(they.area)
    if (distance.atLeast > (mine.maxDistanceKm ?? Infinity)) return { isMatch: false, rule: 'distance' }
    if (distance.atLeast > (they.maxDistanceKm ?? Infinity)) return { isMatch: false, rule: 'theirDistance' }
    if (me.onlyIntents.length > 0 && !me.onlyIntents.includes(they.intent)) return { isMatch: false, rule: 'intent' }
    const channel = channelsByPreference.find((each) => channels[each] !== undefined && me.channels.includes(each))
    if (channel === undefined) return { isMatch: false, rule: 'channel' }
    return { isMatch: true, channel, distance }
  }
}

function seeks({ seeking }: DatingProfile, { gender }: DatingProfile): boolean {
  return seeking.length === 0 || seeking.includes(gender)
}

function isOfAge({ ageMin, ageMax }: DatingProfile, { age }: DatingProfile): boolean {
  return age >= ageMin && age <= ageMax
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
