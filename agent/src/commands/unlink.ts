import { DirectoryError, type Channel } from '@koko/contract'
import * as z from 'zod'
import { UserError } from '../errors.ts'
import { channelNamed, channelNames, clockTime } from '../labels.ts'
import { defineCommand } from './define-command.ts'
import type { Style } from '../output.ts'
import { confirm } from './confirm.ts'
import type { Context } from '../context.ts'
import { codeOf, openDirectory, type Directory } from '../directory/session.ts'
import { handlesFile, publishedFile } from '../home/files.ts'
import { changeListing, readablePublished } from '../operations/change-listing.ts'
import { lockedIfPossible } from '../home/locked-if-possible.ts'
import type { Problem } from '../problem.ts'
import { readStored } from '../operations/stored-documents.ts'
import { progressOf, withoutAgreement, withoutChannel, type Acknowledged } from '../operations/unlink-progress.ts'

export interface Unlinked extends Acknowledged {
  /**
   * `gone`: nobody is shown it and no shard holds it. `under way`: it is out of the listing, and what is left was not
   * waited for, or takes longer. `allowed again`: on the settings page, meanwhile.
   */
  state: 'gone' | 'under way' | 'allowed again'
  goneAtMs: number | null
  /** The channel is taken back, and this home could not be told. */
  problem?: Problem
}

const Options = z.strictObject({
  channel: z.string(),
  wait: z.boolean().default(true),
  yes: z.boolean().default(false),
})

/** The first look for what is left is soon, the others rarer. */
const firstPauseMs = 3_000
const pauseMs = 5_000
/** The republish runs each minute; what takes longer than this is no use waiting for. */
const longestWaitMs = 5 * 60_000

export const command = defineCommand({
  options: Options,
  async run(context, { channel: typed, wait, yes }) {
    const channel = channelNamed(typed)
    const published = await readablePublished(context.home)
    const listed = Object.keys(published?.listing?.channels ?? {})
    if (!yes) {
      context.ask?.say(
        [
          'The handle leaves the listing at once, and is in no answer that starts more than ten seconds later.',
          'Publishing never brings it back: only the settings page allows it again.',
          'A peer that has already read it may keep it. Nothing can take that back.',
          ...(listed.length === 1 && listed[0] === channel
            ? ['It is the only channel that is listed: without it the agent is not listed at all.']
            : []),
        ].join('\n'),
      )
    }
    await confirm(context, { yes, message: `Take ${channelNames[channel]} back?` })
    return unlink(context, { channel, wait })
  },
  show,
})

/** Takes a channel back, also one that was never published, and waits until it is gone. Asks nothing. */
export async function unlink(
  context: Context,
  { channel, wait }: { channel: Channel; wait: boolean },
): Promise<Unlinked> {
  const directory = await openDirectory(context)
  context.report({ text: `Taking ${channelNames[channel]} back` })
  const taken = await lockedIfPossible(context, () => takeBack(context, directory, channel))
  return wait ? waitUntilGone(context, directory, taken) : taken
}

/** A home that cannot be written, or read, is no reason to leave a handle with others. */
async function takeBack(context: Context, { client }: Directory, channel: Channel): Promise<Unlinked> {
  const { home } = context
  const acknowledged: Acknowledged[] = []
  let problem: UserError | undefined
  const send = async () => {
    const answer = { ...(await client.call('unlinkChannel', { channel })), channel }
    acknowledged.push(answer)
    return answer
  }
  try {
    await home.change(async (files) => {
      // Before it is sent: whatever becomes of it, nothing from here publishes the handle again without a new yes.
      const handles = await files.read(handlesFile)
      if (handles?.[channel] !== undefined) await files.write(handlesFile, withoutAgreement(handles, channel))
    })
    await changeListing(context, send, async (answer, before, files) => {
      if (before !== undefined) await files.write(publishedFile, withoutChannel(before, answer))
    })
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    problem = error
  }
  const isSent = acknowledged.length > 0
  const answer = acknowledged[0] ?? (await send())
  if (!isSent) {
    // What was published last is not known any more, if the disk lets go of it.
    await home.change((files) => files.remove(publishedFile)).catch(ignoreUserError)
  }
  return {
    ...answer,
    state: 'under way',
    goneAtMs: null,
    ...(problem === undefined ? {} : { problem: problem.problem }),
  }
}

async function waitUntilGone(context: Context, directory: Directory, taken: Unlinked): Promise<Unlinked> {
  const startMs = context.nowMs()
  let pausedMs = 0
  try {
    for (;;) {
      // The clock counts a sleep too, and can be set back; pauses cannot.
      const elapsedMs = Math.max(pausedMs, context.nowMs() - startMs)
      const stored = await readStored(directory).catch(passingFailure)
      const unlink = stored === undefined ? { goneAtMs: null } : stored.unlinks[taken.channel]
      if (unlink === undefined) return { ...taken, state: 'allowed again' }
      const { goneAtMs, isOutOfAnswers } = progressOf(taken, unlink, elapsedMs)
      if (goneAtMs !== null && isOutOfAnswers) return { ...taken, state: 'gone', goneAtMs }
      if (elapsedMs >= longestWaitMs) return taken
      context.report({
        text: isOutOfAnswers
          ? `${channelNames[taken.channel]}: out of every answer; waiting until no discovery shard holds it`
          : `${channelNames[taken.channel]}: out of the listing; out of every answer in some seconds`,
      })
      const ms = pausedMs === 0 ? firstPauseMs : pauseMs
      await context.pause(ms)
      pausedMs += ms
    }
  } catch (error) {
    // It is taken back, whatever came between.
    if (context.signal.aborted || codeOf(error) === 'unauthenticated') return taken
    throw error
  }
}

/** Undefined where a later look may tell more. */
function passingFailure(error: unknown): undefined {
  if (!(error instanceof DirectoryError) || error.code === 'unauthenticated') throw error
}

function ignoreUserError(error: unknown): void {
  if (!(error instanceof UserError)) throw error
}

function show({ channel, state, unlinkedAtMs, goneByMs, goneAtMs, problem }: Unlinked, style: Style): string {
  const name = channelNames[channel]
  const done = style.good('✓')
  const open = style.dim('…')
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
      `${name} is taken back. The last copies usually leave within two minutes: \`koko channels\` tells.`,
    ],
    'allowed again': [`${name} was taken back, and allowed again on the settings page meanwhile.`],
  }[state]
  return [
    ...lines,
    ...(problem === undefined
      ? []
      : [style.warn(`What is kept here could not be brought up to it: ${problem.message} ${problem.next}`)]),
    'A peer that has already read the handle may keep it.',
  ].join('\n')
}
