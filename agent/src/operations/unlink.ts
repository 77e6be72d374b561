import { DirectoryError, type AgentId, type Channel, type Unlink } from '@koko/contract'
import type * as z from 'zod'
import type { Context } from '../context.ts'
import { pendingWords, stateAfter, unlinkAgain, type Acknowledged } from '../directory/outbox.ts'
import { codeOf, openDirectory, type Directory } from '../directory/session.ts'
import { UserError, userErrorOf } from '../errors.ts'
import { handlesFile, outboxFile } from '../home/files.ts'
import { lockedIfPossible } from '../home/locked-if-possible.ts'
import { isThere, readIfWhole } from '../home/read-if-whole.ts'
import { channelNames } from '../labels.ts'
import type { Problem } from '../problem.ts'
import { withoutAgreement } from './agreements.ts'
import { readStored } from './listing.ts'

export interface Unlinked extends Acknowledged {
  /**
   * `gone`: no answer and no shard holds it. `under way`: it is out of the listing, and the rest is not done yet.
   * `allowed again`: on the settings page, meanwhile.
   */
  state: 'gone' | 'under way' | 'allowed again'
  goneAtMs: number | null
}

const firstPauseMs = 3_000
const pauseMs = 5_000
/** The republish runs each minute, so most unlinks take less. */
const timeoutMs = 5 * 60_000

/**
 * Unlinks a channel, even one that was never published, and waits until it is gone. What could not be sent stays in the
 * outbox, which the daemon and the next command send again.
 */
export async function unlink(
  context: Context,
  { channel, wait }: { channel: Channel; wait: boolean },
): Promise<Unlinked> {
  const directory = await openDirectory(context)
  context.report({ text: `Unlinking ${channelNames[channel]}` })
  const kept = await keepUnlink(context, directory.agent.agentId, channel)
  const sent = await lockedIfPossible(context, () => sendUnlink(directory, channel)).catch(async (error: unknown) => {
    throw (await notAcknowledged(context, channel, kept, error)) ?? error
  })
  const problem = kept.problem ?? sent.problem
  const unlinked: Unlinked = {
    ...sent,
    state: 'under way',
    goneAtMs: null,
    ...(problem === undefined ? {} : { problem }),
  }
  return wait ? waitUntilGone(context, directory, unlinked) : unlinked
}

interface KeptUnlink {
  /** The outbox has the entry. */
  isKept: boolean
  problem?: Problem
}

/** Before the request: whatever its outcome, this home sends it again, and does not publish the handle without a new yes. */
async function keepUnlink({ home, nowMs, report }: Context, agentId: AgentId, channel: Channel): Promise<KeptUnlink> {
  let isKept = false
  try {
    await home.change(async (files) => {
      const before = await readIfWhole(files, outboxFile)
      if (before === undefined && (await isThere(files, outboxFile))) {
        const aside = await files.setAside(outboxFile, 'damaged')
        const lost = `Unlinks that waited in ${outboxFile.name} are lost: the file is damaged, and is kept as ${aside}.`
        report({ text: `${lost} Run ${unlinkAgain}.`, isLasting: true })
      }
      const others = before?.agentId === agentId ? before.unlinks.filter((each) => each.channel !== channel) : []
      const unlinks = [...others, { channel, askedAtMs: nowMs() }]
      await files.write(outboxFile, { agentId, isRefused: false, unlinks })
      isKept = true
      const handles = await files.read(handlesFile)
      if (handles?.[channel] !== undefined) await files.write(handlesFile, withoutAgreement(handles, [channel]))
    })
    return { isKept }
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return { isKept, problem: error.problem }
  }
}

/** Sends the unlink even where the home could not keep it: the handle must not stay with others. */
async function sendUnlink(directory: Directory, channel: Channel): Promise<Acknowledged> {
  const { acknowledged, failures } = await directory.sendOutbox(channel)
  const failure = failures.find((each) => each.channel === channel)
  if (failure !== undefined) throw failure.error
  const answer = acknowledged.find((each) => each.channel === channel)
  // Another koko has sent it, or the home could not keep it.
  return answer ?? { ...(await directory.client.call('unlinkChannel', { channel })), channel }
}

/** What the operator must know of an unlink that was not acknowledged; null for a defect. */
async function notAcknowledged(
  context: Context,
  channel: Channel,
  { isKept, problem }: KeptUnlink,
  error: unknown,
): Promise<UserError | null> {
  const reason = context.signal.aborted ? new UserError('Stopped.', '') : userErrorOf(error)
  if (reason === null) return null
  const name = channelNames[channel]
  const options = { cause: error }
  const state = await stateAfter(error, context, channel)
  const { is, next } = pendingWords[state]
  if (state === 'unlink refused') return new UserError(`${name} ${is}`, next, options)
  const message = `${reason.message} ${name} ${is}`
  const hint = isKept
    ? `The unlink is saved here. ${next}`
    : `The unlink could not be saved here either: ${problem?.message ?? ''} Run \`koko unlink ${channel}\` again.`
  return new UserError(message, hint, options)
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
          ? `${name} is out of every answer. Waiting until it is gone from every discovery shard`
          : `${name} is out of the listing. Waiting until it is out of every answer`,
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
