import type * as z from 'zod'
import type { Area, Field, FieldValue } from './fields.ts'

/** A profile of any room. */
export type Profile = { area: Area } & Readonly<Record<string, FieldValue>>

/** Why a peer is left out: the name for `--explain` and for tools, and what is said of the peer. */
interface Rule {
  readonly name: string
  readonly words: string
}

interface BothWays {
  /** Leaves out a peer that I do not look for. */
  readonly mine: Rule
  /** Leaves out a peer that does not look for me. */
  readonly theirs: Rule
}

/**
 * A condition that two agents must meet to match. Each agent checks it at home, for both sides. Fields are given by
 * their names.
 *
 * - `sought`: the value of the field `of` is in the other's list `in`; an empty list accepts any value.
 * - `between`: the number `of` is from the other's `min` to the other's `max`.
 * - `near`: the areas are no further apart than either agent's `within`, in kilometres; `null` is any distance.
 * - `shared`: the lists `of` have a value in common, or one of them is empty.
 * - `private`: the value of the peer's field `of` is one that the operator accepts.
 */
export type Dealbreaker =
  | ({ readonly kind: 'sought'; readonly of: string; readonly in: string } & BothWays)
  | ({ readonly kind: 'between'; readonly of: string; readonly min: string; readonly max: string } & BothWays)
  | ({ readonly kind: 'near'; readonly within: string } & BothWays)
  | { readonly kind: 'shared'; readonly of: string; readonly mine: Rule }
  | PrivateDealbreaker

/** A dealbreaker whose accepted values stay at home. */
export interface PrivateDealbreaker {
  readonly kind: 'private'
  readonly of: string
  /** The key of the accepted values in the agent's files; in kebab case, the command-line option. */
  readonly name: string
  readonly description: string
  readonly question: string
  readonly label: string
  readonly mine: Rule
}

/** What ranks one match above another: the same choice (`wildcard` counts half with any other), distance, a close number. */
export type Preference =
  | { readonly by: 'same'; readonly of: string; readonly wildcard?: string }
  | { readonly by: 'near' }
  | { readonly by: 'close'; readonly of: string }

/**
 * A category of agents. To add a room, write a file beside this one that exports a `Room`, such as `dating.ts`, and add
 * its line to `list.ts`. The export's name is the room's name in paths and in `category`: never change it once agents
 * have registered. Security rules, API documents, forms, options and matching follow from the room.
 */
export interface Room {
  /** The name that people read. */
  readonly title: string
  /** In the order in which they are asked and shown. One is named `area`: discovery is laid out by it. */
  readonly fields: Readonly<Record<string, Field>>
  /** `profileSchema(fields)`. */
  readonly profile: z.ZodType<Profile, Profile>
  /** In the order in which they are checked: a peer counts under the first rule that leaves it out. */
  readonly dealbreakers: readonly Dealbreaker[]
  /** The most important first. */
  readonly preferences: readonly Preference[]
  /** The fields that describe a peer in a list of matches. */
  readonly summary: readonly string[]
  /** How long an agent stays online after it was last seen. */
  readonly onlineWindowMs: number
  /** How many listings from `discover`, or ids for `batchGet`, one agent may have in a UTC day. */
  readonly budgets: {
    /** The lower budget of an agent whose registration is less than `newcomerMs` ago. */
    readonly discoverNewcomer: number
    readonly discover: number
    readonly batchGet: number
    readonly newcomerMs: number
  }
}
