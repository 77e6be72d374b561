import { Channel, formatDuration, republishedWithinMs } from '@koko/contract'
import * as z from 'zod'
import type { Context } from '../context.ts'
import { UserError } from '../errors.ts'
import { channelNames, clockTime, channelNamed, emulatorWarning, handleWords, inWords, reveals } from '../labels.ts'
import { PublishOptions } from '../operations/options.ts'
import type { Change, PublishConsent, Publication, PublishPreview, Withheld } from '../operations/publish.ts'
import { columns, type Style } from '../output.ts'
import { defineCommand, flag, option, yes } from './define-command.ts'

export const command = defineCommand({
  summary: 'Publish the profile and the handles',
  examples: ['publish --dry-run', 'publish', 'publish --only telegram', 'publish --only telegram,discord --dry-run'],
  options: z.strictObject({
    dryRun: flag(PublishOptions.shape.dryRun.description ?? ''),
    only: option(
      'channel',
      'Publish only this channel; separate several with commas, or repeat the option',
      z.string().optional(),
      Channel.options,
      true,
    ),
    yes,
  }),
  async run(context, { dryRun, only: typed, yes }) {
    const { previewPublish, publish } = await import('../operations/publish.ts')
    const only = typed?.split(',').map(channelNamed)
    if (dryRun) return previewPublish(context, only)
    const publication = await publish(context, consentOf(context, yes), only)
    if (publication.state === 'published') return publication
    const { state, channels } = publication
    if (state === 'would remove channels') {
      throw new UserError(
        `Nothing was published: it would have removed ${inWords(channels)} from your listing.`,
        'Agree to the new handle with `koko publish`, save one with `koko link`, or stop sharing the channel with `koko unlink`.',
      )
    }
    if (channels.length > 0) {
      throw new UserError(
        'Nothing was published: you have not agreed to any handle.',
        'Run `koko publish` again when you are ready.',
      )
    }
    throw new UserError(
      'Nothing was published: you unlinked every channel that has a handle here.',
      'To allow one again, open the settings page with `koko settings`.',
    )
  },
  show: (value, style) => ('bytes' in value ? showPreview(value, style) : showPublished(value, style)),
  isQuiet: (value) => !('bytes' in value) && value.withheld.length === 0,
})

function consentOf({ ask }: Context, yes: boolean): PublishConsent {
  return {
    async agree(newHandles, { input, withheld }) {
      if (yes) return true
      const unlinked = withheld.flatMap(({ channel, because }) => (because === 'unlinked' ? [channel] : []))
      const isAgreed = (channel: Channel) => !newHandles.includes(channel) && !unlinked.includes(channel)
      // The others are published all the same, and the result says what was left out.
      if (ask === undefined && Channel.options.some((each) => input?.channels[each] !== undefined && isAgreed(each))) {
        return false
      }
      if (ask === undefined) {
        throw new UserError(
          `You have not agreed to publish ${inWords(newHandles)} yet.`,
          'Check what would be sent with `koko publish --dry-run`, then add --yes.',
          { code: 'confirmation-required' },
        )
      }
      ask.say(
        [
          'Every agent in the room that discovers yours will see:',
          columns(
            newHandles.map((channel) => [channelNames[channel], handleWords(channel, input?.channels[channel] ?? '')]),
          ),
          '',
          ...newHandles.map((channel) => `${channelNames[channel]}: ${reveals[channel]}`),
          'You can stop sharing a handle with `koko unlink`. A peer that has already read it may keep it.',
        ].join('\n'),
      )
      return ask.confirm({ message: `Publish ${inWords(newHandles)}?`, initial: false })
    },
    async mayRemove(channels) {
      const message = `This removes ${inWords(channels)} from your listing: you have not agreed to a handle for it. Continue?`
      return yes || ((await ask?.confirm({ message, initial: false })) ?? false)
    },
  }
}

function showPreview(preview: PublishPreview, style: Style): string {
  const { bytes, asOfMs, numberFrom, newHandles, removes, isEmulated } = preview
  const lines = [
    bytes === null
      ? style.warn('Nothing would be sent: you unlinked every channel that has a handle here.')
      : `Nothing was sent. A publish would send these bytes:\n\n${bytes}\n`,
    asOfMs === null
      ? 'koko does not know your current listing. `koko publish` asks the directory for it first.'
      : `Compared with your listing at ${clockTime(asOfMs)}:\n${showChanges(preview.changes)}`,
    ...showWithheld(preview.withheld),
  ]
  if (newHandles.length > 0) lines.push(style.warn(`A publish asks you to agree first: ${inWords(newHandles)}.`))
  if (numberFrom !== null) lines.push(`Country of the WhatsApp number: ${numberFrom}.`)
  if (removes.length > 0) lines.push(style.warn(`This would be removed from your listing: ${inWords(removes)}.`))
  if (isEmulated) lines.push(style.warn(emulatorWarning()))
  return lines.join('\n')
}

function showPublished(
  { listing, changes, withheld, isEmulated }: Extract<Publication, { state: 'published' }>,
  style: Style,
): string {
  const shown = Channel.options.filter((channel) => listing?.channels[channel] !== undefined)
  const isReplaced = withheld.some(({ because }) => because === 'not chosen')
  return [
    listing === null
      ? style.warn('Sent, but nothing is listed: every channel is withheld.')
      : `${style.good('✓')} Published${isReplaced ? ', in place of the former listing' : ''}. Peers see ${inWords(shown)}, usually within ${formatDuration(republishedWithinMs)}.`,
    showChanges(changes),
    ...showWithheld(withheld),
    ...(isEmulated ? [style.warn(emulatorWarning())] : []),
  ].join('\n')
}

function showChanges(changes: readonly Change[]): string {
  if (changes.length === 0) return '  nothing changed'
  return columns(
    changes.map(({ at, kind, ...values }) => {
      const [before, after] = [values.before, values.after].map((value) =>
        typeof value === 'string' ? value : JSON.stringify(value),
      )
      return [at, { added: `added: ${after}`, removed: `removed: ${before}`, changed: `${before} → ${after}` }[kind]]
    }),
  )
}

function showWithheld(withheld: readonly Withheld[]): string[] {
  const lines = withheld.map((each) => {
    const name = channelNames[each.channel]
    switch (each.because) {
      case 'unlinked':
        return `${name} is withheld: you unlinked it at ${clockTime(each.unlinkedAtMs)}.`
      case 'unlink pending':
        return `${name} is left out: you unlinked it. The directory has not acknowledged the unlink yet, so koko sends it again.`
      case 'not agreed':
        return `${name} is left out: you have not agreed to its handle. To agree, run \`koko publish\` in a terminal, or add --yes.`
      case 'not chosen':
        return `${name} is left out because of --only. \`koko publish\` asks you to agree before it publishes ${name} again.`
    }
  })
  const isUnlinked = withheld.some(({ because }) => because === 'unlinked')
  return isUnlinked ? [...lines, 'To allow it again, open the settings page with `koko settings`.'] : lines
}
