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
   * `gone`: nobody is shown it and no shard holds it. `under way`: it is out of the listing, and what is left was not
   * waited for, or takes longer. `allowed again`: on the settings page, meanwhile.
   */
  state: 'gone' | 'under way' | 'allowed again'
  goneAtMs: number | null
  /** The channel is unlinked, but this home could not be updated. */
  problem?: Problem
}

/** The first check comes soon, the others less often. */
const firstPauseMs = 3_000
const pauseMs = 5_000
/** The republish runs each minute. An unlink that takes longer than this is not worth waiting for. */
const longestWaitMs = 5 * 60_000

/** Unlinks a channel, even one that was never published, and waits until it is gone. Asks nothing. */
export async function unlink(
  context: Context,
  { channel, wait }: { channel: Channel; wait: boolean },
): Promise<Unlinked> {
  const directory = await openDirectory(context)
  context.report({ text: `Unlinking ${channelNames[channel]}` })
  const taken = await lockedIfPossible(context, () => sendUnlink(context, directory, channel))
  return wait ? waitUntilGone(context, directory, taken) : taken
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
  const isSent = acknowledged.length > 0
  const answer = acknowledged[0] ?? (await send())
  if (!isSent) {
    // The home no longer knows what is published, if its disk can be written.
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
      // The clock also counts a suspend, and can be set back. Pauses cannot.
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
    // The directory has acknowledged the unlink, whatever happens afterwards.
    if (context.signal.aborted || codeOf(error) === 'unauthenticated') return taken
    throw error
  }
}

/** Undefined where a later attempt may succeed. */
function passingFailure(error: unknown): undefined {
  if (!(error instanceof DirectoryError) || error.code === 'unauthenticated') throw error
}

/** What the directory acknowledged, with times of its own clock. */
interface Acknowledged {
  channel: Channel
  unlinkedAtMs: number
  /** No answer that starts after this holds the handle. */
  goneByMs: number
}

/** How far an unlink has come. The handle is out of the listing as soon as the directory acknowledges it. */
interface UnlinkProgress {
  isOutOfAnswers: boolean
  /** When the last discovery shard dropped the handle; null until then. */
  goneAtMs: number | null
}

/** How far an unlink has come, from what the directory stores and the time since it acknowledged. */
export function progressOf(
  { unlinkedAtMs, goneByMs }: Acknowledged,
  { goneAtMs }: Pick<z.infer<typeof Unlink>, 'goneAtMs'>,
  elapsedMs: number,
): UnlinkProgress {
  // Compares two times of the directory's clock, or measures a span on this one. The two clocks are never compared.
  const isLongGone = goneAtMs !== null && goneAtMs >= goneByMs
  return { isOutOfAnswers: isLongGone || elapsedMs >= goneByMs - unlinkedAtMs, goneAtMs }
}

/** What is published after an unlink. */
export function withoutChannel(
  { publishedAtMs, listing, withheld }: Published,
  { channel, unlinkedAtMs }: Acknowledged,
): Published {
  const { [channel]: _taken, ...channels } = listing?.channels ?? {}
  return {
    publishedAtMs,
    listing: listing === null || Object.keys(channels).length === 0 ? null : { ...listing, channels },
    withheld: [...withheld.filter((each) => each.channel !== channel), { channel, unlinkedAtMs }],
  }
}
