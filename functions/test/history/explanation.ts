import assert from 'node:assert/strict'
import type { Claims } from '../../../testing/world.ts'
import type { Fields } from '../../src/ports.ts'
import {
  applyOperation,
  isRetired,
  type AgentState,
  type ModelSession,
  type Operation,
  type Outcome,
} from '../model.ts'
import { handlesOf, type Actor, type History } from './actors.ts'
import { minute } from './steps.ts'

/** A call of an agent, as the server and the model get it. */
export interface Call {
  actor: Actor
  operation: Operation
  session: ModelSession
  claims: Claims | undefined
}

export interface Done {
  outcome: Outcome
  endMs: number
}

/** An unlink counts from the attempt that was committed; everything else counts from the request. */
function momentOf({ operation }: Call, { answer }: Outcome, nowMs: number, endMs: number): number {
  if (operation.kind !== 'unlink' || typeof answer !== 'object' || answer === null) return nowMs
  const atMs = 'unlinkedAtMs' in answer ? Number(answer.unlinkedAtMs) : nowMs
  return atMs >= nowMs && atMs <= endMs ? atMs : nowMs
}

/** Finds an order of an agent's calls, and of its retirement, in which the model gives every answer and what is stored. */
export function explain(
  history: History,
  actor: Actor,
  calls: readonly Call[],
  done: ReadonlyMap<Call, Done>,
  nowMs: number,
  republished: boolean,
): void {
  const { world } = history
  const mayRetire = republished && isRetired(actor.state, nowMs)
  if (calls.length === 0 && !mayRetire) return
  const outcomes = new Map(calls.map((each) => [each, done.get(each)?.outcome ?? {}]))
  const counted = calls.filter((each) => outcomes.get(each)?.error !== 'aborted')
  const retire: Call = {
    actor,
    operation: { kind: 'retire' },
    session: { generation: 0, settingsUntilMs: null },
    claims: undefined,
  }
  const orders = [...permutations(counted), ...(mayRetire ? permutations([...counted, retire]) : [])]
  const stored = canonical(storedState(history, actor))
  for (const order of orders) {
    const versions: AgentState[] = []
    let state = actor.state
    const explains = order.every((each) => {
      const actual = outcomes.get(each) ?? {}
      const atMs = momentOf(each, actual, nowMs, world.clock.now().getTime())
      const next = applyOperation(state, each.operation, each.session, atMs, actual.minted)
      state = next.state
      versions.push(state)
      return each === retire || canonical(next.outcome) === canonical(actual)
    })
    if (!explains || canonical(comparable(state)) !== stored) continue
    acceptOrder(history, actor, versions, calls, done, nowMs)
    return
  }
  throw new Error(
    [
      'no order of these calls explains their outcomes',
      `before: ${canonical(comparable(actor.state))}`,
      ...calls.map((each) => `call: ${canonical([each.operation, each.session, outcomes.get(each)])}`),
      `stored: ${stored}`,
      `now: ${nowMs} of ${world.clock.now().getTime()}`,
    ].join('\n'),
  )
}

/** Records the state of an agent after an order of calls. */
function acceptOrder(
  { world }: History,
  actor: Actor,
  states: readonly AgentState[],
  calls: readonly Call[],
  done: ReadonlyMap<Call, Done>,
  nowMs: number,
): void {
  const endMs = Math.max(0, ...calls.map((each) => done.get(each)?.endMs ?? 0), world.clock.monotonicMs())
  const before = actor.state
  actor.state = states.at(-1) ?? before
  for (const { listing } of [before, ...states]) {
    if (listing === null) continue
    actor.versions.push(listing)
    for (const handle of handlesOf(listing)) actor.listedUntilMs.set(handle, endMs)
  }
  for (const handle of handlesOf(actor.state.listing)) actor.listedUntilMs.set(handle, Infinity)
  if (actor.state.removed && !before.removed) actor.removedAt = { realMs: endMs, wallMs: world.clock.now().getTime() }
  for (const each of calls) {
    const minted = done.get(each)?.outcome.minted
    if (minted === undefined) continue
    if (each.operation.kind === 'rotate') actor.secrets.push(minted)
    else if (each.operation.kind === 'createLink') actor.codes.push(minted)
    else {
      actor.tokens.push(minted)
      const claims = world.signIns.exchange(minted)
      const settingsUntilMs = each.operation.kind === 'redeem' ? nowMs + 30 * minute : null
      actor.sessions.push({ claims, model: { generation: Number(claims.generation), settingsUntilMs } })
      if (settingsUntilMs !== null) assert.equal(claims.untilMs, settingsUntilMs)
    }
  }
  if (actor.state.removed && calls.length === 1 && calls[0]?.operation.kind === 'unregister') {
    const answered = done.get(calls[0])?.outcome.answer !== undefined
    if (answered) assert.ok(!world.signIns.existing.has(actor.state.agentId), 'an unregistered agent has a sign-in')
  }
}

/** The part of the model's state that is stored. */
function comparable({ agentId: _, registeredAtMs: __, refused: ___, link, ...state }: AgentState) {
  const shown = { ...state, codeHash: link?.codeHash ?? null }
  return state.removed ? { removed: true } : shown
}

/** The same part, from the documents. */
function storedState({ world }: History, { state: { agentId } }: Actor) {
  const documents = world.store.all()
  const account = documents.get(`accounts/${agentId}`)
  if (account === undefined) return { removed: true }
  const unlinks = Object.entries(documents.get(`unlinks/${agentId}`) ?? {}).map(([channel, unlink]) => [
    channel,
    (unlink as { unlinkedAtMs: number }).unlinkedAtMs,
  ])
  return {
    removed: false,
    secretHash: account.secretHash,
    pendingSecret: account.pendingSecret,
    generation: account.generation,
    listing: documents.get(`mcpDirectory/dating/agents/${agentId}`) ?? null,
    unlinkedAtMs: Object.fromEntries(unlinks) as Fields,
    unlistedSinceMs: account.unlistedSinceMs,
    codeHash: account.settingsLinkHash,
    publishAllowance: account.publishAllowance,
  }
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
  )
}

/** JSON with sorted keys, so that equal values have equal texts. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  )
}
