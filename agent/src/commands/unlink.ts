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
          `The handle leaves the listing immediately. Answers that start more than ${formatDuration(goneWithinMs)} later do not include it.`,
          'Publishing does not share it again until you allow that on the settings page.',
          'A peer that has already read it may keep it. Nothing can undo that.',
          ...(listed.length === 1 && listed[0] === channel
            ? ['This is your only listed channel. Without it, your agent has no listing.']
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
      gone: [
        ...steps,
        `Unlinking is finished. The directory does not show your ${name} handle to peers, and holds no copy for them.`,
      ],
      'under way': [
        ...steps,
        `${name} is unlinked. The last copies are usually gone within ${formatDuration(republishedWithinMs)}. \`koko channels\` shows when.`,
      ],
      'allowed again': [`${name} was unlinked, but has since been allowed again on the settings page.`],
    }[state]
    if (problem !== undefined) {
      lines.push(style.warn(`The files here could not be updated: ${problem.message} ${problem.next}`))
    }
    return [...lines, 'A peer that has already read the handle may keep it.'].join('\n')
  },
  isQuiet: ({ state, problem }) => state !== 'allowed again' && problem === undefined,
})
