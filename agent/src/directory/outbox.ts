import type { Channel, Client } from '@koko/contract'
import { DirectoryError } from '@koko/contract'
import type { Context } from '../context.ts'
import { UserError } from '../errors.ts'
import { outboxFile, publishedFile, type Outbox, type Published } from '../home/files.ts'
import type { Files } from '../home/home.ts'
import { ignoreUserError, readIfWhole } from '../home/read-if-whole.ts'
import { channelNames } from '../labels.ts'
import type { Problem } from '../problem.ts'

// The outbox holds the unlinks that the directory has not acknowledged. An entry is written before its request is sent,
// so that neither a crash nor a lost answer loses it. Unlinking is idempotent: an entry can be sent again.

/** What the directory acknowledged, with times of its own clock. */
export interface Acknowledged {
  channel: Channel
  unlinkedAtMs: number
  /** No answer that starts after this holds the handle. */
  goneByMs: number
  /** This home could not be updated. */
  problem?: Problem
}

export interface Delivery {
  acknowledged: Acknowledged[]
  failures: { channel: Channel; error: unknown }[]
}

/** How a channel stands whose unlink the directory has not acknowledged. */
export type PendingState = 'still visible' | 'unlink not sent' | 'unlink refused'

const sentAgain = '`koko run` sends it again, and so does the next koko command that contacts the directory.'

/** What to do after the outbox was damaged. */
export const unlinkAgain = '`koko unlink <channel>` for each channel that you unlinked and that is still listed'

/** The state in words that follow the name of the channel, and what to do. */
export const pendingWords: Readonly<Record<PendingState, { is: string; next: string }>> = {
  'still visible': {
    is: 'is still visible to peers: the directory has not acknowledged its unlink.',
    next: sentAgain,
  },
  'unlink not sent': {
    is: 'is not in your listing, but the directory has not acknowledged its unlink.',
    next: sentAgain,
  },
  'unlink refused': {
    is: 'could not be unlinked: the directory does not accept this agent.',
    next: 'If the agent was removed, its handles are gone with it. If its secret was replaced, the handle is still visible to peers: run `koko restore` with the new secret to send the unlink again.',
  },
}

export function pendingText(state: PendingState): string {
  const { is, next } = pendingWords[state]
  return `${is} ${next}`
}

export function isPendingState(state: string): state is PendingState {
  return Object.hasOwn(pendingWords, state)
}

/** The channels whose unlink was not acknowledged, by the files of a home. */
export function pendingUnlinks(
  outbox: Outbox | undefined,
  published: Published | undefined,
  agentId: string | undefined,
): Map<Channel, PendingState> {
  if (outbox?.agentId !== agentId) return new Map()
  const isRefused = outbox?.isRefused === true
  return new Map(
    (outbox?.unlinks ?? []).map(({ channel }) => [channel, pendingState(channel, { isRefused }, published)]),
  )
}

function pendingState(
  channel: Channel,
  { isRefused }: Pick<Outbox, 'isRefused'>,
  published: Published | undefined,
): PendingState {
  if (isRefused) return 'unlink refused'
  const isListed = published === undefined || published.listing?.channels[channel] !== undefined
  return isListed ? 'still visible' : 'unlink not sent'
}

/** How a channel stands whose unlink has just failed with this error. */
export async function stateAfter(
  error: unknown,
  { home }: Pick<Context, 'home'>,
  channel: Channel,
): Promise<PendingState> {
  const isRefused = error instanceof DirectoryError && error.code === 'unauthenticated'
  return pendingState(channel, { isRefused }, await readIfWhole(home, publishedFile))
}

/** The same, from the home as it is now. A damaged outbox counts as empty: `koko doctor` names it. */
export async function readPending(
  { home }: Pick<Context, 'home'>,
  agentId: string,
): Promise<Map<Channel, PendingState>> {
  const outbox = await readIfWhole(home, outboxFile)
  return pendingUnlinks(outbox, await readIfWhole(home, publishedFile), agentId)
}

/**
 * Sends what waits, each entry once, and keeps what the directory answers. Says on the way how each stands, except a
 * failure of `own`: the command that was given for this channel says that itself.
 */
export async function deliver(
  context: Context,
  client: Client,
  agentId: string,
  own: Channel | undefined,
): Promise<Delivery> {
  const { home, report, signal } = context
  const delivery: Delivery = { acknowledged: [], failures: [] }
  const outbox = await readIfWhole(home, outboxFile)
  if (outbox?.agentId !== agentId) return delivery
  if (outbox.isRefused) await markOutbox(context, agentId, { isRefused: false })
  for (const { channel } of outbox.unlinks) {
    try {
      const answer = { ...(await client.call('unlinkChannel', { channel })), channel }
      const problem = await settle(context, agentId, answer)
      delivery.acknowledged.push({ ...answer, ...(problem === undefined ? {} : { problem }) })
      report({
        text: `${channelNames[channel]} is out of your listing: the directory acknowledged its unlink.`,
        isLasting: true,
      })
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof DirectoryError)) throw error
      const state = await stateAfter(error, context, channel)
      if (state === 'unlink refused') await markOutbox(context, agentId, { isRefused: true })
      delivery.failures.push({ channel, error })
      if (channel !== own) report({ text: `${channelNames[channel]} ${pendingText(state)}`, isLasting: true })
    }
  }
  return delivery
}

/** Records whether the directory accepts the agent. */
export async function markOutbox(
  { home }: Pick<Context, 'home'>,
  agentId: string,
  { isRefused }: Pick<Outbox, 'isRefused'>,
): Promise<void> {
  const before = await readIfWhole(home, outboxFile)
  if (before?.agentId !== agentId || before.isRefused === isRefused) return
  const change = home.change(async (files) => {
    const outbox = await files.read(outboxFile)
    if (outbox?.agentId === agentId) await files.write(outboxFile, { ...outbox, isRefused })
  })
  await change.catch(ignoreUserError)
}

/** Ends an entry. If the home cannot be written, the entry stays and is sent again, which changes nothing. */
async function settle(
  { home }: Pick<Context, 'home'>,
  agentId: string,
  answer: Acknowledged,
): Promise<Problem | undefined> {
  try {
    await home.change(async (files) => {
      const published = await readIfWhole(files, publishedFile)
      // A damaged file may name the handle as listed.
      if (published === undefined) await files.remove(publishedFile)
      else await files.write(publishedFile, withoutChannel(published, answer))
      await removeEntry(files, agentId, answer.channel)
    })
    return undefined
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return error.problem
  }
}

export async function removeEntry(files: Files, agentId: string, channel: Channel): Promise<void> {
  const outbox = await files.read(outboxFile)
  if (outbox?.agentId !== agentId) return
  const unlinks = outbox.unlinks.filter((each) => each.channel !== channel)
  if (unlinks.length === 0) await files.remove(outboxFile)
  else await files.write(outboxFile, { ...outbox, unlinks })
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
