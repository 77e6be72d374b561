import { DirectoryError } from '@koko/contract'
import assert from 'node:assert/strict'
import type { OnAwait } from '../../../testing/memory-store.ts'
import { register, type Claims, type World } from '../../../testing/world.ts'
import type { DiscoveryView } from '../../src/discovery/view.ts'
import { handlesIn, hashOf, onlineWindowMs, type AgentState, type ModelListing, type ModelSession } from '../model.ts'
import { day } from './steps.ts'

/** A directory in the course of a history, and its agents: what each knows, and what the model says of it. */

/** Small enough for eight agents to split and merge shards, and to need several transactions. */
export const limits = { shardAgents: 3, shardBytes: 100_000, mergeAgents: 2, batchAgents: 2, batchShards: 2 }

/** Low enough that an instance asks only for new removals, by their numbers. */
export const removalLimits = {
  readWholeBelow: 1,
  pageSize: 2,
  maxNewPerRead: 20,
  minBacklog: 1,
  numberBatch: 2,
  maxTotal: 100,
}

/** An agent of the history. */
export interface Actor {
  index: number
  state: AgentState
  sessions: { claims: Claims; model: ModelSession }[]
  tokens: string[]
  secrets: string[]
  codes: string[]
  /** When, in real time, each handle left the listing at the latest; Infinity while it is listed. */
  listedUntilMs: Map<string, number>
  /** Every listing that it ever had. */
  versions: ModelListing[]
  /** The `goneAtMs` seen so far, by channel and time of the unlink. */
  goneAtMs: Map<string, number>
  removedAt: { realMs: number; wallMs: number } | null
  served: { dayMs: number; discovered: number; fetched: number }
  /** The agent's current walk: how to continue it, and whom it has met. */
  walk: {
    pageToken: string
    expiresAtMs: number
    met: ReadonlySet<string>
    query: { near?: string; withinKm?: number }
    /** The position of the agent met last, if the walk is by distance. */
    last: [metres: number, agentId: string] | null
  } | null
}

export interface History {
  world: World
  actors: Actor[]
  instances: DiscoveryView[]
  hook: { onAwait: OnAwait | null }
}

export async function addActor({ world, actors }: History): Promise<void> {
  const { agentId, secret, token, claims, registeredAtMs } = await register(world)
  actors.push({
    index: actors.length,
    state: {
      agentId,
      removed: false,
      registeredAtMs,
      secretHash: hashOf(secret),
      pendingSecret: null,
      generation: 0,
      listing: null,
      unlinkedAtMs: {},
      unlistedSinceMs: dayOf(registeredAtMs),
      link: null,
      publishAllowance: { used: 0, regainsFromMs: 0 },
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

export function pickActor({ actors }: History, who: number): Actor | undefined {
  return actors[who % Math.max(1, actors.length)]
}

export function sessionFor({ sessions }: Actor, number: number, settings: boolean) {
  if (number > 0) return sessions[number % sessions.length]
  return sessions.findLast(({ model }) => (model.settingsUntilMs !== null) === settings) ?? sessions[0]
}

export function isOnlineIn({ listing }: AgentState, nowMs: number): boolean {
  return listing !== null && nowMs - listing.presence.lastSeenAtMs <= onlineWindowMs
}

export function handlesOf(listing: Pick<ModelListing, 'channels'> | null): string[] {
  return Object.values(listing?.channels ?? {}).flatMap((handle) => handle ?? [])
}

export function dayOf(ms: number): number {
  return Math.floor(ms / day) * day
}

/** The code of a refusal, which must not hold a handle; anything unexpected is thrown again. */
export function codeOfError(error: unknown): string {
  if (!(error instanceof DirectoryError) || error.code === 'internal') throw error
  assert.deepEqual(handlesIn(`${error.message} ${JSON.stringify(error.details)}`), [], 'an error holds a handle')
  return error.code
}

/** For `catch`: an aborted transaction is normal, and everything else is thrown again. */
export function ifAborted(error: unknown): void {
  if (codeOfError(error) !== 'aborted') throw error
}
