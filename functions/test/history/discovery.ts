import assert from 'node:assert/strict'
import { look } from '../../../testing/world.ts'
import { batchGet } from '../../src/discovery/discover.ts'
import { sessionOf } from '../../src/sessions.ts'
import { onlineWindowMs, type ModelListing, type ModelSession } from '../model.ts'
import { reachOf } from '../oracle.ts'
import { codeOfError, dayOf, handlesOf, isOnlineIn, pickActor, sessionFor, type Actor, type History } from './actors.ts'
import { canonical } from './explanation.ts'
import { areas, day, hour, minute, reaches, second, type DiscoverDraft } from './steps.ts'

/** How long an answer may hold a handle that has left the listing. */
const goneWithinMs = 10 * second

/** What came of a request for a page. */
export interface DiscoverResult {
  actor: Actor
  session: ModelSession
  nowMs: number
  endMs: number
  /** The agents on earlier pages of the same walk; undefined for a first page. */
  met?: ReadonlySet<string> | undefined
  query: { near?: string; withinKm?: number }
  last: [metres: number, agentId: string] | null
  error?: string
  agents?: readonly ModelListing[]
}

export async function discoverAs(
  history: History,
  { who, session, instance, pageSize, near, within, continuesWalk }: DiscoverDraft,
): Promise<DiscoverResult | null> {
  const { world, instances } = history
  const actor = pickActor(history, who)
  const view = instances[instance % instances.length]
  const chosen = actor && sessionFor(actor, session, false)
  if (!actor || !chosen || !view) return null
  const nowMs = world.clock.now().getTime()
  const walk = continuesWalk && actor.walk !== null && actor.walk.expiresAtMs > nowMs ? actor.walk : null
  actor.walk = null
  const [area, withinKm] = [areas[near - 1], reaches[within]]
  const anew: DiscoverResult['query'] =
    area === undefined ? {} : { near: area, ...(withinKm === undefined ? {} : { withinKm }) }
  const query = walk?.query ?? anew
  const input = { pageSize, ...query, ...(walk === null ? {} : { pageToken: walk.pageToken }) }
  const result = await look(world, view, chosen.claims, input).then(
    ({ agents, nextPageToken }): Pick<DiscoverResult, 'agents'> => {
      if (nextPageToken !== null) {
        const met = new Set([...(walk?.met ?? []), ...agents.map(({ agentId }) => agentId)])
        const last = agents.at(-1)
        actor.walk = {
          pageToken: nextPageToken,
          expiresAtMs: nowMs + 10 * minute,
          met,
          query,
          last: last === undefined ? (walk?.last ?? null) : positionOf(last, query.near),
        }
      }
      return { agents }
    },
    (error: unknown): Pick<DiscoverResult, 'error'> => ({ error: codeOfError(error) }),
  )
  return {
    actor,
    session: chosen.model,
    nowMs,
    endMs: world.clock.monotonicMs(),
    met: walk?.met,
    query,
    last: walk?.last ?? null,
    ...result,
  }
}

/** The error that discovery must answer with if nothing else runs; undefined for a page. */
export function expectedError(
  { actor: { state }, session, nowMs }: DiscoverResult,
  budget: number,
): string | undefined {
  if (session.settingsUntilMs !== null) return 'permission-denied'
  if (state.removed || session.generation !== state.generation) return 'unauthenticated'
  if (!isOnlineIn(state, nowMs)) return 'failed-precondition'
  return budget <= 0 ? 'resource-exhausted' : undefined
}

/** An answer holds only peers, only what they published, and no handle that left its listing more than 10 s ago. */
export function checkPage(
  history: History,
  { actor, nowMs, endMs, met, query, last, agents, error }: DiscoverResult,
): void {
  if (agents === undefined) {
    const known = ['unauthenticated', 'permission-denied', 'failed-precondition', 'resource-exhausted']
    assert.ok([...known, 'unavailable', 'aborted'].includes(error ?? ''))
    // The budget may have been charged, and its day moved to today, before the call failed.
    actor.served = countsToday(actor.served, nowMs)
    return
  }
  const seen = new Set(met)
  let before = last
  for (const each of agents) {
    const position = positionOf(each, query.near)
    if (query.near !== undefined) {
      assert.ok(isWithin(each, query), 'an answer holds an agent that is out of reach')
      assert.ok(before === null || isBehind(before, position), 'an answer is not in the order of distance')
    }
    before = position
  }
  for (const { agentId, channels, profile, presence } of agents) {
    const peer = history.actors.find(({ state }) => state.agentId === agentId)
    assert.ok(peer !== undefined && peer !== actor, 'an answer holds an agent that is no peer')
    assert.ok(!seen.has(agentId), 'a walk holds an agent twice')
    seen.add(agentId)
    assert.ok(nowMs - presence.lastSeenAtMs <= onlineWindowMs, 'an answer holds an agent that is offline')
    for (const handle of handlesOf({ channels })) {
      const untilMs = peer.listedUntilMs.get(handle) ?? -Infinity
      assert.ok(
        endMs - untilMs <= goneWithinMs,
        `an answer holds a handle that left its listing ${endMs - untilMs} ms before`,
      )
    }
    const published = peer.versions.some(
      (version) =>
        canonical([version.profile, version.presence]) === canonical([profile, presence]) &&
        Object.entries(channels).every(([channel, handle]) => Reflect.get(version.channels, channel) === handle),
    )
    assert.ok(published, 'an answer holds a listing that was never published')
  }
  countServed(actor, 'discovered', agents.length, budgetOf(actor, nowMs), nowMs)
}

type Located = Pick<ModelListing, 'agentId' | 'profile'>

/** An agent's position in a walk by distance. */
export function positionOf({ agentId, profile }: Located, near: string | undefined): [metres: number, agentId: string] {
  return [near === undefined ? 0 : reachOf(profile.area, near).metres, agentId]
}

export function isBehind([metres, agentId]: [number, string], [next, nextId]: [number, string]): boolean {
  return metres < next || (metres === next && agentId < nextId)
}

export function isWithin({ profile }: Located, { near, withinKm }: { near?: string; withinKm?: number }): boolean {
  return near === undefined || withinKm === undefined || reachOf(profile.area, near).edgeKm <= withinKm
}

export async function batchGetAs(history: History, { who, of }: { who: number; of: number[] }): Promise<void> {
  const { world, actors } = history
  const actor = pickActor(history, who)
  const session = sessionOf(actor && sessionFor(actor, 0, false)?.claims)
  if (!actor || !session) return
  const asked = [...new Set(of.flatMap((each) => pickActor(history, each) ?? []))]
  const agentIds = asked.map(({ state }) => state.agentId)
  const nowMs = world.clock.now().getTime()
  const { served, state } = actor
  const left = 2_000 - countsToday(served, nowMs).fetched
  const expected =
    state.removed || session.generation !== state.generation
      ? 'unauthenticated'
      : !isOnlineIn(state, nowMs)
        ? 'failed-precondition'
        : left < agentIds.length
          ? 'resource-exhausted'
          : undefined
  const answer = await batchGet(world.ports, session, 'dating', { agentIds }, world.clock.now()).catch(codeOfError)
  if (typeof answer === 'string') {
    assert.equal(answer, expected)
    return
  }
  assert.equal(expected, undefined)
  const online = asked.filter((each) => isOnlineIn(each.state, nowMs))
  assert.deepEqual(
    answer.agents,
    online.map((each) => each.state.listing),
  )
  assert.deepEqual(
    answer.missing,
    agentIds.filter((agentId) => !online.some((each) => each.state.agentId === agentId)),
  )
  assert.ok(actors.includes(actor))
  countServed(actor, 'fetched', agentIds.length, 2_000, nowMs)
}

export function budgetLeft(history: History, { who }: DiscoverDraft): number {
  const actor = pickActor(history, who)
  if (actor === undefined) return 0
  const nowMs = history.world.clock.now().getTime()
  const account = history.world.store.all().get(`accounts/${actor.state.agentId}`)
  if (account === undefined) return budgetOf(actor, nowMs)
  const { discovered } = countsToday(account.budget as Actor['served'], nowMs)
  assert.ok(discovered >= countsToday(actor.served, nowMs).discovered, 'a budget counts less than was served')
  return budgetOf(actor, nowMs) - discovered
}

function countServed(
  actor: Actor,
  counter: 'discovered' | 'fetched',
  count: number,
  most: number,
  nowMs: number,
): void {
  const served = countsToday(actor.served, nowMs)
  actor.served = { ...served, [counter]: served[counter] + count }
  assert.ok(count === 0 || actor.served[counter] <= most, 'more was served than the budget has')
}

/**
 * What was served today. After the clock went back, a day that began up to a day ahead continues; one further ahead ends
 * today.
 */
export function countsToday(counts: Actor['served'], nowMs: number): Actor['served'] {
  const today = dayOf(nowMs)
  if (counts.dayMs < today) return { dayMs: today, discovered: 0, fetched: 0 }
  return counts.dayMs > today + day ? { ...counts, dayMs: today } : counts
}

export function budgetOf({ state }: Actor, nowMs: number): number {
  return nowMs - state.registeredAtMs < 72 * hour ? 100 : 1_000
}
