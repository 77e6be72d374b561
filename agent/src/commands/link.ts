import * as z from 'zod'
import { UserError } from '../errors.ts'
import { channelNamed, channelNames, emulatorWarning, handleWords } from '../labels.ts'
import type { Forgotten, Linked } from '../operations/link.ts'
import type { Style } from '../output.ts'
import { argument, channelArgument, defineCommand, flag, yes } from './define-command.ts'

export const command = defineCommand({
  summary: 'Keep a handle here for the next publish',
  notes: [
    'Nothing is sent: `koko publish` does that. Without a handle koko asks for it, or reads it from standard input: what you',
    'type on a command line stays in the history of your shell.',
  ].join('\n'),
  examples: ['link telegram', 'link telegram my_agent', 'link whatsapp --yes < number.txt', 'link whatsapp --forget'],
  options: z.strictObject({
    channel: channelArgument(),
    handle: argument('Your handle on that channel', z.string().optional()),
    forget: flag('Remove the handle from here; what is published stays'),
    yes,
  }),
  async run(context, { channel: typed, handle, forget, yes }) {
    const channel = channelNamed(typed)
    const { forgetHandle, link } = await import('../operations/link.ts')
    if (!forget) return link(context, { channel, typed: handle, yes })
    if (handle === undefined) return forgetHandle(context, channel)
    throw new UserError('--forget takes no handle.', `Run \`koko link ${channel} --forget\`.`, {
      code: 'invalid-argument',
    })
  },
  show: (value, style) => ('isForgotten' in value ? showForgotten(value, style) : showLinked(value, style)),
  isQuiet: (value) => ('isForgotten' in value ? value.listed === null : !value.isUnlinked && !value.isUnlinkCancelled),
})

function showLinked(
  { channel, handle, isChanged, isAgreed, isUnlinked, isUnlinkCancelled, isEmulated, reveals }: Linked,
  style: Style,
): string {
  const name = channelNames[channel]
  const lines = [
    `${style.good('✓')} ${name} ${handleWords(channel, handle)} is kept here${isChanged ? '' : ', as before'}. Nothing was sent.`,
    style.dim(reveals),
  ]
  if (isEmulated) lines.push(style.warn(emulatorWarning()))
  if (isUnlinkCancelled) {
    lines.push(
      `The unlink of ${name} is cancelled. If the directory had received it, only the settings page allows ${name} again: \`koko settings\`.`,
    )
  }
  if (isUnlinked)
    lines.push(
      `You unlinked ${name}: only the settings page allows it again, \`koko settings\`. Until then it is withheld.`,
    )
  lines.push(isAgreed ? 'You already agreed to publish it.' : 'Next: `koko publish` shows it to peers, after your yes.')
  return lines.join('\n')
}

function showForgotten({ channel, isForgotten, listed, hasOthers }: Forgotten, style: Style): string {
  const name = channelNames[channel]
  const what = isForgotten
    ? `${style.good('✓')} The ${name} handle is no longer kept here. Nothing was sent.`
    : `No ${name} handle was kept here. Nothing was sent.`
  if (listed === null) return what
  const how = hasOthers
    ? `\`koko publish\` replaces the listing by one without it; \`koko unlink ${channel}\` also keeps it out of later ones.`
    : `\`koko unlink ${channel}\` stops that.`
  return [what, style.warn(`${name} is still published: peers see it until you change that. ${how}`)].join('\n')
}
