import { DirectoryError, type Channel, type Unlink } from '@koko/contract'
import type * as z from 'zod'
import type { Context } from '../context.ts'
import { codeOf, openDirectory, type Directory } from '../directory/session.ts'
import { UserError } from '../errors.ts'
import { handlesFile, publishedFile, type Published } from '../home/files.ts'
import { lockedIfPossible } from '../home/locked-if-possible.ts'
import { ignoreUserError } from '../home/read-if-whole.ts'
import { channelNames } from '../labels.ts'
import type { Problem } from '../problem.ts'
import { withoutAgreement } from './agreements.ts'
import { changeListing, readStored } from './listing.ts'

export interface Unlinked extends Acknowledged {
  /**
   * `gone`: no answer and no shard holds it. `under way`: it is out of the listing, and the rest is not done yet.
   * `allowed again`: on the settings page, meanwhile.
   */
  state: 'gone' | 'under way' | 'allowed again'
  goneAtMs: number | null
  /** The channel is unlinked, but this home could not be updated. */
  problem?: Problem
}

const firstPauseMs = 3_000
const pauseMs = 5_000
/** The republish runs each minute, so most unlinks take less. */
const timeoutMs = 5 * 60_000

/** Unlinks a channel, even one that was never published, and waits until it is gone. */
export async function unlink(
  context: Context,
  { channel, wait }: { channel: Channel; wait: boolean },
): Promise<Unlinked> {
  const directory = await openDirectory(context)
  context.report({ text: `Unlinking ${channelNames[channel]}` })
  const sent = await lockedIfPossible(context, () => sendUnlink(context, directory, channel))
  return wait ? waitUntilGone(context, directory, sent) : sent
}

/** Sends the unlink even where the home cannot be read or written: the handle must not stay with others. */
async function sendUnlink(context: Context, { client }: Directory, channel: Channel): Promise<Unlinked> {
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
      // Before the request: whatever its outcome, this home does not publish the handle again without a new yes.
      const handles = await files.read(handlesFile)
      if (handles?.[channel] !== undefined) await files.write(handlesFile, withoutAgreement(handles, [channel]))
    })
    await changeListing(context, send, async (answer, before, files) => {
      if (before !== undefined) await files.write(publishedFile, withoutChannel(before, answer))
    })
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    problem = error
  }
  let [answer] = acknowledged
  if (answer === undefined) {
    answer = await send()
    // What the home remembers as published is out of date.
    await home.change((files) => files.remove(publishedFile)).catch(ignoreUserError)
  }
  return {
    ...answer,
    state: 'under way',
    goneAtMs: null,
    ...(problem === undefined ? {} : { problem: problem.problem }),
  }
}

async function waitUntilGone(context: Context, directory: Directory, sent: Unlinked): Promise<Unlinked> {
  const name = channelNames[sent.channel]
  const startMs = context.nowMs()
  let pausedMs = 0
  try {
    for (;;) {
      // The clock counts a suspend too, and can be set back; pauses cannot.
      const elapsedMs = Math.max(pausedMs, context.nowMs() - startMs)
      const stored = await readStored(directory).catch(ignorePassingFailure)
      const unlink = stored === undefined ? { goneAtMs: null } : stored.unlinks[sent.channel]
      if (unlink === undefined) return { ...sent, state: 'allowed again' }
      const { goneAtMs, isOutOfAnswers } = progressOf(sent, unlink, elapsedMs)
      if (goneAtMs !== null && isOutOfAnswers) return { ...sent, state: 'gone', goneAtMs }
      if (elapsedMs >= timeoutMs) return sent
      context.report({
        text: isOutOfAnswers
          ? `${name}: out of every answer; waiting until no discovery shard holds it`
          : `${name}: out of the listing; out of every answer in some seconds`,
      })
      const ms = pausedMs === 0 ? firstPauseMs : pauseMs
      await context.pause(ms)
      pausedMs += ms
    }
  } catch (error) {
    // The directory has acknowledged the unlink, whatever happens afterwards.
    if (context.signal.aborted || codeOf(error) === 'unauthenticated') return sent
    throw error
  }
}

/** Rethrows a failure that no later attempt can avoid. */
function ignorePassingFailure(error: unknown): undefined {
  if (!(error instanceof DirectoryError) || error.code === 'unauthenticated') throw error
}

/** What the directory acknowledged, with times of its own clock. */
interface Acknowledged {
  channel: Channel
  unlinkedAtMs: number
  /** No answer that starts after this holds the handle. */
  goneByMs: number
}

/** The progress of an unlink, from what the directory stores and the time since it acknowledged. */
export function progressOf(
  { unlinkedAtMs, goneByMs }: Acknowledged,
  { goneAtMs }: Pick<z.infer<typeof Unlink>, 'goneAtMs'>,
  elapsedMs: number,
): { isOutOfAnswers: boolean; goneAtMs: number | null } {
  // Never compares a time of the directory's clock with one of this machine's.
  const isLongGone = goneAtMs !== null && goneAtMs >= goneByMs
  return { isOutOfAnswers: isLongGone || elapsedMs >= goneByMs - unlinkedAtMs, goneAtMs }
}

/** What is published after an unlink. */
export function withoutChannel(
  { publishedAtMs, listing, withheld }: Published,
  { channel, unlinkedAtMs }: Acknowledged,
): Published {
  const { [channel]: _unlinked, ...channels } = listing?.channels ?? {}
  return {
    publishedAtMs,
    listing: listing === null || Object.keys(channels).length === 0 ? null : { ...listing, channels },
    withheld: [...withheld.filter((each) => each.channel !== channel), { channel, unlinkedAtMs }],
  }
}
