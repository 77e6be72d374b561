import { Channel, DirectoryError, publishInput, type Listing, type RoomName } from '@koko/contract'
import * as z from 'zod'
import { UserError } from '../errors.ts'
import { channelNames, clockTime, givesAway, inWords } from '../labels.ts'
import { defineCommand } from './define-command.ts'
import type { Context } from '../context.ts'
import { openDirectory } from '../directory/session.ts'
import { agentFile, handlesFile, publishedFile, type Handles } from '../home/files.ts'
import { changeListing, readablePublished } from '../operations/change-listing.ts'
import { columns, type Style } from '../output.ts'
import {
  bytesOf,
  planPublish,
  type Change,
  type Plan,
  type PublishInput,
  type Withheld,
} from '../operations/publish-plan.ts'
import { readProfile, roomOf } from '../operations/profile.ts'
import { readStored, unlinkedIn } from '../operations/stored-documents.ts'

/** What a publish would do, from what is kept at home alone. Handles are in it. */
export interface PublishPreview extends Omit<Plan, 'input'> {
  /** The body of the request, if every new handle is agreed to; null where there would be none. */
  bytes: string | null
  /** When the directory last told what is listed; null where that is unknown. */
  asOfMs: number | null
  isEmulated: boolean
}

export type Publication =
  | {
      state: 'published'
      publishedAtMs: number
      /** As it is stored; null where every channel is withheld. */
      listing: Listing | null
      withheld: Withheld[]
      changes: Change[]
      isEmulated: boolean
    }
  /** Nothing was sent: no handle was agreed to, or channels would have left the listing that nobody took back. */
  | { state: 'not agreed' | 'would take away'; channels: Channel[] }

/** Who answers for the operator. */
export interface PublishConsent {
  /** Agrees to handles that were never published, or not since they were taken back; `plan` is what then would be sent. */
  agree: (newHandles: Channel[], plan: Plan) => Promise<boolean>
  /** Agrees to channels leaving the listing that nobody took back: their handle is not kept here, or not agreed to. */
  takeAway?: (channels: Channel[]) => Promise<boolean>
}

const Options = z.strictObject({ dryRun: z.boolean().default(false), yes: z.boolean().default(false) })

export const command = defineCommand({
  options: Options,
  async run(context, { dryRun, yes }) {
    if (dryRun) return previewPublish(context)
    const publication = await publish(context, consentOf(context, yes))
    if (publication.state === 'published') return publication
    throw unpublished(publication)
  },
  show: (value, style) => ('bytes' in value ? showPreview(value, style) : showPublication(value, style)),
})

/** Shows what `publish` would do. Sends nothing, and writes nothing. */
export async function previewPublish({ home }: Context): Promise<PublishPreview> {
  const room = await roomOf(home)
  const kept = await readKept(home, room)
  const agent = await home.read(agentFile)
  const published = await readablePublished(home)
  const known = { listing: published?.listing, unlinked: published?.withheld ?? [] }
  const { input, ...plan } = planPublish(kept, known, handlesOf(kept.handles))
  if (input !== null) assertPasses(room, input)
  return {
    bytes: input === null ? null : bytesOf(input),
    ...plan,
    asOfMs: published?.publishedAtMs ?? null,
    isEmulated: agent?.isEmulated ?? false,
  }
}

/** Replaces the listing by the profile and the handles that are agreed to. An agreement counts once it is published. */
export async function publish(
  context: Context,
  { agree, takeAway = () => Promise.resolve(false) }: PublishConsent,
): Promise<Publication> {
  const directory = await openDirectory(context)
  const { room } = directory.agent
  const asked = await readKept(context.home, room)
  context.report({ text: 'Asking what is listed' })
  const stored = await readStored(directory)
  const known = { listing: stored.listing, unlinked: unlinkedIn(stored) }

  // Nobody waits for a lock while a human thinks.
  const { newHandles } = planPublish(asked, known, {})
  const offered = planPublish(asked, known, handlesOf(asked.handles))
  const isAgreed = newHandles.length > 0 && (await agree(newHandles, offered))
  const agreedNow = isAgreed ? handlesOf(asked.handles) : {}
  const { input, takesAway } = planPublish(asked, known, agreedNow)
  if (input === null) return { state: 'not agreed', channels: newHandles }
  if (takesAway.length > 0 && !(await takeAway(takesAway))) return { state: 'would take away', channels: takesAway }

  return context.home.locked('listing', 30_000, async () => {
    const kept = await readKept(context.home, room)
    const plan = planPublish(kept, known, agreedNow)
    if (plan.input === null) return { state: 'not agreed', channels: plan.newHandles }
    const others = plan.takesAway.filter((channel) => !takesAway.includes(channel))
    if (others.length > 0) return { state: 'would take away', channels: others }
    assertPasses(room, plan.input)
    await context.home.assertWritable()
    context.report({ text: 'Publishing' })
    const { channels, profile } = plan.input
    const publishedAtMs = context.nowMs()
    const isSent = (channel: Channel) => channels[channel] !== undefined
    const answer = await changeListing(
      context,
      () => directory.client.call('publishProfile', { channels, profile }),
      async ({ published: listing, withheld }, _before, files) => {
        // Taking back waits for nobody: the agent can be gone, and what was agreed to was for it alone.
        const agent = await files.read(agentFile)
        if (agent?.agentId !== directory.agent.agentId) return
        const unlinked = [...withheld, ...known.unlinked.filter(({ channel }) => !isSent(channel))]
        await files.write(publishedFile, { publishedAtMs, listing, withheld: unlinked })
        const handles = (await files.read(handlesFile)) ?? {}
        await files.write(handlesFile, agreed(handles, agreedNow, listing?.channels ?? {}, publishedAtMs))
      },
    ).catch((error: unknown) => {
      throw refusedHandle(error) ?? error
    })
    return {
      state: 'published',
      publishedAtMs,
      listing: answer.published,
      withheld: [
        ...answer.withheld.map((each) => ({ ...each, because: 'unlinked' as const })),
        ...plan.withheld.filter(({ channel }) => !isSent(channel)),
      ],
      changes: plan.changes,
      isEmulated: directory.agent.isEmulated,
    }
  })
}

async function readKept(home: Pick<Context['home'], 'read'>, room: RoomName) {
  const [kept, handles] = [await readProfile(home, room), (await home.read(handlesFile)) ?? {}]
  if (kept === undefined) throw new UserError('There is no profile yet.', 'Run `koko profile edit`.')
  if (Object.keys(handlesOf(handles)).length === 0) {
    throw new UserError('There is no handle yet, and peers could not reach you.', 'Run `koko link <channel> <handle>`.')
  }
  return { profile: kept.profile, handles }
}

function handlesOf(handles: Handles): Partial<Record<Channel, string>> {
  return Object.fromEntries(
    Channel.options.flatMap((channel) => {
      const kept = handles[channel]
      return kept === undefined ? [] : [[channel, kept.handle]]
    }),
  )
}

/** The handles, with the agreement to those that were agreed to just now, are published and are still the ones kept. */
function agreed(
  handles: Handles,
  agreedNow: Partial<Record<Channel, string>>,
  published: Partial<Record<Channel, string | undefined>>,
  nowMs: number,
): Handles {
  const next: Handles = { ...handles }
  for (const channel of Channel.options) {
    const kept = handles[channel]
    const isNew = kept?.agreedAtMs === null && agreedNow[channel] === kept.handle
    if (isNew && published[channel] === kept.handle) next[channel] = { ...kept, agreedAtMs: nowMs }
  }
  return next
}

/** What is possible as a number changes: one that was kept once may not pass any more. */
function assertPasses(room: RoomName, input: PublishInput): void {
  const result = publishInput(room).safeParse(input)
  if (result.success) return
  const [issue] = result.error.issues
  const at = issue?.path.map(String) ?? []
  const next = at[0] === 'channels' ? `Run \`koko link ${at[1] ?? '<channel>'} <handle>\`.` : 'Run `koko profile edit`.'
  throw new UserError(
    `What is kept here cannot be published: ${at.join('.')} ${issue?.message ?? 'is not valid'}.`,
    next,
  )
}

function refusedHandle(error: unknown): UserError | undefined {
  if (!(error instanceof DirectoryError) || error.code !== 'invalid-argument') return undefined
  const refused = Channel.options.filter((channel) => {
    return Array.isArray(error.details) && error.details.some(({ path }) => path === `channels.${channel}`)
  })
  const [channel] = refused
  if (channel === undefined) return undefined
  return new UserError(
    `The directory refuses the handle of ${inWords(refused)}: its host has taken it down, or asks for another form.`,
    `Nothing was published. \`koko unlink ${channel}\` leaves it out, \`koko link ${channel} <handle>\` takes another.`,
    { cause: error },
  )
}

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
          'You can take each back with `koko unlink`; a peer that has read it by then may keep it.',
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
          ? 'Nothing was published: every channel that is kept here was taken back.'
          : 'Nothing was published: no handle is left that you agreed to.',
        channels.length === 0
          ? 'Only the settings page allows one again: `koko settings`.'
          : 'Run `koko publish` again when you want it.',
      )
    : new UserError(
        `Nothing was published: ${inWords(channels)} would have left your listing.`,
        'Agree to the new handle with `koko publish`, give one with `koko link`, or take the channel back with `koko unlink`.',
      )
}

function showPreview(preview: PublishPreview, style: Style): string {
  const { bytes, asOfMs, newHandles, takesAway, isEmulated } = preview
  const lines = [
    bytes === null
      ? style.warn('Nothing would be sent: every channel that is kept here was taken back.')
      : `These bytes would be sent, and nothing was:\n\n${bytes}\n`,
    asOfMs === null
      ? 'What is listed now is not known here; the publish asks first.'
      : `Beside what was listed at ${clockTime(asOfMs)}:`,
    ...(asOfMs === null ? [] : [showChanges(preview.changes)]),
    ...showWithheld(preview.withheld),
  ]
  if (newHandles.length > 0) lines.push(style.warn(`Your yes is asked for first: ${inWords(newHandles)}.`))
  if (takesAway.length > 0) lines.push(style.warn(`This would leave your listing: ${inWords(takesAway)}.`))
  if (isEmulated) lines.push(style.warn(fictionalOnly))
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
    ...(isEmulated ? [style.warn(fictionalOnly)] : []),
  ].join('\n')
}

const fictionalOnly = 'This directory runs under emulators: fictional numbers only.'

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
      ? `${channelNames[each.channel]} is withheld: you took it back at ${clockTime(each.unlinkedAtMs)}.`
      : `${channelNames[each.channel]} is left out: you have not agreed to its handle.`,
  )
  const isUnlinked = withheld.some(({ because }) => because === 'unlinked')
  return isUnlinked ? [...lines, 'Only the settings page allows it again: `koko settings`.'] : lines
}
