import * as z from 'zod'
import { channelNames, clockTime } from '../labels.ts'
import type { ChannelsStanding, ChannelStanding } from '../operations/channels.ts'
import { columns, type Style } from '../output.ts'
import { defineCommand } from './define-command.ts'

export const command = defineCommand({
  summary: 'Show for each channel what is kept here, what peers see, and whether it is unlinked',
  options: z.strictObject({}),
  run: async (context) => (await import('../operations/channels.ts')).channels(context),
  show,
})

function show({ source, asOfMs, problem, channels }: ChannelsStanding, style: Style): string {
  const asOf =
    source === 'directory'
      ? 'What peers see now, as the directory answers:'
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
    rows.push(['unlinked', `at ${clockTime(unlink.unlinkedAtMs)}`])
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
    case 'unlinked':
      return style.warn('unlinked')
    case 'not published':
      return 'not published'
    case 'unknown':
      return style.warn('not known')
  }
}
