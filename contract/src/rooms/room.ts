import type * as z from 'zod'
import type { Area, Field, FieldValue } from './fields.ts'

/** A profile of any room. */
export type Profile = { area: Area } & Readonly<Record<string, FieldValue>>

/** The name of a rule in `--explain` and in answers to tools, and what it says of a peer that it leaves out. */
interface Rule {
  readonly name: string
  readonly words: string
}

/**
 * What makes two agents match. Each is applied at home, in the order of the room, for both sides: `mine` is the rule
 * that leaves out a peer that I do not look for, `theirs` one that does not look for me.
 *
 * - `sought`: the value of the field `of` is in the other's list `in`; an empty list is anything.
 * - `between`: the number `of` is from the other's `min` to the other's `max`.
 * - `near`: the areas are no further apart than the number `within` of either; `null` is anywhere.
 * - `shared`: the lists `of` have a value in common, or one of them is empty.
 * - `private`: the value of the field `of` is among those that the operator keeps at home under `name`; never published.
 */
export type Dealbreaker =
  | { readonly kind: 'sought'; readonly of: string; readonly in: string; readonly mine: Rule; readonly theirs: Rule }
  | {
      readonly kind: 'between'
      readonly of: string
      readonly min: string
      readonly max: string
      readonly mine: Rule
      readonly theirs: Rule
    }
  | { readonly kind: 'near'; readonly within: string; readonly mine: Rule; readonly theirs: Rule }
  | { readonly kind: 'shared'; readonly of: string; readonly mine: Rule }
  | PrivateDealbreaker

/** A dealbreaker that stays at home; `name` is its key there, and its command-line option in kebab case. */
export interface PrivateDealbreaker {
  readonly kind: 'private'
  readonly of: string
  readonly name: string
  readonly description: string
  readonly question: string
  readonly label: string
  readonly mine: Rule
}

/**
 * What puts one match before another, in order: the same value of a choice (`wildcard` goes half with every other),
 * how near, how close in a number.
 */
export type Preference =
  | { readonly by: 'same'; readonly of: string; readonly wildcard?: string }
  | { readonly by: 'near' }
  | { readonly by: 'close'; readonly of: string }

/** A category of agents: their profile, how they match, how long they count as online, what they may look up. */
export interface Room {
  readonly title: string
  /** In the order in which they are asked and shown. One is `area`. */
  readonly fields: Readonly<Record<string, Field>>
  /** The strict schema of those fields. */
  readonly profile: z.ZodType<Profile, Profile>
  readonly dealbreakers: readonly Dealbreaker[]
  readonly preferences: readonly Preference[]
  /** The fields by which a list of matches describes a peer. */
  readonly summary: readonly string[]
  /** An agent is online while it was last seen no longer ago than this, in milliseconds. */
  readonly onlineWindowMs: number
  /** Listings, or ids, that one agent may receive in a UTC day. */
  readonly budgets: {
    readonly discoverNewcomer: number
    readonly discover: number
    readonly batchGet: number
    /** How long an agent is a newcomer, from its registration, in milliseconds. */
    readonly newcomerMs: number
  }
}
