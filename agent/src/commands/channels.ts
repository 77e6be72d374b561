import { Channel, isOnline, type Unlinks } from '@koko/contract'
import * as z from 'zod'
import { userErrorOf } from '../errors.ts'
import { channelNames, clockTime, givesAway } from '../labels.ts'
import { defineCommand } from './define-command.ts'
import type { Context } from '../context.ts'
import { directoryOf } from '../directory/session.ts'
import { agentFile, handlesFile } from '../home/files.ts'
import { readablePublished } from '../operations/change-listing.ts'
import { columns, type Style } from '../output.ts'
import type { Problem } from '../problem.ts'
import { readStored } from '../operations/stored-documents.ts'

export interface ChannelStanding {
  channel: Channel
  /** Kept here for the next publish; null for none. */
  handle: string | null
  /** When the operator agreed to publish that very handle; null until then. */
  agreedAtMs: number | null
  /** Listed; null for none. */
  listed: string | null
  state: 'shown' | 'offline' | 'not published' | 'taken back' | 'unknown'
  /** Since when it is taken back, and since when no shard holds it: null until then, absent where only home was asked. */
  unlink: { unlinkedAtMs: number; goneAtMs?: number | null } | null
  givesAway: string
}

export interface ChannelsStanding {
  /** Who told what is listed: the directory now, or what the last publish from here left. */
  source: 'directory' | 'home' | 'nobody'
  /** When that was; null where nobody told. */
  asOfMs: number | null
  /** Why the directory did not tell. */
  problem: Problem | null
  channels: ChannelStanding[]
}

export const command = defineCommand({ options: z.strictObject({}), run: channels, show })

/** What is kept here of each channel, and what peers see of it; from home where the directory cannot tell. */
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
            ? 'taken back'
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
  /** Null where nothing is listed, or never was; undefined where nobody knows. */
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
    const published = await readablePublished(context.home)
    if (published === undefined) return { ...nothing, source: 'nobody', listing: undefined, problem }
    const { publishedAtMs, listing, withheld } = published
    const unlinks = Object.fromEntries(withheld.map(({ channel, unlinkedAtMs }) => [channel, { unlinkedAtMs }]))
    return { source: 'home', asOfMs: publishedAtMs, problem, listing, isOnline: true, unlinks }
  }
}

function show({ source, asOfMs, problem, channels }: ChannelsStanding, style: Style): string {
  const asOf =
    source === 'directory'
      ? 'What peers see, as the directory tells it now:'
      : source === 'home'
        ? style.warn(
            `What peers see, as of ${clockTime(asOfMs ?? 0)}: ${problem?.message ?? ''} ${problem?.next ?? ''}`,
          )
        : problem === null
          ? 'No agent is registered from here yet, so peers see nothing: `koko init`.'
          : style.warn(`What peers see is not known here: ${problem.message} ${problem.next}`)
  return [asOf, ...channels.map((standing) => showChannel(standing, source, style))].join('\n\n')
}

function showChannel(standing: ChannelStanding, source: ChannelsStanding['source'], style: Style): string {
  const { channel, handle, agreedAtMs, listed, state, unlink } = standing
  const kept =
    handle === null
      ? 'nothing'
      : `${handle}, ${agreedAtMs === null ? 'not agreed to yet' : `agreed to at ${clockTime(agreedAtMs)}`}`
  const rows: [string, string][] = [
    ['kept here', kept],
    ['peers see', listed ?? (state === 'unknown' ? 'not known' : 'nothing')],
  ]
  if (unlink !== null) {
    rows.push(['taken back', `at ${clockTime(unlink.unlinkedAtMs)}`])
    if (source === 'directory') {
      const gone = typeof unlink.goneAtMs === 'number' ? `since ${clockTime(unlink.goneAtMs)}` : 'not yet: under way'
      rows.push(['gone from every shard', gone])
    }
    rows.push(['allowed again', 'by you alone, on the settings page: `koko settings`'])
  }
  return [
    `${style.bold(channelNames[channel])}  ${inColour(state, style)}`,
    columns(rows),
    `  ${style.dim(standing.givesAway)}`,
  ].join('\n')
}

function inColour(state: ChannelStanding['state'], style: Style): string {
  switch (state) {
    case 'shown':
      return style.good('peers see it')
    case 'offline':
      return style.warn('published, but offline')
    case 'taken back':
      return style.warn('taken back')
    case 'not published':
      return 'not published'
    case 'unknown':
      return style.warn('not known')
  }
}
