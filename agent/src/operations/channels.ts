import { Channel, isOnline } from '@koko/contract'
import type { Context } from '../context.ts'
import { readPending, type PendingState } from '../directory/outbox.ts'
import { directoryOf } from '../directory/session.ts'
import { userErrorOf } from '../errors.ts'
import { agentFile, daemonFile, handlesFile, publishedFile } from '../home/files.ts'
import { readIfWhole } from '../home/read-if-whole.ts'
import { reveals } from '../labels.ts'
import type { Problem } from '../problem.ts'
import { onlineUntil, readStored } from './listing.ts'

export interface ChannelStatus {
  channel: Channel
  /** Kept here for the next publish. */
  handle: string | null
  /** When the operator agreed to publish that very handle. */
  agreedAtMs: number | null
  listed: string | null
  /** Since `asOfMs`: what peers see may have changed. */
  state: 'shown' | 'offline' | 'not published' | 'unlinked' | 'unknown' | PendingState
  /** `goneAtMs`: since when no shard holds it; null until then, absent if only the home was asked. */
  unlink: { unlinkedAtMs: number; goneAtMs?: number | null } | null
  reveals: string
}

export interface ChannelsStatus {
  /** Where the answer comes from: the directory now, or the last publish from here. */
  source: 'directory' | 'home' | 'nobody'
  asOfMs: number | null
  /** Why the directory did not answer. */
  problem: Problem | null
  channels: ChannelStatus[]
}

/** What is kept here of each channel, and what peers see of it; from the home if the directory does not answer. */
export async function channels(context: Context): Promise<ChannelsStatus> {
  const handles = (await context.home.read(handlesFile)) ?? {}
  const { listing, isOnline, unlinks, ...origin } = await askWhatIsSeen(context)
  const { agentId } = (await context.home.read(agentFile)) ?? {}
  // After the question: signing in has sent what waited.
  const pending = agentId === undefined ? new Map<Channel, PendingState>() : await readPending(context, agentId)
  return {
    ...origin,
    channels: Channel.options.map((channel) => {
      const { handle = null, agreedAtMs = null } = handles[channel] ?? {}
      const listed = listing?.channels[channel] ?? null
      const unlink = unlinks[channel] ?? null
      const published = listed === null ? 'not published' : isOnline ? 'shown' : 'offline'
      const known = unlink !== null ? 'unlinked' : listing === undefined ? 'unknown' : published
      const state = pending.get(channel) ?? known
      return { channel, handle, agreedAtMs, listed, state, unlink, reveals: reveals[channel] }
    }),
  }
}

interface Seen extends Omit<ChannelsStatus, 'channels'> {
  /** Undefined if it is unknown. */
  listing: { channels: Partial<Record<Channel, string | undefined>> } | null | undefined
  isOnline: boolean
  unlinks: Partial<Record<Channel, ChannelStatus['unlink'] | undefined>>
}

async function askWhatIsSeen(context: Context): Promise<Seen> {
  const agent = await context.home.read(agentFile)
  const nothing = { isOnline: false, unlinks: {}, asOfMs: null, problem: null }
  if (agent === undefined) return { ...nothing, source: 'nobody', listing: null }
  try {
    context.report({ text: 'Reading your listing' })
    const { listing, unlinks } = await readStored(directoryOf(context, agent))
    const asOfMs = context.nowMs()
    const isSeen = listing !== null && listing !== undefined && isOnline(listing, asOfMs)
    return { source: 'directory', asOfMs, problem: null, listing, isOnline: isSeen, unlinks }
  } catch (error) {
    context.signal.throwIfAborted()
    const problem = userErrorOf(error)?.problem
    if (problem === undefined) throw error
    const published = await readIfWhole(context.home, publishedFile)
    if (published === undefined) return { ...nothing, source: 'nobody', listing: undefined, problem }
    const { publishedAtMs, listing, withheld } = published
    const unlinks = Object.fromEntries(withheld.map(({ channel, unlinkedAtMs }) => [channel, { unlinkedAtMs }]))
    const daemon = await readIfWhole(context.home, daemonFile)
    const onlineUntilMs = onlineUntil(agent.room, published, daemon?.agentId === agent.agentId ? daemon : undefined)
    const isSeen = onlineUntilMs !== null && onlineUntilMs >= context.nowMs()
    return { source: 'home', asOfMs: publishedAtMs, problem, listing, isOnline: isSeen, unlinks }
  }
}
