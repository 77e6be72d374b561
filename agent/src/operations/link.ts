import type { Channel } from '@koko/contract'
import type { Context } from '../context.ts'
import { UserError } from '../errors.ts'
import { agentFile, handlesFile, publishedFile } from '../home/files.ts'
import { readIfWhole } from '../home/read-if-whole.ts'
import { channelNames, emulatorWarning, givesAway } from '../labels.ts'
import { normaliseHandle } from './normalise-handle.ts'

export interface Linked {
  channel: Channel
  /** In its canonical form. */
  handle: string
  isChanged: boolean
  /** The operator agreed earlier to publish this very handle. */
  isAgreed: boolean
  /** As far as is known here. */
  isUnlinked: boolean
  isEmulated: boolean
  givesAway: string
}

/** Shows a handle in its canonical form, and keeps it for the next publish. Sends nothing. */
export async function link(
  context: Context,
  { channel, typed, yes }: { channel: Channel; typed: string; yes: boolean },
): Promise<Linked> {
  const { home } = context
  const handle = await handleOf(context, channel, typed)
  const before = (await home.read(handlesFile))?.[channel]
  const { isEmulated = false } = (await home.read(agentFile)) ?? {}
  const isChanged = before?.handle !== handle
  if (isChanged && !yes) await askFor(context, { channel, handle, typed, isEmulated, replaces: before !== undefined })

  const kept = await home.change(async (files) => {
    const handles = (await files.read(handlesFile)) ?? {}
    const former = handles[channel]
    const next = { handle, agreedAtMs: former?.handle === handle ? former.agreedAtMs : null }
    await files.write(handlesFile, { ...handles, [channel]: next })
    return next
  })
  const withheld = (await readIfWhole(home, publishedFile))?.withheld ?? []
  return {
    channel,
    handle,
    isChanged,
    isAgreed: kept.agreedAtMs !== null,
    isUnlinked: withheld.some((each) => each.channel === channel),
    isEmulated,
    givesAway: givesAway[channel],
  }
}

/** The canonical handle, or a close one that the operator confirms. Throws `UserError`, which never holds the handle. */
async function handleOf({ ask }: Context, channel: Channel, typed: string): Promise<string> {
  const normalised = normaliseHandle(channel, typed)
  if ('handle' in normalised) return normalised.handle
  const { because, hint, suggestion } = normalised
  const problem = `A handle of ${channelNames[channel]} ${because}.`
  if (suggestion !== undefined && ask !== undefined) {
    ask.say(problem)
    if (await ask.confirm({ message: `Did you mean ${suggestion}?`, initial: true })) return suggestion
  }
  const near = 'What you typed nearly passes: write it in that form. In a terminal koko suggests the closest handle.'
  throw new UserError(problem, hint ?? near, { code: 'invalid-argument' })
}

type Asked = Pick<Linked, 'channel' | 'handle' | 'isEmulated'> & { typed: string; replaces: boolean }

async function askFor({ ask }: Context, { channel, handle, typed, isEmulated, replaces }: Asked): Promise<void> {
  const name = channelNames[channel]
  if (ask === undefined) {
    if (channel !== 'whatsapp') return
    throw new UserError(
      'On WhatsApp the handle is the phone number, and every listed agent of the room can read it.',
      'Give --yes, or link another channel: a Telegram username does not show a number.',
      { code: 'confirmation-required' },
    )
  }
  if (isEmulated) ask.say(emulatorWarning())
  if (channel === 'whatsapp') ask.say(whatsapp)
  ask.say(`${name} ${handle} will be kept here${replaces ? ', in place of the handle kept so far' : ''}.`)
  // A handle that is kept as typed needs no question, except a phone number, which reveals more than WhatsApp.
  if (channel !== 'whatsapp' && handle === typed && !replaces) return
  if (await ask.confirm({ message: `Keep ${handle} for ${name}?`, initial: channel !== 'whatsapp' })) return
  throw new UserError('Nothing was kept.', 'Run it again when you are ready.', { code: 'cancelled' })
}

const whatsapp = [
  'On WhatsApp the handle is the phone number. Strangers cannot reach you there without one, and the number reveals more',
  'than WhatsApp: your country, often your carrier, and what else is registered under it.',
  'Every agent of your room that is listed itself can read it, within its daily budget. So can the host of the directory.',
  '',
  'Four ways not to show your own:',
  '  1. Another channel: a Telegram username does not show your number.',
  '  2. A dedicated number: a second SIM, for your agent alone.',
  '  3. A generated number: a virtual one that you can give up.',
  '  4. Several channels: WhatsApp only for those to whom you give it later, in a conversation.',
  '',
  'Once it is published a peer can keep it, even if you unlink it later.',
].join('\n')
