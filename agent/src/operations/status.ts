import { AgentId, Channel, discoverBudget, Milliseconds, RoomName, rooms, utcDay, type Profile } from '@koko/contract'
import * as z from 'zod'
import type { Context } from '../context.ts'
import { pendingUnlinks, type PendingState } from '../directory/outbox.ts'
import { UserError } from '../errors.ts'
import {
  Agent,
  agentFile,
  Daemon,
  daemonFile,
  handlesFile,
  outboxFile,
  peersFile,
  profileFile,
  publishedFile,
  type Handles,
  type Peers,
  type Published,
} from '../home/files.ts'
import type { HomeFile } from '../home/home.ts'
import { budgetOn, noPeers } from '../matching/peers.ts'
import { handleTexts } from './agreements.ts'
import { onlineUntil } from './listing.ts'
import { knownHere, planPublish } from './publish.ts'

const Used = z.strictObject({ used: z.int(), of: z.int() })

const ChannelState = z.enum([
  'published',
  'unlinked',
  'still visible',
  'unlink not sent',
  'unlink refused',
  'waits for your yes',
  'not published',
])
export type ChannelState = z.infer<typeof ChannelState>

/** The state of an agent, from what is kept at home alone. Holds neither a handle nor the secret. */
export const AgentStatus = z.strictObject({
  agent: z.strictObject({ agentId: AgentId, room: RoomName, registeredAtMs: Milliseconds }),
  directory: Agent.pick({ origin: true, isEmulated: true }),
  isListed: z.boolean().nullable().describe('As the last publish from here left it; null where that is not known here'),
  channels: z
    .array(z.strictObject({ channel: Channel, state: ChannelState }))
    .describe('Those with a handle, here or listed'),
  onlineUntilMs: Milliseconds.nullable().describe('As far as is known here; null where nothing is listed'),
  isOnline: z.boolean(),
  hasProfile: z.boolean(),
  unpublished: z.array(z.string()).describe('What a publish would change, such as profile.age; no values'),
  daemon: z.strictObject({ pid: z.int().nullable(), failures: Daemon.shape.failures }),
  discoveredAtMs: Milliseconds.nullable().describe('When the daemon looked last'),
  peers: z.int().describe('Matches that are known'),
  budget: z.strictObject({ discover: Used, batchGet: Used }),
  problems: z.array(z.string()).describe('Files that cannot be read'),
})
export type AgentStatus = z.infer<typeof AgentStatus>

export const Status = z.union([AgentStatus, z.strictObject({ agent: z.null(), problems: AgentStatus.shape.problems })])
export type Status = z.infer<typeof Status>

/** Sends nothing, and writes nothing. */
export async function status({ home, nowMs }: Context): Promise<Status> {
  const problems: string[] = []

  async function read<T extends object>(file: HomeFile<T>): Promise<T | undefined> {
    try {
      return await home.read(file)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      problems.push(`${error.message} ${error.hint}`)
      return undefined
    }
  }

  const agent = await read(agentFile)
  if (agent === undefined) return { agent: null, problems }
  const { agentId, room, registeredAtMs, origin, isEmulated } = agent
  const [kept, handles, published, outbox, peers, daemon, pid] = await Promise.all([
    read(profileFile),
    read(handlesFile),
    read(publishedFile),
    read(outboxFile),
    read(peersFile),
    read(daemonFile),
    home.lockedBy('daemon').catch(() => undefined),
  ])
  const profile = kept?.room === room ? kept : undefined
  const own = daemon?.agentId === agentId ? daemon : undefined
  const pending = pendingUnlinks(outbox, published, agentId)
  const onlineUntilMs = onlineUntil(room, published, own)
  return {
    agent: { agentId, room, registeredAtMs },
    directory: { origin, isEmulated },
    isListed: published === undefined ? null : published.listing !== null,
    channels: channelStates(handles ?? {}, published, pending),
    onlineUntilMs,
    isOnline: onlineUntilMs !== null && onlineUntilMs >= nowMs(),
    hasProfile: profile !== undefined,
    unpublished: profile === undefined ? [] : unpublished(profile.profile, handles ?? {}, published, pending),
    daemon: { pid: pid ?? null, failures: own?.failures ?? [] },
    discoveredAtMs: own?.discoveredAtMs ?? null,
    peers: peers?.peers.length ?? 0,
    budget: budgetToday(agent, peers ?? noPeers, nowMs()),
    problems,
  }
}

function channelStates(
  handles: Handles,
  published: Published | undefined,
  pending: ReadonlyMap<Channel, PendingState>,
): AgentStatus['channels'] {
  return Channel.options.flatMap((channel): AgentStatus['channels'] => {
    const state = pending.get(channel)
    if (state !== undefined) return [{ channel, state }]
    if (published?.listing?.channels[channel] !== undefined) return [{ channel, state: 'published' }]
    if (published?.withheld.some((unlinked) => unlinked.channel === channel) === true) {
      return [{ channel, state: 'unlinked' }]
    }
    const kept = handles[channel]
    if (kept === undefined) return []
    return [{ channel, state: kept.agreedAtMs === null ? 'waits for your yes' : 'not published' }]
  })
}

/** What would change with every handle agreed to. A pending unlink is no change to publish. */
function unpublished(
  profile: Profile,
  handles: Handles,
  published: Published | undefined,
  pending: ReadonlyMap<Channel, PendingState>,
): string[] {
  const known = knownHere(published, pending)
  const left = new Set(known.pending.map((channel) => `channels.${channel}`))
  const { changes } = planPublish({ profile, handles }, known, handleTexts(handles))
  return changes.flatMap(({ at }) => (left.has(at) ? [] : [at]))
}

function budgetToday({ room, registeredAtMs }: Agent, { budget }: Peers, nowMs: number): AgentStatus['budget'] {
  const { budgets } = rooms[room]
  const today = budgetOn(budget, utcDay(nowMs), false)
  const maxDiscovered = discoverBudget(budgets, registeredAtMs, nowMs)
  return {
    discover: { used: Math.min(today.discovered, maxDiscovered), of: maxDiscovered },
    batchGet: { used: Math.min(today.refreshed, budgets.batchGet), of: budgets.batchGet },
  }
}
