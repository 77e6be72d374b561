import {
  AgentId,
  Area,
  Channel,
  channelDefinitions,
  DirectoryError,
  maxDistanceKm,
  maxPageSize,
  Milliseconds,
  rooms,
  unreadableIn,
  type DiscoverInput,
  type DiscoverOutput,
  type Profile,
  type RoomName,
} from '@koko/contract'
import * as z from 'zod'
import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'
import { numberOf, radiusKm, Rule } from '../matching/engine.ts'
import type { Match } from '../matching/ranking.ts'
import { counted } from '../output.ts'
import { fieldsOfAllRooms } from './profile.ts'
import type { DiscoverOptions } from './options.ts'
import { BudgetSpent, openRoomView, type RoomView } from './room-view.ts'

/** Without `all`, a discovery ends after this many listings. */
const maxLooked = 200
/** Below 50, where the directory begins to charge several pages in advance: unused ones are lost for the day. */
const shortPageSize = 40

const Budget = z.strictObject({ used: z.int(), of: z.int(), resetsAtMs: Milliseconds })

/** A peer that matches; its handles only if they were received just now. */
export const PeerMatch = z.strictObject({
  agentId: AgentId,
  ...summaryShape(),
  area: Area,
  distanceKm: z
    .strictObject({ atLeast: z.int(), about: z.int() })
    .describe('Between the nearest places of the two cells, and between their centres'),
  channels: z
    .array(z.strictObject({ channel: Channel, handle: z.string().optional() }))
    .describe('Those in common, the one that reveals least first'),
})
export type PeerMatch = z.infer<typeof PeerMatch>

/** The fields by which the rooms describe a peer; optional if a room lacks it. */
function summaryShape(): Record<string, z.ZodType> {
  const all = Object.values(rooms)
  const names = new Set(all.flatMap(({ summary }) => summary))
  const isEverywhere = (name: string) => all.every(({ summary }) => summary.includes(name))
  return Object.fromEntries(
    Object.entries(fieldsOfAllRooms())
      .filter(([name]) => names.has(name))
      .map(([name, schema]) => [name, isEverywhere(name) ? schema : schema.optional()]),
  )
}

export const Discovery = z.strictObject({
  asOfMs: Milliseconds,
  looked: z.int().describe('Agents whose listing was received'),
  matches: z
    .array(
      z.strictObject({
        ...PeerMatch.shape,
        isNew: z.boolean(),
        refreshed: z
          .boolean()
          .describe('Whether this discovery received the listing; only then its handles are included'),
      }),
    )
    .describe('The best first'),
  leftOut: z.partialRecord(Rule, z.int()).describe('How many each dealbreaker left out, of those looked at'),
  leftOutPeers: z.array(z.strictObject({ agentId: AgentId, rule: Rule })).optional(),
  unreadable: z.int().optional().describe('Listings that this version of koko cannot read, if there are any'),
  hasMore: z.boolean().describe('Whether the room holds more than was looked at'),
  budget: z.strictObject({ discover: Budget, batchGet: Budget }),
  note: z.string().optional(),
})
export type Discovery = z.infer<typeof Discovery>

export const AskedPeer = z.strictObject({
  agentId: AgentId,
  found: z.boolean(),
  match: z
    .strictObject({
      ...PeerMatch.shape,
      channels: z.array(z.strictObject({ channel: Channel, handle: z.string(), link: z.string().optional() })),
    })
    .optional(),
  leftOut: Rule.optional().describe('Why it is no match; its handles are then left out'),
})
export type AskedPeer = z.infer<typeof AskedPeer>

/**
 * Asks again for known peers, then looks for more. Keeps what it finds page by page. If the directory fails midway or the
 * day's budget ends, it returns what it has, and a note says so.
 */
export async function discover(
  context: Context,
  { nearMe = false, all = false, explain = false }: DiscoverOptions,
): Promise<Discovery> {
  const room = await openRoomView(context)
  const known = new Set(room.matches().map(({ listing }) => listing.agentId))
  const stopped = await refreshKnown(context, room)
  const look =
    stopped instanceof DirectoryError
      ? { stop: undefined, hasMore: true }
      : await discoverPages(context, room, nearMe ? queryNear(room.me.room, room.listed) : {}, all)

  const matches = room.matches()
  const stops = [stopped, look.stop].filter((stop) => stop !== undefined)
  const worst = stops.find((stop) => stop instanceof DirectoryError) ?? (matches.length === 0 ? stops[0] : undefined)
  if (room.received.size === 0 && worst !== undefined) throw worst
  const leftOutPeers = [...room.received].flatMap(([agentId, { rule }]) => (rule === null ? [] : [{ agentId, rule }]))
  const unreadable = room.unreadable()
  const notes = [...stops.map(noteOf), ...(nearMe ? unpublishedNote(room) : [])]
  if (unreadable > 0) {
    const listings = counted(unreadable, 'listing', 'listings')
    notes.push(`${listings} cannot be read by this version of koko. Update koko to see all.`)
  }
  const leftOut: Discovery['leftOut'] = {}
  for (const { rule } of leftOutPeers) leftOut[rule] = (leftOut[rule] ?? 0) + 1
  return {
    asOfMs: room.nowMs(),
    looked: room.received.size,
    matches: matches.map(({ isReceived, ...match }) => ({
      ...describeMatch(match, isReceived),
      isNew: !known.has(match.listing.agentId),
      refreshed: isReceived,
    })),
    leftOut,
    ...(explain ? { leftOutPeers } : {}),
    hasMore: look.hasMore,
    budget: { discover: room.budget('discovered'), batchGet: room.budget('refreshed') },
    ...(unreadable === 0 ? {} : { unreadable }),
    ...(notes.length === 0 ? {} : { note: notes.join(' ') }),
  }
}

/** Asks for one peer by its id. */
export async function askForPeer(context: Context, agentId: AgentId): Promise<AskedPeer> {
  const room = await openRoomView(context)
  if (agentId === room.me.agentId) throw new UserError('This is your own agent.', 'See `koko status`.')
  const listing = await room.askForOne(agentId)
  if (listing === undefined) return { agentId, found: false }
  if (room.received.get(agentId)?.rule === 'hidden') return { agentId, found: true, leftOut: 'hidden' }
  const verdict = room.match(listing)
  if (!verdict.isMatch) return { agentId, found: true, leftOut: verdict.rule }
  // Another koko asked meanwhile and did not find the peer.
  if (room.isForgotten(agentId)) return { agentId, found: false }
  const channels = verdict.channels.map((channel) => {
    const handle = listing.channels[channel] ?? ''
    // Undefined for Slack, whose members belong to a workspace that the listing does not name.
    const link = channelDefinitions[channel].url(handle)
    return { channel, handle, ...(link === undefined ? {} : { link }) }
  })
  return { agentId, found: true, match: { ...describeMatch({ listing, verdict }, true), channels } }
}

type Stop = BudgetSpent | DirectoryError

/** Asks again for known peers within the day's budget, the longest unasked first. */
async function refreshKnown(context: Context, room: RoomView): Promise<Stop | undefined> {
  const due = room.longestUnasked()
  for (let asked = 0; asked < due.length;) {
    context.report({
      text: `Refreshing ${due.length === 1 ? 'the known peer' : `${due.length} known peers`}`,
      done: asked / due.length,
    })
    const batch = due.slice(asked, asked + Math.max(1, Math.min(maxPageSize, room.leftForMany())))
    try {
      await room.askForMany(batch)
      asked += batch.length
    } catch (error) {
      // Another home of the agent used some of the budget: the next round asks for fewer.
      if (!(error instanceof BudgetSpent) || room.leftForMany() === 0) return stopOf(error)
    }
  }
  return undefined
}

async function discoverPages(
  context: Context,
  room: RoomView,
  query: DiscoverInput,
  all: boolean,
): Promise<{ stop: Stop | undefined; hasMore: boolean }> {
  const end = Math.min(all ? Infinity : maxLooked, room.left('discovered'))
  let looked = 0
  let place: Pick<DiscoverInput, 'pageToken'> = {}
  while (all || looked < maxLooked) {
    context.report({
      text: `Discovering (listings looked at: ${looked}, matches known: ${room.matches().length})`,
      done: Math.min(1, looked / end),
    })
    const pageSize = Math.max(1, Math.min(all ? maxPageSize : shortPageSize, room.left('discovered')))
    let page: DiscoverOutput
    try {
      page = await room.discover({ ...query, ...place, pageSize })
    } catch (error) {
      return { stop: stopOf(error, place.pageToken), hasMore: true }
    }
    if (page.nextPageToken === null) return { stop: undefined, hasMore: false }
    const received = page.agents.length + unreadableIn(page)
    if (received === 0) break
    looked += received
    place = { pageToken: page.nextPageToken }
  }
  return { stop: undefined, hasMore: true }
}

/** A failure that leaves the earlier pages valid; throws any other. */
function stopOf(error: unknown, pageToken?: string): Stop {
  if (error instanceof BudgetSpent) return error
  if (!(error instanceof DirectoryError)) throw error
  if (['unavailable', 'aborted', 'resource-exhausted'].includes(error.code)) return error
  // A page token is valid for ten minutes, and for the version of the directory that issued it.
  if (error.code === 'invalid-argument' && pageToken !== undefined) return error
  throw error
}

function noteOf(stop: Stop): string {
  return stop instanceof BudgetSpent
    ? `${stop.message} ${stop.hint}`
    : 'The directory interrupted the discovery. What was found until then is saved. Try again later.'
}

/** The query for peers within reach of a profile. The directory measures from the centre of the cell, so its radius is added. */
export function queryNear(room: RoomName, profile: Profile): DiscoverInput {
  const { area } = profile
  const limit = rooms[room].dealbreakers.find(({ kind }) => kind === 'near')
  const reachKm = limit?.kind === 'near' ? numberOf(profile, limit.within) : Infinity
  const withinKm = Math.ceil(reachKm + radiusKm(area))
  return { near: area, ...(withinKm > maxDistanceKm ? {} : { withinKm }) }
}

/** Where the operator has changed what --near-me goes by: the directory gets what is published, and nothing else. */
function unpublishedNote({ me, listed }: RoomView): string[] {
  const [sent, kept] = [listed, me.profile].map((profile) => JSON.stringify(queryNear(me.room, profile)))
  if (sent === kept) return []
  const note = `The search started from the area and distance in your listing (${listed.area}). What is saved here differs`
  return [`${note}: to publish it, run \`koko publish\`.`]
}

export function describeMatch(
  { listing, verdict }: Pick<Match, 'listing' | 'verdict'>,
  withHandles: boolean,
): PeerMatch {
  const { agentId, profile } = listing
  const { distance } = verdict
  const channels = verdict.channels.map((channel) => {
    const handle = withHandles ? listing.channels[channel] : undefined
    return handle === undefined ? { channel } : { channel, handle }
  })
  return {
    agentId,
    ...Object.fromEntries(rooms[listing.category].summary.map((name) => [name, profile[name]])),
    area: profile.area,
    distanceKm: { atLeast: Math.floor(distance.atLeast), about: Math.round(distance.about) },
    channels,
  }
}
