import * as z from 'zod'
import { channelNamed, channelNames, emulatorWarning } from '../labels.ts'
import type { Linked } from '../operations/link.ts'
import type { Style } from '../output.ts'
import { argument, defineCommand, yes } from './define-command.ts'

export const command = defineCommand({
  summary: 'Keep a handle here for the next publish',
  notes: 'Nothing is sent: `koko publish` does that.',
  options: z.strictObject({
    channel: argument('whatsapp, telegram, discord or slack', z.string()),
    handle: argument('Your handle on that channel', z.string()),
    yes,
  }),
  async run(context, { channel, handle, yes }) {
    const { link } = await import('../operations/link.ts')
    return link(context, { channel: channelNamed(channel), typed: handle, yes })
  },
  show,
})

function show(
  { channel, handle, isChanged, isAgreed, isUnlinked, isEmulated, ...linked }: Linked,
  style: Style,
): string {
  const name = channelNames[channel]
  return [
    `${style.good('✓')} ${name} ${handle} is kept here${isChanged ? '' : ', as before'}. Nothing was sent.`,
    style.dim(linked.givesAway),
    ...(isEmulated ? [style.warn(emulatorWarning())] : []),
    ...(isUnlinked
      ? [`You unlinked ${name}: only the settings page allows it again, \`koko settings\`. Until then it is withheld.`]
      : []),
    isAgreed ? 'You have agreed before to publish it.' : 'Next: `koko publish` shows it to peers, after your yes.',
  ].join('\n')
}
