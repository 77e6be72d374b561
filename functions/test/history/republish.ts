import assert from 'node:assert/strict'
import { look, pathsUnder, type World } from '../../../testing/world.ts'
import { republishDiscovery } from '../../src/discovery/republish.ts'
import { killAt } from '../interleave.ts'
import { isRetired, type ModelListing } from '../model.ts'
import { expectConverged, shardListings, sorted, storedListings } from '../oracle.ts'
import { isOnlineIn, limits, type History } from './actors.ts'
import { isBehind, isWithin, positionOf } from './discovery.ts'
import { explain } from './explanation.ts'
import { areas, minute, reaches, second } from './steps.ts'

/** The hour of a custom token, and a minute for clocks and calls in progress. */
const forgottenAfterMs = 61 * minute

/** Kills a republish at one of its awaits. */
export async function killRepublish(history: History, killedAt: number): Promise<void> {
  const { world } = history
  const nowMs = world.clock.now().getTime()
  const onAwait = killAt(killedAt)
  await republishDiscovery(world.through(onAwait), world.clock.now, limits).catch((error: unknown) => {
    if (!onAwait.killed()) throw error
  })
  for (const actor of history.actors) explain(history, actor, [], new Map(), nowMs, true)
}

/** Republishes, and checks that agents are removed after 30 days. */
export async function republish(history: History): Promise<void> {
  const { world } = history
  const nowMs = world.clock.now().getTime()
  const { finished } = await republishDiscovery(world.ports, world.clock.now, limits)
  assert.ok(finished)
  for (const actor of history.actors) {
    explain(history, actor, [], new Map(), nowMs, true)
    assert.ok(!isRetired(actor.state, nowMs), 'an agent that was not seen for 30 days is kept')
  }
}

/** After an undisturbed republish, the shards equal the listings, and nothing of a removed agent is left. */
export async function checkServed({ world, actors }: History): Promise<void> {
  const nowMs = world.clock.now().getTime()
  expectConverged(world, limits)
  const text = textOf(world)
  for (const { state, removedAt } of actors) {
    if (removedAt === null) continue
    assert.ok(!text.includes(state.agentId), "a removed agent's id is stored")
    if (nowMs - removedAt.wallMs < forgottenAfterMs || world.clock.monotonicMs() - removedAt.realMs < forgottenAfterMs)
      continue
    const record = await world.signIns.record(state.agentId)
    assert.deepEqual(record, {}, 'a removed agent has a sign-in')
  }
}

/** Walks all of discovery as every peer that is allowed to, on a fresh instance and on one that served the history. */
export async function checkConvergence(history: History): Promise<void> {
  const { world, actors, instances } = history
  await republish(history)
  await checkServed(history)
  world.clock.advance(5 * second)
  const nowMs = world.clock.now().getTime()
  const online = actors.filter(({ state }) => isOnlineIn(state, nowMs))
  for (const actor of online) {
    const path = `accounts/${actor.state.agentId}`
    const account = world.store.all().get(path)
    world.store.put([[path, { ...account, budget: { dayMs: 0, discovered: 0, fetched: 0 } }]])
    const claims = actor.sessions.findLast(
      ({ model }) => model.settingsUntilMs === null && model.generation === actor.state.generation,
    )?.claims
    if (claims === undefined) continue
    for (const instance of [world.newInstance(), ...instances.slice(0, 1)]) {
      const served: ModelListing[] = []
      let pageToken: string | null = null
      do {
        const page: Awaited<ReturnType<typeof look>> = await look(world, instance, claims, {
          pageSize: 2,
          ...(pageToken === null ? {} : { pageToken }),
        })
        served.push(...page.agents)
        pageToken = page.nextPageToken
      } while (pageToken !== null)
      const byId = new Map(served.map((listing) => [listing.agentId, listing]))
      assert.equal(byId.size, served.length, 'a walk holds an agent twice')
      for (const { state } of online) {
        if (state.agentId !== actor.state.agentId) assert.deepEqual(byId.get(state.agentId), state.listing)
      }
      for (const withinKm of reaches) {
        const query = { near: areas[actor.index % areas.length] ?? '', ...(withinKm === undefined ? {} : { withinKm }) }
        const { agents: found } = await look(world, instance, claims, { pageSize: 9, ...query })
        assert.deepEqual(
          found.filter(({ agentId }) => online.some(({ state }) => state.agentId === agentId)),
          online
            .flatMap(({ state: { agentId, listing } }) => (agentId === actor.state.agentId ? [] : (listing ?? [])))
            .filter((listing) => isWithin(listing, query))
            .sort((a, b) => (isBehind(positionOf(a, query.near), positionOf(b, query.near)) ? -1 : 1)),
        )
      }
      const listings = storedListings(world)
      for (const [agentId, listing] of sorted(byId)) assert.deepEqual(listing, listings.get(agentId))
    }
  }
}

/** An hour and a minute after the last removal, one republish deletes the sign-ins and every trace of removed agents. */
export async function checkDepartures(history: History): Promise<void> {
  const { world, actors } = history
  const removed = actors.filter(({ removedAt }) => removedAt !== null)
  if (removed.length === 0) return
  const behindMs = Math.max(...removed.map(({ removedAt }) => removedAt?.wallMs ?? 0)) - world.clock.now().getTime()
  world.clock.advance(Math.max(0, behindMs) + forgottenAfterMs)
  await republish(history)
  await checkServed(history)
  const departures = pathsUnder(world, 'departures/')
  const retiredNow = actors.filter(({ removedAt }) => removedAt?.realMs === world.clock.monotonicMs())
  assert.equal(departures.length, retiredNow.length)
}

function textOf({ store }: World): string {
  return [...store.all()]
    .map(([path, fields]) =>
      path.includes('/shards/')
        ? `${path} ${JSON.stringify(shardListings(fields))}`
        : `${path} ${JSON.stringify(fields)}`,
    )
    .join('\n')
}
