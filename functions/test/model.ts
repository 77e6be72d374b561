import { createHash } from 'node:crypto'

/**
 * A model of one agent, written after the contract alone: it has no shards, revisions or transactions, and uses none of the
 * server's code.
 */

export const channelNames = ['whatsapp', 'telegram', 'discord', 'slack'] as const
export type ChannelName = (typeof channelNames)[number]

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
export const onlineWindowMs = 60 * hour
export const retentionMs = 30 * day
const publishesAtOnce = 60

export interface ModelListing {
  agentId: string
  category: string
  channels: Partial<Record<ChannelName, string | undefined>>
  profile: { area: string }
  presence: { registeredAtMs: number; publishedAtMs: number; lastSeenAtMs: number }
}

export interface AgentState {
  agentId: string
  removed: boolean
  registeredAtMs: number
  secretHash: string
  pendingSecret: { hash: string; voidAtMs: number } | null
  generation: number
  listing: ModelListing | null
  unlinkedAtMs: Partial<Record<ChannelName, number>>
  /** The day since which there is no listing; null while there is one. */
  unlistedSinceMs: number | null
  link: { codeHash: string; expiresAtMs: number } | null
  publishAllowance: { used: number; regainsFromMs: number }
  /** The agent's own handles that the host has taken down; no other agent has them. */
  refused: readonly string[]
}

export interface ModelSession {
  generation: number
  settingsUntilMs: number | null
}

export type Operation =
  | { kind: 'publish'; channels: Partial<Record<ChannelName, string>>; profile: { area: string } }
  | { kind: 'unlink'; channel: ChannelName }
  | { kind: 'relink'; channel: ChannelName }
  | { kind: 'heartbeat' }
  | { kind: 'unregister' }
  | { kind: 'rotate' }
  | { kind: 'export' }
  | { kind: 'createLink' }
  | { kind: 'redeem'; code: string }
  | { kind: 'signIn'; secret: string }
  | { kind: 'takeDown' | 'lift'; channel: ChannelName; handle: string }
  | { kind: 'takeDownAgent' }
  /** The host takes down an agent whose account was damaged; it has a listing. */
  | { kind: 'takeDownDamaged' }
  | { kind: 'retire' }

/** The outcome of a call. `minted` is what only the server can choose: a secret, a code or a token. */
export interface Outcome {
  error?: string
  answer?: unknown
  minted?: string
}

const whoMay: Partial<Record<Operation['kind'], 'agent' | 'settings' | 'both'>> = {
  publish: 'agent',
  unlink: 'both',
  relink: 'settings',
  heartbeat: 'agent',
  unregister: 'both',
  rotate: 'agent',
  export: 'both',
  createLink: 'agent',
}

/** The state after an operation, and its outcome; `minted` comes from the server's own answer. */
export function applyOperation(
  state: AgentState,
  operation: Operation,
  session: ModelSession,
  nowMs: number,
  minted: string | undefined,
): { state: AgentState; outcome: Outcome } {
  const refuse = (error: string) => ({ state, outcome: { error } })
  const may = whoMay[operation.kind]
  if (may !== undefined) {
    const { settingsUntilMs } = session
    if (settingsUntilMs === null ? may === 'settings' : may === 'agent' || settingsUntilMs <= nowMs) {
      return refuse('permission-denied')
    }
    if (state.removed && operation.kind === 'unregister') {
      return { state, outcome: { answer: { agentId: state.agentId, deleted: true } } }
    }
    if (state.removed || session.generation !== state.generation) return refuse('unauthenticated')
  }
  const answered = (next: Partial<AgentState>, answer: unknown) => ({
    state: { ...state, ...next },
    outcome: { answer, ...(minted === undefined ? {} : { minted }) },
  })
  const today = Math.floor(nowMs / day) * day
  switch (operation.kind) {
    case 'publish': {
      let { used, regainsFromMs } = state.publishAllowance
      // An allowance further ahead than any can be was written before the clock was set back.
      if (used > 0 && regainsFromMs - nowMs > 2 * minute) used = publishesAtOnce - 1
      else {
        while (used > 0 && regainsFromMs + minute <= nowMs) {
          used -= 1
          regainsFromMs += minute
        }
      }
      if (used === publishesAtOnce) return refuse('resource-exhausted')
      const wholeMinuteMs = Math.ceil((used === 0 ? nowMs : regainsFromMs) / minute) * minute
      const isLast = used === publishesAtOnce - 1
      const publishAllowance = { used: used + 1, regainsFromMs: isLast ? nowMs : wholeMinuteMs }
      if (Object.values(operation.channels).some((handle) => state.refused.includes(handle))) {
        return refuse('invalid-argument')
      }
      const offered = channelNames.filter((channel) => operation.channels[channel] !== undefined)
      const withheld = offered.flatMap((channel) => {
        const unlinkedAtMs = state.unlinkedAtMs[channel]
        return unlinkedAtMs === undefined ? [] : [{ channel, unlinkedAtMs }]
      })
      const shown = offered.filter((channel) => state.unlinkedAtMs[channel] === undefined)
      const listing =
        shown.length === 0
          ? null
          : {
              agentId: state.agentId,
              category: 'dating',
              channels: Object.fromEntries(shown.map((channel) => [channel, operation.channels[channel]])),
              profile: operation.profile,
              presence: {
                registeredAtMs: Math.floor(state.registeredAtMs / day) * day,
                publishedAtMs: today,
                lastSeenAtMs: today,
              },
            }
      return answered(
        { listing, publishAllowance, unlistedSinceMs: listing === null ? today : null },
        { published: listing, withheld },
      )
    }
    case 'unlink': {
      const { channel } = operation
      const first = state.unlinkedAtMs[channel]
      const answer = { channel, unlinkedAtMs: first ?? nowMs, goneByMs: (first ?? nowMs) + 10_000 }
      if (first !== undefined) return answered({}, answer)
      const { [channel]: _removed, ...channels } = state.listing?.channels ?? {}
      const listing =
        state.listing === null || Object.keys(channels).length === 0 ? null : { ...state.listing, channels }
      return answered(
        {
          listing,
          unlinkedAtMs: { ...state.unlinkedAtMs, [channel]: nowMs },
          unlistedSinceMs: unlistedSince(state, listing, today),
        },
        answer,
      )
    }
    case 'takeDown': {
      const { channel, handle } = operation
      const refused = [...new Set([...state.refused, handle])]
      if (state.listing?.channels[channel] !== handle) return answered({ refused }, { listings: 0 })
      const { [channel]: _removed, ...channels } = state.listing.channels
      const listing = Object.keys(channels).length === 0 ? null : { ...state.listing, channels }
      return answered({ refused, listing, unlistedSinceMs: unlistedSince(state, listing, today) }, { listings: 1 })
    }
    case 'takeDownAgent':
    case 'takeDownDamaged': {
      const { listing } = state
      const handles = Object.values(listing?.channels ?? {}).flatMap((handle) => handle ?? [])
      const refused = [...new Set([...state.refused, ...handles])]
      const next =
        operation.kind === 'takeDownDamaged'
          ? removedState
          : { listing: null, unlistedSinceMs: unlistedSince(state, null, today) }
      return answered({ ...next, refused }, { listings: listing === null ? 0 : 1, handles: handles.length })
    }
    case 'lift':
      return answered(
        { refused: state.refused.filter((handle) => handle !== operation.handle) },
        state.refused.includes(operation.handle),
      )
    case 'relink': {
      const { [operation.channel]: _lifted, ...unlinkedAtMs } = state.unlinkedAtMs
      return answered({ unlinkedAtMs }, { channel: operation.channel })
    }
    case 'heartbeat': {
      if (state.listing === null) return refuse('failed-precondition')
      const lastSeenAtMs = Math.max(today, state.listing.presence.lastSeenAtMs)
      const listing = { ...state.listing, presence: { ...state.listing.presence, lastSeenAtMs } }
      return answered({ listing }, { lastSeenAtMs, onlineUntilMs: lastSeenAtMs + onlineWindowMs })
    }
    case 'unregister':
      return answered(removedState, { agentId: state.agentId, deleted: true })
    case 'rotate':
      return answered({ pendingSecret: { hash: hashOf(minted ?? ''), voidAtMs: nowMs + hour } }, 'a secret')
    case 'export':
      return answered({}, 'an export')
    case 'createLink':
      return answered({ link: { codeHash: hashOf(minted ?? ''), expiresAtMs: nowMs + 10 * minute } }, 'a link')
    case 'redeem': {
      if (state.link?.codeHash !== hashOf(operation.code)) return refuse('not-found')
      const spent = { ...state, link: null }
      if (state.link.expiresAtMs <= nowMs) return { state: spent, outcome: { error: 'not-found' } }
      return answered({ link: null }, 'a token')
    }
    case 'signIn': {
      const hash = hashOf(operation.secret)
      if (state.removed) return refuse('unauthenticated')
      if (state.secretHash === hash) return answered({}, 'a token')
      const { pendingSecret, generation } = state
      if (pendingSecret?.hash !== hash || pendingSecret.voidAtMs <= nowMs) return refuse('unauthenticated')
      return answered({ secretHash: hash, pendingSecret: null, generation: generation + 1, link: null }, 'a token')
    }
    case 'retire':
      return isRetired(state, nowMs) ? answered(removedState, undefined) : { state, outcome: {} }
  }
}

const removedState = { removed: true, listing: null, unlinkedAtMs: {}, link: null }

export function isRetired({ removed, listing, unlistedSinceMs }: AgentState, nowMs: number): boolean {
  const sinceMs = listing === null ? unlistedSinceMs : listing.presence.lastSeenAtMs
  return !removed && sinceMs !== null && nowMs - sinceMs >= retentionMs
}

function unlistedSince({ unlistedSinceMs }: AgentState, listing: ModelListing | null, today: number): number | null {
  return listing === null ? (unlistedSinceMs ?? today) : null
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

/** A fictional handle that encodes its agent and variant; `handlesIn` finds it in any text. */
export function handleFor(channel: ChannelName, agent: number, variant: number): string {
  const digits = `${agent % 10}${variant % 10}`
  switch (channel) {
    case 'whatsapp':
      return `+4477009000${digits}`
    case 'telegram':
      return `person_${digits}_v`
    case 'discord':
      return `1000000000000000${digits}`
    case 'slack':
      return `U0000000${digits}`
  }
}

export function handlesIn(text: string): string[] {
  return text.match(/\+4477009000\d\d|person_\d\d_v|1000000000000000\d\d|U0000000\d\d/g) ?? []
}
