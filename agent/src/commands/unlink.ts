import { formatDuration, goneWithinMs, republishedWithinMs } from '@koko/contract'
import * as z from 'zod'
import { publishedFile } from '../home/files.ts'
import { readIfWhole } from '../home/read-if-whole.ts'
import { channelNamed, channelNames, clockTime } from '../labels.ts'
import { confirm } from '../operations/confirm.ts'
import { channelArgument, defineCommand, flag, yes } from './define-command.ts'

export const command = defineCommand({
  summary: 'Stop sharing a channel, and wait until no peer can get its handle',
  examples: ['unlink whatsapp', 'unlink telegram --yes --no-wait'],
  options: z.strictObject({
    channel: channelArgument(),
    wait: flag('Do not wait until the handle is gone from every shard', true),
    yes,
  }),
  async run(context, { channel: typed, wait, yes }) {
    const channel = channelNamed(typed)
    const published = await readIfWhole(context.home, publishedFile)
    const listed = Object.keys(published?.listing?.channels ?? {})
    if (!yes) {
      context.ask?.say(
        [
          `The handle leaves the listing immediately, and no answer that starts more than ${formatDuration(goneWithinMs)} later holds it.`,
          'Publishing never brings it back: only the settings page allows it again.',
          'A peer that has already read it may keep it. Nothing can undo that.',
          ...(listed.length === 1 && listed[0] === channel
            ? ['It is the only listed channel: without it the agent is not listed at all.']
            : []),
        ].join('\n'),
      )
    }
    await confirm(context, { yes, message: `Stop sharing your ${channelNames[channel]} handle?` })
    const { unlink } = await import('../operations/unlink.ts')
    return unlink(context, { channel, wait })
  },
  show({ channel, state, unlinkedAtMs, goneByMs, goneAtMs, problem }, style) {
    const name = channelNames[channel]
    const [done, open] = [style.good('✓'), style.dim('…')]
    const steps = [
      `${done} Out of the listing at ${clockTime(unlinkedAtMs)}`,
      state === 'gone' ? `${done} Out of every answer` : `${open} Out of every answer by ${clockTime(goneByMs)}`,
      goneAtMs === null
        ? `${open} Gone from every discovery shard`
        : `${done} Gone from every discovery shard at ${clockTime(goneAtMs)}`,
    ]
    const lines = {
      gone: [...steps, `${name} is gone: the directory shows it to nobody and holds no copy for peers.`],
      'under way': [
        ...steps,
        `${name} is unlinked. The last copies usually leave within ${formatDuration(republishedWithinMs)}: \`koko channels\` shows when.`,
      ],
      'allowed again': [`${name} was unlinked, and meanwhile allowed again on the settings page.`],
    }[state]
    if (problem !== undefined) {
      lines.push(style.warn(`This home could not be updated: ${problem.message} ${problem.next}`))
    }
    return [...lines, 'A peer that has already read the handle may keep it.'].join('\n')
  },
  isQuiet: ({ state, problem }) => state !== 'allowed again' && problem === undefined,
})
