import * as z from 'zod'
import { channelNamed, channelNames, emulatorWarning } from '../labels.ts'
import { argument, channelArgument, defineCommand, yes } from './define-command.ts'

export const command = defineCommand({
  summary: 'Keep a handle here for the next publish',
  notes: 'Nothing is sent: `koko publish` does that.',
  examples: ['link telegram', 'link telegram my_agent', 'link whatsapp < number.txt'],
  options: z.strictObject({
    channel: channelArgument(),
    handle: argument('Your handle on that channel', z.string()),
    yes,
  }),
  async run(context, { channel, handle, yes }) {
    const { link } = await import('../operations/link.ts')
    return link(context, { channel: channelNamed(channel), typed: handle, yes })
  },
  show({ channel, handle, isChanged, isAgreed, isUnlinked, isEmulated, givesAway }, style) {
    const name = channelNames[channel]
    const lines = [
      `${style.good('✓')} ${name} ${handle} is kept here${isChanged ? '' : ', as before'}. Nothing was sent.`,
      style.dim(givesAway),
    ]
    if (isEmulated) lines.push(style.warn(emulatorWarning()))
    if (isUnlinked)
      lines.push(
        `You unlinked ${name}: only the settings page allows it again, \`koko settings\`. Until then it is withheld.`,
      )
    lines.push(
      isAgreed ? 'You already agreed to publish it.' : 'Next: `koko publish` shows it to peers, after your yes.',
    )
    return lines.join('\n')
  },
  isQuiet: ({ isUnlinked }) => !isUnlinked,
})
