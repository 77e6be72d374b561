import * as z from 'zod'
import { UserError } from '../errors.ts'
import { channelNamed, channelNames, emulatorWarning, handleWords } from '../labels.ts'
import type { Forgotten, Linked } from '../operations/link.ts'
import type { Style } from '../output.ts'
import { argument, channelArgument, defineCommand, flag, yes } from './define-command.ts'

export const command = defineCommand({
  summary: 'Save a handle here for the next publish',
  notes: [
    'Nothing is sent: `koko publish` does that. If you give no handle, koko asks for it, or reads it from standard input.',
    'What you type on a command line stays in the history of your shell.',
  ].join('\n'),
  examples: ['link telegram', 'link telegram my_agent', 'link whatsapp --yes < number.txt', 'link whatsapp --forget'],
  options: z.strictObject({
    channel: channelArgument(),
    handle: argument('Your handle on that channel', z.string().optional()),
    forget: flag('Remove the saved handle; a published one stays published'),
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
    `${style.good('✓')} ${name} ${handleWords(channel, handle)} ${isChanged ? 'is' : 'was already'} saved here. Nothing was sent.`,
    style.dim(reveals),
  ]
  if (isEmulated) lines.push(style.warn(emulatorWarning()))
  if (isUnlinkCancelled) {
    lines.push(
      `The unlink of ${name} is cancelled. If the directory had already received it, allow ${name} again on the settings page: run \`koko settings\`.`,
    )
  }
  if (isUnlinked)
    lines.push(
      `You unlinked ${name}, so it is withheld. To allow it again, open the settings page with \`koko settings\`.`,
    )
  lines.push(
    isAgreed
      ? 'You already agreed to publish it.'
      : 'Next: run `koko publish` to show it to peers. It asks you to agree first.',
  )
  return lines.join('\n')
}

function showForgotten({ channel, isForgotten, listed, hasOthers }: Forgotten, style: Style): string {
  const name = channelNames[channel]
  const what = isForgotten
    ? `${style.good('✓')} The ${name} handle is no longer saved here. Nothing was sent.`
    : `No ${name} handle was saved here. Nothing was sent.`
  if (listed === null) return what
  const how = hasOthers
    ? `\`koko publish\` replaces the listing with one that does not include it. \`koko unlink ${channel}\` also keeps it out of later listings.`
    : `To stop sharing it, run \`koko unlink ${channel}\`.`
  return [what, style.warn(`${name} is still published, so peers can see it. ${how}`)].join('\n')
}
