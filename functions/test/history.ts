import { DirectoryError, type CallableName } from '@koko/contract'
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { batchGet } from '../src/discovery/discover.ts'
import type { DiscoveryView } from '../src/discovery/view.ts'
import type { Fields } from '../src/ports.ts'
import { republishDiscovery } from '../src/discovery/republish.ts'
import { sessionOf } from '../src/sessions.ts'
import { liftTakedown, takeDownHandle } from '../src/directory/takedown.ts'
import { interleave, killAt } from './interleave.ts'
import type { OnAwait } from '../../testing/memory-store.ts'
import {
  applyOperation,
  channelNames,
  handleFor,
  handlesIn,
  hashOf,
  isRetired,
  onlineWindowMs,
  type AgentState,
  type ModelListing,
  type ModelSession,
  type Operation,
  type Outcome,
} from './model.ts'
import { expectConverged, reachOf, shardListings, sorted, storedListings, type StoredListing } from './oracle.ts'
import { call, codeOf, createWorld, look, profileIn, register, type Claims, type World } from '../../testing/world.ts'

/** Random histories of a directory, run step by step beside the model, with every promise checked after each step. */

/** So small that ten agents split and merge shards, and need several transactions. */
const limits = { shardAgents: 3, shardBytes: 100_000, mergeAgents: 2, batchAgents: 2, batchShards: 2 }

/** So few that an instance asks for new removals only, by their numbers. */
const fewAtOnce = { readWholeBelow: 1, pageSize: 2, maxNewPerRead: 20, minBacklog: 1, numberBatch: 2, maxTotal: 100 }

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour
const promptMs = 10 * second
/** A custom token's hour, and a minute for clocks and calls under way. */
const forgottenMs = 61 * minute
const areas = ['gcpv', 'gcpu', 'u173', 'gc', 'dr5r']
const mostAgents = 8
/** None of the areas above is at any of these distances from another: the oracle's are about right. */
const reaches = [30, 100, 700, undefined]
const inOrder = [{ which: 0, stay: 0 }]

/** A call in a history: whose, with which of its sessions, and what is in it; numbers are taken as far as they reach. */
interface Draft {
  kind: Exclude<Operation['kind'], 'retire'>
  who: number
  /** 0 is the newest session that fits. */
  session: number
  channels: number
  variant: number
  area: number
  old: number
}

interface Looker {
  who: number
  session: number
  instance: number
  pageSize: number
  /** Looks near one of the areas, within one of the reaches; 0 is nowhere. */
  near: number
  within: number
  /** Takes the next page of the walk that the agent is on, where it is on one. */
  goesOn: boolean
}

/** Which of the waiting goes on, and for how many more steps it stays its turn. */
interface Turn {
  which: number
  stay: number
}

export type Step =
  | { kind: 'register' }
  | { kind: 'do'; draft: Draft }
  | { kind: 'together'; drafts: Draft[]; lookers: Looker[]; republishes: number; slow: boolean; picks: Turn[] }
  | { kind: 'pass'; ms: number }
  | { kind: 'setBack'; ms: number }
  | { kind: 'republish'; killedAt: number | null }
  | { kind: 'discover'; looker: Looker }
  | { kind: 'blind'; looker: Looker; failAt: number }
  | { kind: 'batchGet'; who: number; of: number[] }
  | { kind: 'spend'; who: number }
  | { kind: 'replay'; who: number; token: number }

const small = fc.nat(9)
const rarely = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: small })

const draft: fc.Arbitrary<Draft> = fc.record({
  kind: fc.oneof(
    { weight: 6, arbitrary: fc.constant('publish' as const) },
    { weight: 5, arbitrary: fc.constant('unlink' as const) },
    { weight: 2, arbitrary: fc.constant('relink' as const) },
    { weight: 2, arbitrary: fc.constant('heartbeat' as const) },
    { weight: 2, arbitrary: fc.constant('unregister' as const) },
    { weight: 2, arbitrary: fc.constant('takeDown' as const) },
    { weight: 1, arbitrary: fc.constant('lift' as const) },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        'rotate' as const,
        'export' as const,
        'createLink' as const,
        'redeem' as const,
        'signIn' as const,
      ),
    },
  ),
  who: small,
  session: rarely,
  channels: fc.integer({ min: 1, max: 15 }),
  variant: fc.nat(2),
  area: fc.nat(areas.length - 1),
  old: rarely,
})

const looker: fc.Arbitrary<Looker> = fc.record({
  who: small,
  session: rarely,
  instance: fc.nat(2),
  pageSize: fc.constantFrom(1, 3, 50),
  near: fc.oneof(fc.constant(0), fc.nat(areas.length)),
  within: fc.nat(reaches.length - 1),
  goesOn: fc.boolean(),
})

const picks: fc.Arbitrary<Turn[]> = fc.array(
  fc.record({ which: fc.nat(5), stay: fc.oneof(fc.constant(0), fc.nat(20)) }),
  { minLength: 1, maxLength: 12 },
)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ kind: 'register' as const }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('do' as const), draft }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('together' as const),
      drafts: fc.array(draft, { minLength: 1, maxLength: 3 }),
      lookers: fc.array(looker, { maxLength: 2 }),
      republishes: fc.nat(2),
      slow: fc.boolean(),
      picks,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(second, 4 * second, 11 * second, minute, 11 * minute, 61 * minute, day, 60 * hour, 31 * day),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('setBack' as const),
      ms: fc.constantFrom(5 * second, hour, 25 * hour, 3 * day),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('republish' as const),
      killedAt: fc.option(fc.integer({ min: 1, max: 60 })),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('discover' as const), looker }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('blind' as const), looker, failAt: fc.integer({ min: 1, max: 20 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('batchGet' as const),
      who: small,
      of: fc.uniqueArray(small, { minLength: 1 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('spend' as const), who: small }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('replay' as const), who: small, token: small }) },
)

/** Histories that begin with a few agents, listed and republished. */
export const histories: fc.Arbitrary<Step[]> = fc
  .tuple(
    fc.array(fc.record({ channels: draft.map(({ channels }) => channels), area: fc.nat(areas.length - 1) }), {
      minLength: 2,
      maxLength: 5,
    }),
    fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }),
  )
  .map(([first, rest]) => [...beginning(first), ...rest])

/** Agents that are listed and republished. */
function beginning(agents: readonly { channels: number; area: number }[]): Step[] {
  return [
    ...agents.flatMap(({ channels, area }, who): Step[] => [
      { kind: 'register' },
      { kind: 'do', draft: { kind: 'publish', who, session: 0, channels, variant: 0, area, old: 0 } },
    ]),
    { kind: 'republish', killedAt: null },
  ]
}

/** Histories in which agents take back and publish while others look, shards are rewritten and time goes by. */
export const races: fc.Arbitrary<Step[]> = fc
  .tuple(
    fc.array(fc.record({ channels: fc.integer({ min: 1, max: 15 }), area: fc.nat(areas.length - 1) }), {
      minLength: 2,
      maxLength: mostAgents,
      size: 'max',
    }),
    fc.array(
      fc.record({
        kind: fc.constant('together' as const),
        drafts: fc.array(
          fc
            .tuple(
              draft,
              fc.constantFrom('publish' as const, 'unlink' as const, 'unregister' as const, 'takeDown' as const),
            )
            .map(([each, kind]) => ({ ...each, kind, session: 0 })),
          { minLength: 1, maxLength: 2 },
        ),
        lookers: fc.array(looker, { minLength: 1, maxLength: 2 }),
        republishes: fc.nat(2),
        slow: fc.boolean(),
        picks,
      }),
      { minLength: 1, maxLength: 5 },
    ),
  )
  .map(([first, rest]) => [...beginning(first), ...rest])

interface Actor {
  index: number
  state: AgentState
  sessions: { claims: Claims; model: ModelSession }[]
  tokens: string[]
  secrets: string[]
  codes: string[]
  /** Until when, in real time, each handle may be in an answer's making; Infinity while it is listed. */
  listedUntilMs: Map<string, number>
  versions: ModelListing[]
  goneAtMs: Map<string, number>
  removedAt: { realMs: number; wallMs: number } | null
  served: { dayMs: number; discovered: number; fetched: number }
  /** The walk that the agent is on: how to go on with it, and whom it has met. */
  walk: {
    pageToken: string
    expiresAtMs: number
    met: ReadonlySet<string>
    query: { near?: string; withinKm?: number }
    /** The place of the last met, where the walk is by distance. */
    last: [metres: number, agentId: string] | null
  } | null
}

interface Call {
  actor: Actor
  operation: Operation
  session: ModelSession
  claims: Claims | undefined
}

interface Done {
  outcome: Outcome
  endMs: number
}

interface Looked {
  actor: Actor
  session: ModelSession
  nowMs: number
  endMs: number
  /** Whom earlier pages of the same walk held; undefined for a first page. */
  met?: ReadonlySet<string> | undefined
  query: { near?: string; withinKm?: number }
  last: [metres: number, agentId: string] | null
  error?: string
  agents?: readonly ModelListing[]
}

interface History {
  world: World
  actors: Actor[]
  instances: DiscoveryView[]
  hook: { onAwait: OnAwait | null }
  /** The latest wall clock that a republish has acted on: what it took offline then stays out when clocks go back. */
  republishedUpToMs: number
}

/** Runs a history, and throws where a promise is broken. */
export async function runHistory(steps: readonly Step[]): Promise<void> {
  const hook: History['hook'] = { onAwait: null }
  const world = createWorld(Date.UTC(2026, 10, 21, 12), () => hook.onAwait?.() ?? Promise.resolve())
  const instances = [
    world.newInstance(),
    world.newInstance(world.ports, fewAtOnce),
    world.newInstance(world.ports, fewAtOnce),
  ]
  const history: History = { world, actors: [], instances, hook, republishedUpToMs: 0 }
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
      if (actors.length < mostAgents) await addActor(history)
      return
    case 'pass':
      world.clock.advance(each.ms)
      return
    case 'setBack':
      world.clock.jump(-each.ms)
      return
    case 'republish':
      if (each.killedAt === null) {
        await republish(history)
        await checkServing(history)
      } else await killRepublish(history, each.killedAt)
      return
    case 'do': {
      const call = await concrete(history, each.draft)
      if (call !== null) await together(history, [call], [], 0, false, inOrder)
      return
    }
    case 'together': {
      const calls: Call[] = []
      for (const one of each.drafts) {
        const call = await concrete(history, one)
        if (call !== null) calls.push(call)
      }
      await together(history, calls, each.lookers, each.republishes, each.slow, each.picks)
      return
    }
    case 'discover': {
      const budget = budgetLeft(history, each.looker)
      const looked = await discoverAs(history, each.looker)
      if (looked === null) return
      const expected = expectedLookError(looked, budget)
      // A later page may have been paid for by an earlier one.
      if (expected !== 'resource-exhausted' || looked.met === undefined) assert.equal(looked.error, expected)
      checkLook(history, looked)
      return
    }
    case 'blind': {
      let calls = 0
      history.hook.onAwait = () => {
        calls += 1
        return calls >= each.failAt
          ? Promise.reject(new DirectoryError('unavailable', 'The database does not answer.'))
          : Promise.resolve()
      }
      const budget = budgetLeft(history, each.looker)
      const looked = await discoverAs(history, each.looker)
      history.hook.onAwait = null
      if (looked === null) return
      if (calls >= each.failAt) assert.ok([expectedLookError(looked, budget), 'unavailable'].includes(looked.error))
      checkLook(history, looked)
      return
    }
    case 'batchGet':
      await batchGetAs(history, each)
      return
    case 'spend': {
      const actor = pickActor(history, each.who)
      const account = actor && world.store.all().get(`accounts/${actor.state.agentId}`)
      if (!actor || !account) return
      const nowMs = world.clock.now().getTime()
      const { dayMs } = countsAt(actor.served, nowMs)
      actor.served = { dayMs, discovered: budgetOf(actor, nowMs) - 2, fetched: 1_997 }
      world.store.put([[`accounts/${actor.state.agentId}`, { ...account, budget: actor.served }]])
      return
    }
    case 'replay': {
      const actor = pickActor(history, each.who)
      const token = actor?.tokens[each.token % actor.tokens.length]
      if (token === undefined) return
      try {
        world.signIns.exchange(token)
      } catch {
        // It has run out.
      }
    }
  }
}

async function addActor({ world, actors }: History): Promise<void> {
  const { agentId, secret, token, claims, registeredAtMs } = await register(world)
  actors.push({
    index: actors.length,
    state: {
      agentId,
      removed: false,
      registeredAtMs,
      secretHash: hashOf(secret),
      generation: 0,
      listing: null,
      unlinkedAtMs: {},
      unlistedSinceMs: dayOf(registeredAtMs),
      link: null,
      publishAllowanceFullAtMs: registeredAtMs,
      refused: [],
    },
    sessions: [{ claims, model: { generation: 0, settingsUntilMs: null } }],
    tokens: [token],
    secrets: [secret],
    codes: [],
    listedUntilMs: new Map(),
    versions: [],
    goneAtMs: new Map(),
    removedAt: null,
    served: { dayMs: 0, discovered: 0, fetched: 0 },
    walk: null,
  })
}

function pickActor({ actors }: History, who: number): Actor | undefined {
  return actors[who % Math.max(1, actors.length)]
}

/** Makes a draft into a call. A relink with a fresh session opens one first. */
async function concrete(history: History, { who, kind, ...rest }: Draft): Promise<Call | null> {
  const actor = pickActor(history, who)
  if (actor === undefined) return null
  if (kind === 'relink' && rest.session === 0 && !actor.state.removed) {
    const opened = sessionFor(actor, 0, true)
    if (opened?.model.settingsUntilMs == null || opened.model.settingsUntilMs <= history.world.clock.now().getTime()) {
      const blank = { who, session: 0, channels: 1, variant: 0, area: 0, old: 0 }
      for (const opening of ['createLink', 'redeem'] as const) {
        const call = await concrete(history, { ...blank, kind: opening })
        if (call !== null) await together(history, [call], [], 0, false, inOrder)
      }
    }
  }
  const session = sessionFor(actor, rest.session, kind === 'relink')
  if (session === undefined) return null
  return { actor, operation: operationOf(actor, kind, rest), session: session.model, claims: session.claims }
}

function sessionFor({ sessions }: Actor, number: number, settings: boolean) {
  if (number > 0) return sessions[number % sessions.length]
  return sessions.findLast(({ model }) => (model.settingsUntilMs !== null) === settings) ?? sessions[0]
}

function operationOf(actor: Actor, kind: Draft['kind'], draft: Omit<Draft, 'who' | 'kind' | 'session'>): Operation {
  const channel = channelNames[draft.channels % 4] ?? 'whatsapp'
  switch (kind) {
    case 'publish': {
      const offered = channelNames.filter((_, bit) => (draft.channels >> bit) % 2 === 1)
      return {
        kind,
        channels: Object.fromEntries(offered.map((each) => [each, handleFor(each, actor.index, draft.variant)])),
        profile: profileIn(areas[draft.area] ?? ''),
      }
    }
    case 'unlink':
    case 'relink':
      return { kind, channel }
    case 'takeDown':
    case 'lift':
      return { kind, channel, handle: handleFor(channel, actor.index, draft.variant) }
    case 'redeem':
      return { kind, code: actor.codes.at(-1 - draft.old) ?? 'x'.repeat(43) }
    case 'signIn':
      return { kind, secret: actor.secrets.at(-1 - draft.old) ?? 'x'.repeat(43) }
    case 'heartbeat':
    case 'unregister':
    case 'rotate':
    case 'export':
    case 'createLink':
      return { kind }
  }
}

/** Runs calls side by side with others, and finds an order in which the model gives the same. */
async function together(
  history: History,
  calls: readonly Call[],
  lookers: readonly Looker[],
  republishes: number,
  slow: boolean,
  picks: readonly Turn[],
): Promise<void> {
  const { world, hook } = history
  const nowMs = world.clock.now().getTime()
  const done = new Map<Call, Done>()
  const looked: Looked[] = []
  const tasks: ((onAwait: OnAwait) => Promise<void>)[] = [
    ...calls.map((each) => async () => void done.set(each, await perform(history, each))),
    ...lookers.map((each) => async () => {
      const result = await discoverAs(history, each)
      if (result !== null) looked.push(result)
    }),
    ...Array.from({ length: republishes }, () => async () => {
      await republishDiscovery(world.ports, world.clock.now, limits).catch(onlyCodes('aborted'))
    }),
    ...(slow
      ? [
          async (onAwait: OnAwait) => {
            for (let times = 0; times < 6; times += 1) {
              await onAwait()
              world.clock.advance(3 * second)
            }
          },
        ]
      : []),
  ]
  if (republishes > 0) history.republishedUpToMs = Math.max(history.republishedUpToMs, nowMs + 18 * second)
  let step = 0
  let stay = 0
  const settled = await interleave(
    tasks.map((task) => (onAwait) => {
      hook.onAwait = onAwait
      return task(onAwait)
    }),
    (waiting) => {
      // Who went on last waits at the end of the line.
      if (stay > 0) {
        stay -= 1
        return waiting - 1
      }
      const next = picks[(step += 1) % picks.length]
      stay = next?.stay ?? 0
      return next?.which ?? 0
    },
  )
  hook.onAwait = null
  for (const each of settled) if (each.status === 'rejected') throw each.reason
  for (const actor of history.actors) {
    const own = calls.filter((each) => each.actor === actor)
    settle(history, actor, own, done, nowMs, republishes > 0)
  }
  for (const each of looked) checkLook(history, each)
  for (const { actor, operation } of calls) {
    if (operation.kind === 'rotate') await signInAgain(history, actor)
  }
}

/** An agent whose secret was changed signs in with the new one. */
async function signInAgain(history: History, actor: Actor): Promise<void> {
  const secret = actor.secrets.at(-1)
  if (actor.state.removed || secret === undefined || hashOf(secret) !== actor.state.secretHash) return
  const claims = actor.sessions[0]?.claims
  const model = { generation: 0, settingsUntilMs: null }
  await together(
    history,
    [{ actor, operation: { kind: 'signIn', secret }, session: model, claims }],
    [],
    0,
    false,
    inOrder,
  )
}

async function perform({ world, actors }: History, { actor, operation, claims }: Call): Promise<Done> {
  const run = async (): Promise<Outcome> => {
    switch (operation.kind) {
      case 'publish':
        return {
          answer: await call(world, 'publishProfile', claims, {
            channels: operation.channels,
            profile: operation.profile,
          }),
        }
      case 'unlink':
      case 'relink': {
        const name: CallableName = operation.kind === 'unlink' ? 'unlinkChannel' : 'relinkChannel'
        return { answer: await call(world, name, claims, { channel: operation.channel }) }
      }
      case 'takeDown': {
        // A host that is told to try again does.
        for (;;) {
          const taken = await takeDownHandle(world.ports, operation, world.clock.now()).catch(onlyCodes('aborted'))
          if (taken !== undefined) return { answer: taken }
        }
      }
      case 'lift':
        return { answer: await liftTakedown(world.ports, operation) }
      case 'heartbeat':
        return { answer: await call(world, 'heartbeat', claims) }
      case 'unregister':
        return { answer: await call(world, 'unregisterAgent', claims) }
      case 'rotate':
        return { answer: 'a secret', minted: (await call(world, 'rotateSecret', claims)).secret }
      case 'export': {
        const text = JSON.stringify(await call(world, 'exportAgent', claims))
        for (const other of actors) {
          if (other === actor) continue
          assert.ok(!text.includes(other.state.agentId), "an export holds another agent's id")
        }
        return { answer: 'an export' }
      }
      case 'createLink':
        return { answer: 'a link', minted: codeOf((await call(world, 'createSettingsLink', claims)).url) }
      case 'redeem': {
        const { token } = await call(world, 'redeemSettingsLink', undefined, { code: operation.code })
        return { answer: 'a token', minted: token }
      }
      case 'signIn': {
        const input = { agentId: actor.state.agentId, secret: operation.secret }
        return { answer: 'a token', minted: (await call(world, 'signInAgent', undefined, input)).token }
      }
      case 'retire':
        throw new Error('nobody calls this')
    }
  }
  const outcome = await run().catch((error: unknown) => ({ error: codeOfError(error) }))
  return { outcome, endMs: world.clock.monotonicMs() }
}

function codeOfError(error: unknown): string {
  if (!(error instanceof DirectoryError) || error.code === 'internal') throw error
  assert.deepEqual(handlesIn(`${error.message} ${JSON.stringify(error.details)}`), [], 'an error tells a handle')
  return error.code
}

function onlyCodes(...codes: string[]) {
  return (error: unknown) => {
    if (!codes.includes(codeOfError(error))) throw error
  }
}

/** An unlink's times begin with the attempt that was committed; everything else is of the moment it was asked for. */
function momentOf({ operation }: Call, { answer }: Outcome, nowMs: number, endMs: number): number {
  if (operation.kind !== 'unlink' || typeof answer !== 'object' || answer === null) return nowMs
  const atMs = 'unlinkedAtMs' in answer ? Number(answer.unlinkedAtMs) : nowMs
  return atMs >= nowMs && atMs <= endMs ? atMs : nowMs
}

/** Finds an order of an agent's calls, and of its retirement, that explains every answer and what is stored. */
function settle(
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
    accept(history, actor, versions, calls, done, nowMs)
    return
  }
  throw new Error(
    [
      'no order of these calls explains what came of them',
      `before: ${canonical(comparable(actor.state))}`,
      ...calls.map((each) => `call: ${canonical([each.operation, each.session, outcomes.get(each)])}`),
      `stored: ${stored}`,
      `now: ${nowMs} of ${world.clock.now().getTime()}`,
    ].join('\n'),
  )
}

function accept(
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

function comparable({ agentId: _, registeredAtMs: __, refused: ___, link, ...state }: AgentState) {
  const shown = { ...state, codeHash: link?.codeHash ?? null }
  return state.removed ? { removed: true } : shown
}

/** The same of the documents. */
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
    generation: account.generation,
    listing: documents.get(`mcpDirectory/dating/agents/${agentId}`) ?? null,
    unlinkedAtMs: Object.fromEntries(unlinks) as Fields,
    unlistedSinceMs: account.unlistedSinceMs,
    codeHash: account.settingsLinkHash,
    publishAllowanceFullAtMs: account.publishAllowanceFullAtMs,
  }
}

async function discoverAs(
  history: History,
  { who, session, instance, pageSize, near, within, goesOn }: Looker,
): Promise<Looked | null> {
  const { world, instances } = history
  const actor = pickActor(history, who)
  const view = instances[instance % instances.length]
  const chosen = actor && sessionFor(actor, session, false)
  if (!actor || !chosen || !view) return null
  const nowMs = world.clock.now().getTime()
  const walk = goesOn && actor.walk !== null && actor.walk.expiresAtMs > nowMs ? actor.walk : null
  actor.walk = null
  const [area, withinKm] = [areas[near - 1], reaches[within]]
  const anew: Looked['query'] =
    area === undefined ? {} : { near: area, ...(withinKm === undefined ? {} : { withinKm }) }
  const query = walk?.query ?? anew
  const input = { pageSize, ...query, ...(walk === null ? {} : { pageToken: walk.pageToken }) }
  const result = await look(world, view, chosen.claims, input).then(
    ({ agents, nextPageToken }): Pick<Looked, 'agents'> => {
      if (nextPageToken !== null) {
        const met = new Set([...(walk?.met ?? []), ...agents.map(({ agentId }) => agentId)])
        const last = agents.at(-1)
        actor.walk = {
          pageToken: nextPageToken,
          expiresAtMs: nowMs + 10 * minute,
          met,
          query,
          last: last === undefined ? (walk?.last ?? null) : placeIn(last, query.near),
        }
      }
      return { agents }
    },
    (error: unknown): Pick<Looked, 'error'> => ({ error: codeOfError(error) }),
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

/** What discovery must answer this caller with, when nobody else is at work; undefined for a page. */
function expectedLookError({ actor: { state }, session, nowMs }: Looked, budget: number): string | undefined {
  if (session.settingsUntilMs !== null) return 'permission-denied'
  if (state.removed || session.generation !== state.generation) return 'unauthenticated'
  if (!isOnlineIn(state, nowMs)) return 'failed-precondition'
  return budget <= 0 ? 'resource-exhausted' : undefined
}

function budgetLeft(history: History, { who }: Looker): number {
  const actor = pickActor(history, who)
  if (actor === undefined) return 0
  const nowMs = history.world.clock.now().getTime()
  const account = history.world.store.all().get(`accounts/${actor.state.agentId}`)
  if (account === undefined) return budgetOf(actor, nowMs)
  const { discovered } = countsAt(account.budget as Actor['served'], nowMs)
  assert.ok(discovered >= countsAt(actor.served, nowMs).discovered, 'a budget counts less than was served')
  return budgetOf(actor, nowMs) - discovered
}

/** An answer holds peers only, only what they published, and nothing that was taken back more than 10 s ago. */
function checkLook(history: History, { actor, nowMs, endMs, met, query, last, agents, error }: Looked): void {
  if (agents === undefined) {
    const known = ['unauthenticated', 'permission-denied', 'failed-precondition', 'resource-exhausted']
    assert.ok([...known, 'unavailable', 'aborted'].includes(error ?? ''))
    return
  }
  const seen = new Set(met)
  let before = last
  for (const each of agents) {
    const place = placeIn(each, query.near)
    if (query.near !== undefined) {
      assert.ok(isWithin(each, query), 'an answer holds an agent that is out of reach')
      assert.ok(before === null || isBehind(before, place), 'an answer is not in the order of distance')
    }
    before = place
  }
  for (const { agentId, channels, profile, presence } of agents) {
    const peer = history.actors.find(({ state }) => state.agentId === agentId)
    assert.ok(peer !== undefined && peer !== actor, 'an answer holds an agent that is no peer')
    assert.ok(!seen.has(agentId), 'a walk holds an agent twice')
    seen.add(agentId)
    assert.ok(nowMs - presence.lastSeenAtMs <= onlineWindowMs, 'an answer holds an agent that is offline')
    for (const handle of handlesOf({ channels })) {
      const untilMs = peer.listedUntilMs.get(handle) ?? -Infinity
      assert.ok(endMs - untilMs <= promptMs, `an answer holds a handle taken back ${endMs - untilMs} ms before`)
    }
    const published = peer.versions.some(
      (version) =>
        canonical([version.profile, version.presence]) === canonical([profile, presence]) &&
        Object.entries(channels).every(([channel, handle]) => Reflect.get(version.channels, channel) === handle),
    )
    assert.ok(published, 'an answer holds what was never published')
  }
  charge(actor, 'discovered', agents.length, budgetOf(actor, nowMs), nowMs)
}

type Located = Pick<ModelListing, 'agentId' | 'profile'>

/** Where an agent comes in a walk by distance. */
function placeIn({ agentId, profile }: Located, near: string | undefined): [metres: number, agentId: string] {
  return [near === undefined ? 0 : reachOf(profile.area, near).metres, agentId]
}

function isBehind([metres, agentId]: [number, string], [next, nextId]: [number, string]): boolean {
  return metres < next || (metres === next && agentId < nextId)
}

function isWithin({ profile }: Located, { near, withinKm }: { near?: string; withinKm?: number }): boolean {
  return near === undefined || withinKm === undefined || reachOf(profile.area, near).edgeKm <= withinKm
}

async function batchGetAs(history: History, { who, of }: { who: number; of: number[] }): Promise<void> {
  const { world, actors } = history
  const actor = pickActor(history, who)
  const session = sessionOf(actor && sessionFor(actor, 0, false)?.claims)
  if (!actor || !session) return
  const asked = [...new Set(of.flatMap((each) => pickActor(history, each) ?? []))]
  const agentIds = asked.map(({ state }) => state.agentId)
  const nowMs = world.clock.now().getTime()
  const { served, state } = actor
  const left = 2_000 - countsAt(served, nowMs).fetched
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
  charge(actor, 'fetched', agentIds.length, 2_000, nowMs)
}

function charge(actor: Actor, counter: 'discovered' | 'fetched', count: number, most: number, nowMs: number): void {
  const served = countsAt(actor.served, nowMs)
  actor.served = { ...served, [counter]: served[counter] + count }
  assert.ok(count === 0 || actor.served[counter] <= most, 'more was served than the budget has')
}

/** What counts today. A day begun ahead of a clock that went back goes on; one that no clock can be ahead ends today. */
function countsAt(counts: Actor['served'], nowMs: number): Actor['served'] {
  const today = dayOf(nowMs)
  if (counts.dayMs < today) return { dayMs: today, discovered: 0, fetched: 0 }
  return counts.dayMs > today + day ? { ...counts, dayMs: today } : counts
}

function budgetOf({ state }: Actor, nowMs: number): number {
  return nowMs - state.registeredAtMs < 72 * hour ? 100 : 1_000
}

function isOnlineIn({ listing }: AgentState, nowMs: number): boolean {
  return listing !== null && nowMs - listing.presence.lastSeenAtMs <= onlineWindowMs
}

async function killRepublish(history: History, killedAt: number): Promise<void> {
  const { world } = history
  const nowMs = world.clock.now().getTime()
  history.republishedUpToMs = Math.max(history.republishedUpToMs, nowMs)
  const onAwait = killAt(killedAt)
  await republishDiscovery(world.through(onAwait), world.clock.now, limits).catch((error: unknown) => {
    if (!onAwait.killed()) throw error
  })
  for (const actor of history.actors) settle(history, actor, [], new Map(), nowMs, true)
}

async function republish(history: History): Promise<void> {
  const { world } = history
  const nowMs = world.clock.now().getTime()
  history.republishedUpToMs = Math.max(history.republishedUpToMs, nowMs)
  const { finished } = await republishDiscovery(world.ports, world.clock.now, limits)
  assert.ok(finished)
  for (const actor of history.actors) {
    settle(history, actor, [], new Map(), nowMs, true)
    assert.ok(!isRetired(actor.state, nowMs), 'an agent not seen for 30 days is kept')
  }
}

/** After a quiet republish: the shards say what the listings say, and of a removed agent nothing is left. */
async function checkServing({ world, actors, republishedUpToMs }: History): Promise<void> {
  const nowMs = world.clock.now().getTime()
  const wentOffline = actors.filter(
    ({ state }) => isOnlineIn(state, nowMs) && !isOnlineIn(state, Math.max(nowMs, republishedUpToMs)),
  )
  expectConverged(world, limits, new Set(wentOffline.map(({ state }) => state.agentId)))
  const text = textOf(world)
  for (const { state, removedAt } of actors) {
    if (removedAt === null) continue
    assert.ok(!text.includes(state.agentId), "a removed agent's id is stored")
    if (nowMs - removedAt.wallMs < forgottenMs || world.clock.monotonicMs() - removedAt.realMs < forgottenMs) continue
    const record = await world.signIns.record(state.agentId)
    assert.deepEqual(record, {}, 'a removed agent has a sign-in')
  }
}

/** Walks all of discovery, as every peer that may, on a fresh instance and on one that has been through it all. */
async function checkConvergence(history: History): Promise<void> {
  const { world, actors, instances, republishedUpToMs } = history
  await republish(history)
  await checkServing(history)
  world.clock.advance(5 * second)
  const nowMs = world.clock.now().getTime()
  const surelyOnline = actors.filter(({ state }) => isOnlineIn(state, Math.max(nowMs, republishedUpToMs + 5 * second)))
  for (const actor of actors.filter(({ state }) => isOnlineIn(state, nowMs))) {
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
      for (const { state } of surelyOnline) {
        if (state.agentId !== actor.state.agentId) assert.deepEqual(byId.get(state.agentId), state.listing)
      }
      for (const withinKm of reaches) {
        const query = { near: areas[actor.index % areas.length] ?? '', ...(withinKm === undefined ? {} : { withinKm }) }
        const { agents: found } = await look(world, instance, claims, { pageSize: 9, ...query })
        assert.deepEqual(
          found.filter(({ agentId }) => surelyOnline.some(({ state }) => state.agentId === agentId)),
          surelyOnline
            .flatMap(({ state: { agentId, listing } }) => (agentId === actor.state.agentId ? [] : (listing ?? [])))
            .filter((listing) => isWithin(listing, query))
            .sort((a, b) => (isBehind(placeIn(a, query.near), placeIn(b, query.near)) ? -1 : 1)),
        )
      }
      const listings = storedListings(world)
      for (const [agentId, listing] of sorted(byId)) assert.deepEqual(listing, listings.get(agentId))
    }
  }
}

/** An hour and a minute after the last removal and one republish later, no sign-in of a removed agent is left, nor a word of it. */
async function checkDepartures(history: History): Promise<void> {
  const { world, actors } = history
  const removed = actors.filter(({ removedAt }) => removedAt !== null)
  if (removed.length === 0) return
  const behindMs = Math.max(...removed.map(({ removedAt }) => removedAt?.wallMs ?? 0)) - world.clock.now().getTime()
  world.clock.advance(Math.max(0, behindMs) + forgottenMs)
  await republish(history)
  await checkServing(history)
  const departures = [...world.store.all().keys()].filter((path) => path.startsWith('departures/'))
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

/** Every document there is, by its path: whose it is, and its fields. */
function checkDocuments({ world, actors }: History): void {
  const documents = world.store.all()
  const byId = new Map(actors.map((actor) => [actor.state.agentId, actor]))
  const secrets = actors.flatMap((actor) => [...actor.secrets, ...actor.codes])
  const inShards = new Map<string, StoredListing>()
  let [links, refusals] = [0, 0]
  for (const [path, fields] of documents) {
    const id = path.slice(path.lastIndexOf('/') + 1)
    const actor = byId.get(id)
    const kind = path.slice(0, -id.length - 1)
    const isShard = kind === 'discovery/dating/shards'
    const listings = isShard ? shardListings(fields) : []
    const text = JSON.stringify(isShard ? listings : fields)
    if (kind !== 'mcpDirectory/dating/agents' && !isShard) {
      assert.deepEqual(handlesIn(`${path} ${text}`), [], `${kind} holds a handle`)
    }
    if (secrets.some((secret) => text.includes(secret) || path.includes(secret)))
      throw new Error(`${kind} tells a secret`)
    const keys = Object.keys(fields).sort()
    switch (kind) {
      case 'agents': {
        const { agentId, registeredAtMs } = presentIn(actor)
        assert.deepEqual(fields, { agentId, category: 'dating', registeredAtMs })
        break
      }
      case 'mcpDirectory/dating/agents':
        assert.deepEqual(fields, presentIn(actor).listing)
        break
      case 'unlinks':
        assert.deepEqual(keys, Object.keys(presentIn(actor).unlinkedAtMs).sort())
        for (const unlink of Object.values(fields)) {
          assert.deepEqual(Object.keys(unlink as Fields).sort(), ['goneAtMs', 'unlinkedAtMs'])
        }
        break
      case 'accounts':
        presentIn(actor)
        assert.deepEqual(keys, [
          'area',
          'budget',
          'generation',
          'publishAllowanceFullAtMs',
          'revision',
          'secretHash',
          'settingsLinkHash',
          'unlistedSinceMs',
        ])
        assert.deepEqual(Object.keys(fields.budget as Fields).sort(), ['dayMs', 'discovered', 'fetched'])
        break
      case 'changes':
        assert.ok(actor)
        assert.deepEqual(keys, ['from', 'revision', 'room', 'to', 'unlinked'])
        break
      case 'removals':
        assert.ok(actor)
        assert.deepEqual(keys, ['channels', 'number', 'revision', 'room'])
        break
      case 'settingsLinks':
        links += 1
        assert.deepEqual(keys, ['agentId', 'expiresAt'])
        assert.equal(presentIn(byId.get(String(fields.agentId))).link?.codeHash, id)
        break
      case 'takedowns':
        refusals += 1
        assert.deepEqual(keys, ['sinceMs'])
        assert.match(id, /^[0-9a-f]{64}$/)
        break
      case 'proofs':
        assert.deepEqual(keys, ['expiresAt'])
        break
      case 'departures':
        assert.deepEqual(keys, ['dueAtMs', 'sealedAgentId'])
        assert.ok(![...byId.keys()].some((agentId) => text.includes(agentId)))
        break
      case 'discovery':
        assert.equal(id, 'dating')
        assert.deepEqual(keys, ['revision', 'shards'])
        assert.ok(![...byId.keys()].some((agentId) => text.includes(agentId)), "the manifest holds an agent's id")
        break
      case 'discovery/dating/shards':
        assert.deepEqual(keys, ['entries', 'revision'])
        for (const listing of listings) inShards.set(listing.agentId, listing)
        break
      case 'runs':
        assert.deepEqual(keys, id === 'removals' ? ['last'] : ['finishedAtMs'])
        break
      default:
        throw new Error('a document of an unknown kind')
    }
  }
  for (const { state } of actors) {
    const present = ['agents', 'accounts'].map((kind) => documents.has(`${kind}/${state.agentId}`))
    assert.deepEqual(present, [!state.removed, !state.removed])
    assert.equal(documents.has(`mcpDirectory/dating/agents/${state.agentId}`), state.listing !== null)
    assert.equal(documents.has(`unlinks/${state.agentId}`), Object.keys(state.unlinkedAtMs).length > 0)
  }
  assert.equal(refusals, actors.flatMap(({ state }) => state.refused).length)
  assert.equal(links, actors.filter(({ state }) => state.link !== null).length)
  for (const [agentId, { channels }] of inShards) {
    const listed = Object.values(byId.get(agentId)?.state.listing?.channels ?? {})
    const isDue = documents.has(`changes/${agentId}`)
    assert.ok(
      isDue || Object.values(channels).every((handle) => listed.includes(handle)),
      'a shard holds an old handle',
    )
  }
  for (const actor of actors) checkUnlinks(actor, documents.get(`unlinks/${actor.state.agentId}`), inShards)
}

/** `goneAtMs` is set once, and never while a shard holds a handle of that channel. */
function checkUnlinks(actor: Actor, unlinks: Fields | undefined, inShards: ReadonlyMap<string, StoredListing>): void {
  for (const channel of channelNames) {
    const unlink = unlinks?.[channel] as { unlinkedAtMs: number; goneAtMs: number | null } | undefined
    if (unlink === undefined) continue
    const { unlinkedAtMs, goneAtMs } = unlink
    assert.equal(unlinkedAtMs, actor.state.unlinkedAtMs[channel])
    const which = `${channel} ${unlinkedAtMs}`
    const earlier = actor.goneAtMs.get(which)
    if (goneAtMs === null) continue
    assert.ok(earlier === undefined || earlier === goneAtMs, 'a goneAtMs has changed')
    actor.goneAtMs.set(which, goneAtMs)
    assert.ok(goneAtMs >= unlinkedAtMs)
    assert.equal(inShards.get(actor.state.agentId)?.channels[channel], undefined, 'a handle that is gone is in a shard')
  }
}

function presentIn(actor: Actor | undefined): AgentState {
  if (actor === undefined || actor.state.removed) throw new Error('a document of an agent that is not there')
  return actor.state
}

function handlesOf(listing: Pick<ModelListing, 'channels'> | null): string[] {
  return Object.values(listing?.channels ?? {}).flatMap((handle) => handle ?? [])
}

function dayOf(ms: number): number {
  return Math.floor(ms / day) * day
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
  )
}

/** JSON with its keys in order: two values are the same where their texts are. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  )
}
