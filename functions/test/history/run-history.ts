import { DirectoryError } from '@koko/contract'
import assert from 'node:assert/strict'
import { createWorld } from '../../../testing/world.ts'
import { addActor, pickActor, removalLimits, type History } from './actors.ts'
import { runCalls, toCall } from './calls.ts'
import { batchGetAs, budgetLeft, budgetOf, checkPage, countsToday, discoverAs, expectedError } from './discovery.ts'
import { checkDocuments } from './documents.ts'
import type { Call } from './explanation.ts'
import { checkConvergence, checkDepartures, checkServed, killRepublish, republish } from './republish.ts'
import { maxAgents, type Step } from './steps.ts'

/** Runs a history step by step beside the model, checks every promise after each step, and throws if one is broken. */
export async function runHistory(steps: readonly Step[]): Promise<void> {
  const hook: History['hook'] = { onAwait: null }
  const world = createWorld(Date.UTC(2026, 10, 21, 12), () => hook.onAwait?.() ?? Promise.resolve())
  const instances = [
    world.newInstance(),
    world.newInstance(world.ports, removalLimits),
    world.newInstance(world.ports, removalLimits),
  ]
  const history: History = { world, actors: [], instances, hook }
  for (const each of steps) {
    await runStep(history, each)
    checkDocuments(history)
  }
  await checkConvergence(history)
  await checkDepartures(history)
}

async function runStep(history: History, each: Step): Promise<void> {
  const { world, actors } = history
  switch (each.kind) {
    case 'register':
      if (actors.length < maxAgents) await addActor(history)
      return
    case 'pass':
      world.clock.advance(each.ms)
      return
    case 'setClockBack':
      world.clock.jump(-each.ms)
      return
    case 'republish':
      if (each.killedAt === null) {
        await republish(history)
        await checkServed(history)
      } else await killRepublish(history, each.killedAt)
      return
    case 'call': {
      const call = await toCall(history, each.draft)
      if (call !== null) await runCalls(history, [call])
      return
    }
    case 'atOnce': {
      const calls: Call[] = []
      for (const one of each.drafts) {
        const call = await toCall(history, one)
        if (call !== null) calls.push(call)
      }
      await runCalls(history, calls, each)
      return
    }
    case 'discover': {
      const budget = budgetLeft(history, each.draft)
      const result = await discoverAs(history, each.draft)
      if (result === null) return
      const expected = expectedError(result, budget)
      // An earlier page may have paid for a later one.
      if (expected !== 'resource-exhausted' || result.met === undefined) assert.equal(result.error, expected)
      checkPage(history, result)
      return
    }
    case 'discoverWhileFailing': {
      let calls = 0
      history.hook.onAwait = () => {
        calls += 1
        return calls >= each.failAt
          ? Promise.reject(new DirectoryError('unavailable', 'The database does not answer.'))
          : Promise.resolve()
      }
      const budget = budgetLeft(history, each.draft)
      const result = await discoverAs(history, each.draft)
      history.hook.onAwait = null
      if (result === null) return
      if (calls >= each.failAt) assert.ok([expectedError(result, budget), 'unavailable'].includes(result.error))
      checkPage(history, result)
      return
    }
    case 'batchGet':
      await batchGetAs(history, each)
      return
    case 'spendBudget': {
      const actor = pickActor(history, each.who)
      const account = actor && world.store.all().get(`accounts/${actor.state.agentId}`)
      if (!actor || !account) return
      const nowMs = world.clock.now().getTime()
      const { dayMs } = countsToday(actor.served, nowMs)
      actor.served = { dayMs, discovered: budgetOf(actor, nowMs) - 2, fetched: 1_997 }
      world.store.put([[`accounts/${actor.state.agentId}`, { ...account, budget: actor.served }]])
      return
    }
    case 'replayToken': {
      const actor = pickActor(history, each.who)
      const token = actor?.tokens[each.token % actor.tokens.length]
      if (token === undefined) return
      try {
        world.signIns.exchange(token)
      } catch {
        // It has expired.
      }
    }
  }
}
