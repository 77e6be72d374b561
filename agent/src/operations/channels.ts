import { Channel, isOnline, type Unlinks } from '@koko/contract'
import type { Context } from '../context.ts'
import { directoryOf } from '../directory/session.ts'
import { userErrorOf } from '../errors.ts'
import { agentFile, handlesFile, publishedFile } from '../home/files.ts'
import { readIfWhole } from '../home/read-if-whole.ts'
import { givesAway } from '../labels.ts'
import type { Problem } from '../problem.ts'
import { readStored } from './listing.ts'

export interface ChannelStanding {
  channel: Channel
  /** Kept here for the next publish; null for none. */
  handle: string | null
  /** When the operator agreed to publish that very handle; null until then. */
  agreedAtMs: number | null
  /** Listed; null for none. */
  listed: string | null
  state: 'shown' | 'offline' | 'not published' | 'unlinked' | 'unknown'
  /** When it was unlinked, and since when no shard holds it: null until then, absent where only the home was asked. */
  unlink: { unlinkedAtMs: number; goneAtMs?: number | null } | null
  givesAway: string
}

export interface ChannelsStanding {
  /** Where the answer comes from: the directory now, or the last publish from here. */
  source: 'directory' | 'home' | 'nobody'
  /** The time of that answer; null without one. */
  asOfMs: number | null
  /** Why the directory did not answer. */
  problem: Problem | null
  channels: ChannelStanding[]
}

/** What is kept here of each channel, and what peers see of it; from the home where the directory does not answer. */
export async function channels(context: Context): Promise<ChannelsStanding> {
  const handles = (await context.home.read(handlesFile)) ?? {}
  const seen = await seenBy(context)
  return {
    source: seen.source,
    asOfMs: seen.asOfMs,
    problem: seen.problem,
    channels: Channel.options.map((channel) => {
      const kept = handles[channel]
      const listed = seen.listing?.channels[channel] ?? null
      const unlink = seen.unlinks[channel] ?? null
      return {
        channel,
        handle: kept?.handle ?? null,
        agreedAtMs: kept?.agreedAtMs ?? null,
        listed,
        state:
          unlink !== null
            ? 'unlinked'
            : seen.listing === undefined
              ? 'unknown'
              : listed === null
                ? 'not published'
                : seen.isOnline
                  ? 'shown'
                  : 'offline',
        unlink,
        givesAway: givesAway[channel],
      }
    }),
  }
}

interface Seen extends Omit<ChannelsStanding, 'channels'> {
  /** Null where nothing is listed, or never was; undefined where that is unknown. */
  listing: { channels: Partial<Record<Channel, string | undefined>> } | null | undefined
  isOnline: boolean
  unlinks: Partial<Record<Channel, { unlinkedAtMs: number; goneAtMs?: number | null } | undefined>>
}

async function seenBy(context: Context): Promise<Seen> {
  const agent = await context.home.read(agentFile)
  const nothing = { isOnline: false, unlinks: {} as Unlinks, asOfMs: null, problem: null }
  if (agent === undefined) return { ...nothing, source: 'nobody', listing: null }
  try {
    context.report({ text: 'Asking what is listed' })
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
    return { source: 'home', asOfMs: publishedAtMs, problem, listing, isOnline: true, unlinks }
  }
}
