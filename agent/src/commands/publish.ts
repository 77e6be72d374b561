import { Channel } from '@koko/contract'
import * as z from 'zod'
import type { Context } from '../context.ts'
import { UserError } from '../errors.ts'
import { channelNames, clockTime, emulatorWarning, givesAway, inWords } from '../labels.ts'
import { PublishOptions } from '../operations/options.ts'
import type { Change, Publication, PublishConsent, PublishPreview, Withheld } from '../operations/publish.ts'
import { columns, type Style } from '../output.ts'
import { defineCommand, yes } from './define-command.ts'

export const command = defineCommand({
  summary: 'Publish the profile and the handles',
  options: z.strictObject({ dryRun: PublishOptions.shape.dryRun.default(false), yes }),
  async run(context, { dryRun, yes }) {
    const { previewPublish, publish } = await import('../operations/publish.ts')
    if (dryRun) return previewPublish(context)
    const publication = await publish(context, consentOf(context, yes))
    if (publication.state === 'published') return publication
    throw unpublished(publication)
  },
  show: (value, style) => ('bytes' in value ? showPreview(value, style) : showPublication(value, style)),
})

function consentOf({ ask }: Context, yes: boolean): Required<PublishConsent> {
  return {
    async agree(newHandles, { input }) {
      if (yes) return true
      if (ask === undefined) {
        throw new UserError(
          `You have not agreed yet to publish ${inWords(newHandles)}.`,
          'Look with `koko publish --dry-run`, then give --yes.',
        )
      }
      ask.say(
        [
          'Every agent of the room that discovers yours will see:',
          columns(newHandles.map((channel) => [channelNames[channel], input?.channels[channel] ?? ''])),
          '',
          ...newHandles.map((channel) => `${channelNames[channel]}: ${givesAway[channel]}`),
          'You can stop sharing each with `koko unlink`. A peer that has read it by then may keep it.',
        ].join('\n'),
      )
      return ask.confirm({ message: `Publish ${inWords(newHandles)}?`, initial: false })
    },
    async takeAway(channels) {
      if (yes) return true
      if (ask === undefined) return false
      return ask.confirm({
        message: `${inWords(channels)} would leave your listing: no handle that you agreed to is kept here. Go on?`,
        initial: false,
      })
    },
  }
}

function unpublished({ state, channels }: Exclude<Publication, { state: 'published' }>): UserError {
  return state === 'not agreed'
    ? new UserError(
        channels.length === 0
          ? 'Nothing was published: every channel that is kept here is unlinked.'
          : 'Nothing was published: no handle is left that you agreed to.',
        channels.length === 0
          ? 'Only the settings page allows one again: `koko settings`.'
          : 'Run `koko publish` again when you want it.',
      )
    : new UserError(
        `Nothing was published: ${inWords(channels)} would have left your listing.`,
        'Agree to the new handle with `koko publish`, give one with `koko link`, or unlink the channel with `koko unlink`.',
      )
}

function showPreview(preview: PublishPreview, style: Style): string {
  const { bytes, asOfMs, newHandles, takesAway, isEmulated } = preview
  const lines = [
    bytes === null
      ? style.warn('Nothing would be sent: every channel that is kept here is unlinked.')
      : `These bytes would be sent, and nothing was:\n\n${bytes}\n`,
    asOfMs === null
      ? 'What is listed now is not known here: `koko publish` asks first.'
      : `Compared with what was listed at ${clockTime(asOfMs)}:`,
    ...(asOfMs === null ? [] : [showChanges(preview.changes)]),
    ...showWithheld(preview.withheld),
  ]
  if (newHandles.length > 0) lines.push(style.warn(`Your yes is asked for first: ${inWords(newHandles)}.`))
  if (takesAway.length > 0) lines.push(style.warn(`This would leave your listing: ${inWords(takesAway)}.`))
  if (isEmulated) lines.push(style.warn(emulatorWarning()))
  return lines.join('\n')
}

function showPublication(publication: Publication, style: Style): string {
  if (publication.state !== 'published') return ''
  const { listing, changes, withheld, isEmulated } = publication
  const shown = Channel.options.filter((channel) => listing?.channels[channel] !== undefined)
  return [
    listing === null
      ? style.warn('Sent, and nothing is listed: every channel is withheld.')
      : `${style.good('✓')} Published. Peers see ${inWords(shown)}, within a minute or two.`,
    showChanges(changes),
    ...showWithheld(withheld),
    ...(isEmulated ? [style.warn(emulatorWarning())] : []),
  ].join('\n')
}

function showChanges(changes: readonly Change[]): string {
  if (changes.length === 0) return '  nothing changed'
  return columns(
    changes.map(({ at, kind, before, after }) => {
      const what =
        kind === 'added'
          ? `added: ${inText(after)}`
          : kind === 'removed'
            ? `removed: ${inText(before)}`
            : `${inText(before)} → ${inText(after)}`
      return [at, what]
    }),
  )
}

function inText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function showWithheld(withheld: readonly Withheld[]): string[] {
  const lines = withheld.map((each) =>
    each.because === 'unlinked'
      ? `${channelNames[each.channel]} is withheld: you unlinked it at ${clockTime(each.unlinkedAtMs)}.`
      : `${channelNames[each.channel]} is left out: you have not agreed to its handle.`,
  )
  const isUnlinked = withheld.some(({ because }) => because === 'unlinked')
  return isUnlinked ? [...lines, 'Only the settings page allows it again: `koko settings`.'] : lines
}
