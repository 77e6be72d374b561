import * as z from 'zod'
import { isPendingState, pendingText, type PendingState } from '../directory/outbox.ts'
import { channelNames, clockTime, handleWords } from '../labels.ts'
import type { ChannelsStatus, ChannelStatus } from '../operations/channels.ts'
import { columns, type Style } from '../output.ts'
import { defineCommand } from './define-command.ts'

export const command = defineCommand({
  summary: 'Show each channel: the handle saved here, what peers see, and whether it is unlinked',
  examples: ['channels'],
  options: z.strictObject({}),
  run: async (context) => (await import('../operations/channels.ts')).channels(context),
  show: (value, style) =>
    [showSource(value, style), ...value.channels.map((each) => showChannel(each, value.source, style))].join('\n\n'),
})

function showSource({ source, asOfMs, problem }: ChannelsStatus, style: Style): string {
  if (source === 'directory') return 'What peers see now, according to the directory:'
  if (problem === null) return 'There is no agent here yet, so peers see nothing. To register one, run `koko init`.'
  const what =
    source === 'home' ? `What was listed, as of ${clockTime(asOfMs ?? 0)}` : 'What peers see is not known here'
  return style.warn(`${what}: ${problem.message} ${problem.next}`)
}

function showChannel(status: ChannelStatus, source: ChannelsStatus['source'], style: Style): string {
  const { channel, handle, agreedAtMs, listed, state, unlink } = status
  const kept =
    handle === null
      ? 'nothing'
      : `${handleWords(channel, handle)}, ${agreedAtMs === null ? 'not agreed to yet' : `agreed to at ${clockTime(agreedAtMs)}`}`
  const rows: [string, string][] = [
    ['saved here', kept],
    [source === 'directory' ? 'peers see' : 'listed then', listed ?? (state === 'unknown' ? 'not known' : 'nothing')],
  ]
  if (unlink !== null) {
    rows.push(['unlinked', `at ${clockTime(unlink.unlinkedAtMs)}`])
    if (source === 'directory') {
      const gone = typeof unlink.goneAtMs === 'number' ? `since ${clockTime(unlink.goneAtMs)}` : 'not yet: under way'
      rows.push(['gone from every shard', gone])
    }
    rows.push(['to allow it again', 'open the settings page with `koko settings`'])
  }
  const words =
    source === 'home' && state === 'shown' ? style.warn('published, as far as koko knows') : wordsOf(state, style)
  const title = `${style.bold(channelNames[channel])}  ${words}`
  return [title, columns(rows), `  ${style.dim(status.reveals)}`].join('\n')
}

function wordsOf(state: ChannelStatus['state'], style: Style): string {
  return isPendingState(state) ? style.bad(pendingText(state)) : stateWords[state](style)
}

const stateWords: Record<Exclude<ChannelStatus['state'], PendingState>, (style: Style) => string> = {
  shown: ({ good }) => good('peers see it'),
  offline: ({ warn }) => warn('published, but offline'),
  unlinked: ({ warn }) => warn('unlinked'),
  'not published': () => 'not published',
  unknown: ({ warn }) => warn('not known'),
}
