import {
  Channel,
  dayMs,
  DirectoryError,
  discoverBudget,
  hourMs,
  minuteMs,
  secondMs,
  unreadableIn,
  utcDay,
  type AgentId,
  type DiscoverInput,
  type DiscoverOutput,
  type Listing,
  type Profile,
} from '@koko/contract'
import { retryAfterSecondsOf, UserError } from '../errors.ts'
import type { Context } from '../context.ts'
import { createMatcher, type Me, type Rule } from '../matching/engine.ts'
import { openDirectory } from '../directory/session.ts'
import { peersFile, publishedFile, type Agent } from '../home/files.ts'
import {
  budgetOn,
  discoveryDelayMs,
  longestUnasked,
  noPeers,
  planPeers,
  type Answer,
  type Count,
} from '../matching/peers.ts'
import { readProfile } from './profile.ts'

/** One in this many of the day's ids is reserved for asking for a single peer. */
const reservedShare = 20

/** The directory's clock is trusted up to this distance from this machine's. */
const maxAheadMs = 100 * 365 * dayMs

export type RoomView = Awaited<ReturnType<typeof openRoomView>>

/** Today's budget is used. */
export class BudgetSpent extends UserError {}

/**
 * A room as its agent sees it: asks within the day's budgets, counts their use, and keeps what it learns of peers. Asking
 * throws `BudgetSpent` if less is left. Throws `UserError` if the agent has no profile or is not listed, because only
 * listed agents may look.
 */
export async function openRoomView(context: Context) {
  const { agent, client, config } = await openDirectory(context)
  const { me, listed } = await readMe(context, agent)
  // Asking uses up the day's budget, so what is learned must be kept.
  await context.home.assertWritable()
  const budgets = new Map((await config()).rooms.map((room) => [room.name, room.budgets])).get(agent.room)
  if (budgets === undefined)
    throw new UserError(`${agent.origin} no longer has the room ${agent.room}.`, 'Ask the host of the directory.')
  const { batchGet } = budgets
  const reserved = Math.floor(batchGet / reservedShare)
  // As many as can be asked for again in a day.
  const maxPeers = batchGet - reserved

  const received = new Map<AgentId, { asOfMs: number; rule: Rule | null }>()
  let aheadMs = 0
  let isDirectoryTime = false
  /** Listings that this version of koko cannot read. */
  let unreadable = 0
  /** The directory's time, as far as it is known. */
  const nowMs = () => context.nowMs() + aheadMs
  const plan = (before: typeof noPeers, answer: Answer) => planPeers(before, answer, me, maxPeers, context.nowMs())
  let current = plan((await context.home.read(peersFile)) ?? noPeers, { listings: [], asked: [], asOfMs: 0 })

  const today = () => budgetOn(current.peers.budget, utcDay(nowMs()), isDirectoryTime)
  const totalOf = (count: Count) =>
    count === 'refreshed' ? batchGet : discoverBudget(budgets, agent.registeredAtMs, nowMs())
  const left = (count: Count) => Math.max(0, totalOf(count) - today()[count])
  const leftForMany = () => Math.max(0, left('refreshed') - reserved)

  /** Adds an answer, and its cost, to what other processes have written meanwhile. */
  async function keep(answer: Answer, count: Count, used: (before: number) => number): Promise<void> {
    current = await context.home.change(async (files) => {
      const before = (await files.read(peersFile)) ?? noPeers
      const next = plan(before, answer)
      const budget = budgetOn(before.budget, utcDay(nowMs()), isDirectoryTime)
      next.peers.budget = { ...budget, [count]: used(budget[count]) }
      await files.write(peersFile, next.peers)
      return next
    })
    const rules = new Map(current.leftOut.map(({ agentId, rule }) => [agentId, rule]))
    for (const { agentId } of answer.listings) {
      if ((received.get(agentId)?.asOfMs ?? 0) > answer.asOfMs) continue
      received.set(agentId, { asOfMs: answer.asOfMs, rule: rules.get(agentId) ?? null })
    }
  }

  async function ask<T>(count: Count, wanted: number, request: () => Promise<T>): Promise<T> {
    context.signal.throwIfAborted()
    try {
      return await request()
    } catch (error) {
      context.signal.throwIfAborted()
      if (!(error instanceof DirectoryError)) throw error
      // Given for a used budget, and not by an overloaded directory or proxy. A wait of a minute is for too many pages.
      const retryAfterMs = error.code === 'resource-exhausted' ? (retryAfterSecondsOf(error) ?? 0) * secondMs : 0
      if (retryAfterMs > minuteMs) {
        // Another home of the agent has used it, or an answer was lost: less is left than was asked for.
        const nothing = { listings: [], asked: [], asOfMs: 0 }
        await keep(nothing, count, (before) => Math.max(before, totalOf(count) - wanted + 1))
        throw spent(count, retryAfterMs)
      }
      if (error.code !== 'failed-precondition') throw error
      throw new UserError(
        'The directory does not list this agent as online, and only listed agents can discover peers.',
        'Run `koko publish`, then try again.',
        { cause: error },
      )
    }
  }

  async function askFor(agentIds: readonly AgentId[]): Promise<{ agents: readonly Listing[]; missing: AgentId[] }> {
    const asOfMs = context.nowMs()
    const request = () =>
      client.request('batchGet', { params: { room: agent.room }, input: { agentIds: [...agentIds] } })
    const answer = await ask('refreshed', agentIds.length, request)
    const agents = answer.agents.filter(({ agentId }) => agentIds.includes(agentId))
    await keep({ listings: agents, asked: agentIds, asOfMs }, 'refreshed', (before) => before + agentIds.length)
    unreadable += unreadableIn(answer)
    return { agents, missing: answer.missing }
  }

  function spent(count: Count, resetsInMs = utcDay(nowMs()) + dayMs - nowMs()): BudgetSpent {
    const what = count === 'discovered' ? 'discovering listings' : 'refreshing peers'
    return new BudgetSpent(
      `Today's budget for ${what} is used up.`,
      `It resets at 00:00 UTC, in ${inHours(resetsInMs)}.`,
    )
  }

  return {
    me,
    /** The profile as it is published: what the directory knows already. */
    listed,
    match: createMatcher(me),
    async askForOne(agentId: AgentId): Promise<Listing | undefined> {
      if (left('refreshed') === 0) throw spent('refreshed')
      const { agents, missing } = await askFor([agentId])
      const listing = agents.find((each) => each.agentId === agentId)
      if (listing !== undefined || missing.includes(agentId)) return listing
      throw new UserError(
        "This version of koko cannot read that peer's listing.",
        'Update koko, then try again. Nothing about the peer is saved here.',
      )
    },
    async askForMany(agentIds: readonly AgentId[]): Promise<void> {
      if (leftForMany() < agentIds.length) throw spent('refreshed')
      await askFor(agentIds)
    },
    async discover(input: DiscoverInput): Promise<DiscoverOutput> {
      if (left('discovered') === 0) throw spent('discovered')
      const askedAtMs = context.nowMs()
      const page = await ask('discovered', 1, () => client.request('discover', { params: { room: agent.room }, input }))
      // A clock that was never set is off by years; a date beyond the maximum is invalid.
      aheadMs = Math.min(Math.max(page.asOfMs - context.nowMs(), -maxAheadMs), maxAheadMs)
      isDirectoryTime = true
      const answer = { listings: page.agents, asked: [], asOfMs: askedAtMs - discoveryDelayMs }
      const received = page.agents.length + unreadableIn(page)
      await keep(answer, 'discovered', (before) => before + received)
      unreadable += unreadableIn(page)
      return page
    },
    unreadable: () => unreadable,
    left,
    leftForMany,
    budget: (count: Count) => ({
      used: Math.min(today()[count], totalOf(count)),
      of: totalOf(count),
      resetsAtMs: today().dayMs + dayMs,
    }),
    /** Known peers, the best first; `isReceived` if this view received the listing. */
    matches: () =>
      current.matches.map(({ refreshedAtMs, ...match }) => ({
        ...match,
        isReceived: received.get(match.listing.agentId)?.asOfMs === refreshedAtMs,
      })),
    longestUnasked: () => longestUnasked(current.peers, context.nowMs()),
    isForgotten: (agentId: AgentId) => current.peers.forgotten.some((peer) => peer.agentId === agentId),
    /** Agents whose listing was received here, and the rule that leaves them out. */
    received,
    nowMs,
  }
}

async function readMe({ home }: Context, { agentId, room }: Agent): Promise<{ me: Me; listed: Profile }> {
  const [profile, published] = [await readProfile(home, room), await home.read(publishedFile)]
  if (profile === undefined) throw new UserError('There is no profile here yet.', 'Run `koko profile edit`.')
  const listing = published?.listing
  if (listing?.agentId !== agentId) {
    throw new UserError('Nothing is published, and only listed agents can discover peers.', 'Run `koko publish`.')
  }
  const channels = Channel.options.filter((channel) => listing.channels[channel] !== undefined)
  return { me: { ...profile, agentId, channels }, listed: listing.profile }
}

function inHours(ms: number): string {
  const hours = Math.ceil(ms / hourMs)
  return hours === 1 ? '1 hour' : `${hours} hours`
}
