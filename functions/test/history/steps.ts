import * as fc from 'fast-check'
import type { Operation } from '../model.ts'

/** A random history of a directory: steps that are data, and how fast-check makes them up. */

export const second = 1_000
export const minute = 60 * second
export const hour = 60 * minute
export const day = 24 * hour

export const areas = ['gcpv', 'gcpu', 'u173', 'gc', 'dr5r']

export const maxAgents = 8

/** No two areas above are about this far apart, because the oracle's distances are approximate. */
export const reaches = [30, 100, 700, undefined]

/** A call before the history has run so far. Each number selects from what exists by then, modulo its count. */
export interface CallDraft {
  kind: Exclude<Operation['kind'], 'retire'>
  who: number
  /** 0 is the newest suitable session. */
  session: number
  channels: number
  variant: number
  area: number
  old: number
}

/** A request for a page of discovery, likewise. */
export interface DiscoverDraft {
  who: number
  session: number
  instance: number
  pageSize: number
  /** Selects an area to look near, and `within` a distance from it; 0 is none. */
  near: number
  within: number
  /** Asks for the next page of the agent's current walk, if it has one. */
  continuesWalk: boolean
}

/** Which waiting task continues, and for how many more steps it keeps its turn. */
export interface Turn {
  which: number
  stay: number
}

/** What happens while calls run. */
export interface Meanwhile {
  discoveries: readonly DiscoverDraft[]
  republishes: number
  /** Lets time pass between the awaits. */
  slow: boolean
  /** Who takes the turns. */
  picks: readonly Turn[]
}

export type Step =
  | { kind: 'register' }
  | { kind: 'call'; draft: CallDraft }
  | ({ kind: 'atOnce'; drafts: CallDraft[] } & Meanwhile)
  | { kind: 'pass'; ms: number }
  | { kind: 'setClockBack'; ms: number }
  | { kind: 'republish'; killedAt: number | null }
  | { kind: 'discover'; draft: DiscoverDraft }
  | { kind: 'discoverWhileFailing'; draft: DiscoverDraft; failAt: number }
  | { kind: 'batchGet'; who: number; of: number[] }
  | { kind: 'spendBudget'; who: number }
  | { kind: 'replayToken'; who: number; token: number }

const small = fc.nat(9)

const rarely = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: small })

/** A call that may run beside others. */
const callDraft: fc.Arbitrary<CallDraft> = fc.record({
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

/**
 * A call that runs alone. The takedown of an agent is many transactions, and no order of whole calls explains what comes
 * of it beside others.
 */
const aloneDraft: fc.Arbitrary<CallDraft> = fc.oneof(
  { weight: 11, arbitrary: callDraft },
  {
    weight: 1,
    arbitrary: fc
      .tuple(callDraft, fc.constantFrom('takeDownAgent' as const, 'takeDownDamaged' as const))
      .map(([each, kind]) => ({ ...each, kind })),
  },
)

const discoverDraft: fc.Arbitrary<DiscoverDraft> = fc.record({
  who: small,
  session: rarely,
  instance: fc.nat(2),
  pageSize: fc.constantFrom(1, 3, 50),
  near: fc.oneof(fc.constant(0), fc.nat(areas.length)),
  within: fc.nat(reaches.length - 1),
  continuesWalk: fc.boolean(),
})

const picks: fc.Arbitrary<Turn[]> = fc.array(
  fc.record({ which: fc.nat(5), stay: fc.oneof(fc.constant(0), fc.nat(20)) }),
  { minLength: 1, maxLength: 12 },
)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ kind: 'register' as const }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('call' as const), draft: aloneDraft }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('atOnce' as const),
      drafts: fc.array(callDraft, { minLength: 1, maxLength: 3 }),
      discoveries: fc.array(discoverDraft, { maxLength: 2 }),
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
      kind: fc.constant('setClockBack' as const),
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
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('discover' as const), draft: discoverDraft }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('discoverWhileFailing' as const),
      draft: discoverDraft,
      failAt: fc.integer({ min: 1, max: 20 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('batchGet' as const),
      who: small,
      of: fc.uniqueArray(small, { minLength: 1 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('spendBudget' as const), who: small }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('replayToken' as const), who: small, token: small }) },
)

/** Histories that begin with a few agents that are listed and republished. */
export const histories: fc.Arbitrary<Step[]> = fc
  .tuple(
    fc.array(fc.record({ channels: callDraft.map(({ channels }) => channels), area: fc.nat(areas.length - 1) }), {
      minLength: 2,
      maxLength: 5,
    }),
    fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }),
  )
  .map(([first, rest]) => [...beginning(first), ...rest])

/** Lists some agents and republishes. */
function beginning(agents: readonly { channels: number; area: number }[]): Step[] {
  return [
    ...agents.flatMap(({ channels, area }, who): Step[] => [
      { kind: 'register' },
      { kind: 'call', draft: { kind: 'publish', who, session: 0, channels, variant: 0, area, old: 0 } },
    ]),
    { kind: 'republish', killedAt: null },
  ]
}

/** Histories in which agents unlink and publish while others discover, shards are rewritten and time passes. */
export const races: fc.Arbitrary<Step[]> = fc
  .tuple(
    fc.array(fc.record({ channels: fc.integer({ min: 1, max: 15 }), area: fc.nat(areas.length - 1) }), {
      minLength: 2,
      maxLength: maxAgents,
      size: 'max',
    }),
    fc.array(
      fc.record({
        kind: fc.constant('atOnce' as const),
        drafts: fc.array(
          fc
            .tuple(
              callDraft,
              fc.constantFrom('publish' as const, 'unlink' as const, 'unregister' as const, 'takeDown' as const),
            )
            .map(([each, kind]) => ({ ...each, kind, session: 0 })),
          { minLength: 1, maxLength: 2 },
        ),
        discoveries: fc.array(discoverDraft, { minLength: 1, maxLength: 2 }),
        republishes: fc.nat(2),
        slow: fc.boolean(),
        picks,
      }),
      { minLength: 1, maxLength: 5 },
    ),
  )
  .map(([first, rest]) => [...beginning(first), ...rest])
