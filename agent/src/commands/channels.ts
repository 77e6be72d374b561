import * as z from 'zod'
import { channelNames, clockTime, handleWords } from '../labels.ts'
import type { ChannelsStanding, ChannelStanding } from '../operations/channels.ts'
import { columns, type Style } from '../output.ts'
import { defineCommand } from './define-command.ts'

export const command = defineCommand({
  summary: 'Show for each channel what is kept here, what peers see, and whether it is unlinked',
  examples: ['channels'],
  options: z.strictObject({}),
  run: async (context) => (await import('../operations/channels.ts')).channels(context),
  show: (value, style) =>
    [showSource(value, style), ...value.channels.map((each) => showChannel(each, value.source, style))].join('\n\n'),
})

function showSource({ source, asOfMs, problem }: ChannelsStanding, style: Style): string {
  if (source === 'directory') return 'What peers see now, as the directory answers:'
  if (problem === null) return 'No agent is registered from here yet, so peers see nothing: `koko init`.'
  const what =
    source === 'home' ? `What peers see, as of ${clockTime(asOfMs ?? 0)}` : 'What peers see is not known here'
  return style.warn(`${what}: ${problem.message} ${problem.next}`)
}

function showChannel(standing: ChannelStanding, source: ChannelsStanding['source'], style: Style): string {
  const { channel, handle, agreedAtMs, listed, state, unlink } = standing
  const kept =
    handle === null
      ? 'nothing'
      : `${handleWords(channel, handle)}, ${agreedAtMs === null ? 'not agreed to yet' : `agreed to at ${clockTime(agreedAtMs)}`}`
  const rows: [string, string][] = [
    ['kept here', kept],
    ['peers see', listed ?? (state === 'unknown' ? 'not known' : 'nothing')],
  ]
  if (unlink !== null) {
    rows.push(['unlinked', `at ${clockTime(unlink.unlinkedAtMs)}`])
    if (source === 'directory') {
      const gone = typeof unlink.goneAtMs === 'number' ? `since ${clockTime(unlink.goneAtMs)}` : 'not yet: under way'
      rows.push(['gone from every shard', gone])
    }
    rows.push(['allowed again', 'by you alone, on the settings page: `koko settings`'])
  }
  const title = `${style.bold(channelNames[channel])}  ${stateWords[state](style)}`
  return [title, columns(rows), `  ${style.dim(standing.reveals)}`].join('\n')
}

const stateWords: Record<ChannelStanding['state'], (style: Style) => string> = {
  shown: ({ good }) => good('peers see it'),
  offline: ({ warn }) => warn('published, but offline'),
  unlinked: ({ warn }) => warn('unlinked'),
  'not published': () => 'not published',
  unknown: ({ warn }) => warn('not known'),
}
