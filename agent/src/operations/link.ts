import { channelDefinitions, countryCodeOf, countryName, handles, numberIn, type Channel } from '@koko/contract'
import type { Ask, Context } from '../context.ts'
import { readPending, removeEntry } from '../directory/outbox.ts'
import { UserError } from '../errors.ts'
import { agentFile, handlesFile, profileFile, publishedFile } from '../home/files.ts'
import { readIfWhole } from '../home/read-if-whole.ts'
import { channelNames, emulatorWarning, handleWords, reveals } from '../labels.ts'
import { cityNear, findCountry } from '../matching/places.ts'
import { formatList } from '../output.ts'
import { untilAborted } from '../until-aborted.ts'
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
  /** An unlink that the directory had not acknowledged was cancelled. */
  isUnlinkCancelled: boolean
  isEmulated: boolean
  reveals: string
}

/** Shows a handle in its canonical form, and keeps it for the next publish. Asks for it if none is given. Sends nothing. */
export async function link(
  context: Context,
  { channel, typed, yes }: { channel: Channel; typed: string | undefined; yes: boolean },
): Promise<Linked> {
  const { home, ask } = context
  const agent = await home.read(agentFile)
  const before = (await home.read(handlesFile))?.[channel]
  const agentId = agent?.agentId
  const isPending = agentId !== undefined && (await readPending(context, agentId)).has(channel)
  if (isPending && !yes) await askToCancelUnlink(context, channel)
  const isKept = typed !== undefined && isHandle(normaliseHandle(channel, typed), before?.handle)
  const isEmulated = agent?.isEmulated ?? false
  if (channel === 'whatsapp' && !isKept && (!yes || typed === undefined)) {
    if (isEmulated) ask?.say(emulatorWarning())
    ask?.say(aboutWhatsapp(agent?.origin))
  }
  const given = typed ?? (await readHandle(context, channel))
  const handle = await handleOf(context, channel, given)
  const isChanged = before?.handle !== handle
  if (isChanged && !yes) {
    await askFor(context, {
      channel,
      handle,
      isAsTyped: handle === given,
      isEmulated,
      replaces: before !== undefined,
      origin: agent?.origin,
    })
  }

  const kept = await home.change(async (files) => {
    const handles = (await files.read(handlesFile)) ?? {}
    const former = handles[channel]
    const next = { handle, agreedAtMs: former?.handle === handle ? former.agreedAtMs : null }
    await files.write(handlesFile, { ...handles, [channel]: next })
    if (isPending) await removeEntry(files, agentId, channel)
    return next
  })
  const withheld = (await readIfWhole(home, publishedFile))?.withheld ?? []
  return {
    channel,
    handle,
    isChanged,
    isAgreed: kept.agreedAtMs !== null,
    isUnlinked: withheld.some((each) => each.channel === channel),
    isUnlinkCancelled: isPending,
    isEmulated,
    reveals: reveals[channel],
  }
}

export interface Forgotten {
  channel: Channel
  /** False: no handle was kept. */
  isForgotten: boolean
  /** The handle that peers still see, as the last publish from here left it; null if there is none. */
  listed: string | null
  /** Other handles are kept, so a publish can replace the listing. */
  hasOthers: boolean
}

/** Removes a handle from this home. Sends nothing: what is published stays. */
export async function forgetHandle({ home }: Context, channel: Channel): Promise<Forgotten> {
  const { isForgotten, hasOthers } = await home.change(async (files) => {
    const { [channel]: kept, ...others } = (await files.read(handlesFile)) ?? {}
    if (kept !== undefined) await files.write(handlesFile, others)
    return { isForgotten: kept !== undefined, hasOthers: Object.values(others).some((each) => each !== undefined) }
  })
  const published = await readIfWhole(home, publishedFile)
  return { channel, isForgotten, listed: published?.listing?.channels[channel] ?? null, hasOthers }
}

/** A number as an argument stays in the history of the shell, so the handle is also asked for, or read. */
async function readHandle({ ask, report, readInput, signal }: Context, channel: Channel): Promise<string> {
  const { handleLabel } = channelDefinitions[channel]
  if (ask !== undefined) {
    return ask.text({
      message: `Your ${handleLabel}?`,
      validate(typed) {
        const normalised = normaliseHandle(channel, typed)
        if ('handle' in normalised || (normalised.suggestion ?? normalised.national) !== undefined) return undefined
        return `It ${normalised.because}. ${normalised.hint ?? ''}`.trim()
      },
    })
  }
  report({ text: `Reading the ${handleLabel} from standard input` })
  const typed = (await untilAborted(signal, readInput())).trim()
  if (typed !== '') return typed
  throw new UserError(
    'There is no handle on standard input.',
    `Pass it there, for example with \`koko link ${channel} --yes < handle.txt\`, or as an argument.`,
    { code: 'invalid-argument' },
  )
}

function isHandle(normalised: ReturnType<typeof normaliseHandle>, handle: string | undefined): boolean {
  return 'handle' in normalised && normalised.handle === handle
}

/** The canonical handle, or a close one that the operator confirms. Throws `UserError`, which never holds the handle. */
async function handleOf(context: Context, channel: Channel, typed: string): Promise<string> {
  const { ask } = context
  const normalised = normaliseHandle(channel, typed)
  if ('handle' in normalised) return normalised.handle
  const { because, hint, suggestion, national } = normalised
  const problem = `A ${channelNames[channel]} handle ${because}.`
  if (ask !== undefined && national !== undefined) return askCountry(context, ask, national)
  if (ask !== undefined && suggestion !== undefined) {
    ask.say(problem)
    const message = `Did you mean ${handleWords(channel, suggestion)}?`
    if (await ask.confirm({ message, initial: true })) return suggestion
  }
  const near = 'What you typed is almost right: write it in that form. In a terminal, koko suggests the correction.'
  throw new UserError(problem, hint ?? near, { code: 'invalid-argument' })
}

/** A number without its country code can be from anywhere, so no country is tried: the operator names it. */
async function askCountry(context: Context, ask: Ask, national: string): Promise<string> {
  const usual = await usualCountry(context)
  const numberFrom = (typed: string): string | undefined => {
    const number = numberIn(findCountry(typed).code ?? typed.trim().replace('+', ''), national)
    return handles.whatsapp.safeParse(number).data
  }
  const country = await ask.text({
    message: 'This number has no country code. Which country is it from?',
    placeholder: 'United Kingdom, or GB, or +44',
    ...(usual === undefined ? {} : { initial: usual }),
    validate(typed) {
      if (numberFrom(typed) !== undefined) return undefined
      const { code, suggestions } = findCountry(typed)
      if (code !== undefined) return `${countryName(code)} has no numbers of this form.`
      const others = suggestions.length === 0 ? '' : ` Did you mean ${formatList(suggestions, 'or')}?`
      return `There is no country of that name that has numbers of this form.${others}`
    },
  })
  return numberFrom(country) ?? ''
}

/** The operator must know that linking a channel again ends its unlink. */
async function askToCancelUnlink({ ask }: Context, channel: Channel): Promise<void> {
  const name = channelNames[channel]
  const state = `You unlinked ${name}, and the directory has not acknowledged that yet.`
  if (ask === undefined) {
    throw new UserError(`${state} Linking it again cancels the unlink.`, 'Give --yes to cancel the unlink.', {
      code: 'confirmation-required',
    })
  }
  if (await ask.confirm({ message: `${state} Cancel the unlink and save a handle again?`, initial: false })) return
  throw new UserError('Nothing was saved. koko still sends the unlink.', '`koko status` shows its state.')
}

/** The country of the number that is kept, or around the area of the profile. */
async function usualCountry({ home }: Context): Promise<string | undefined> {
  const number = (await readIfWhole(home, handlesFile))?.whatsapp?.handle
  const code = number === undefined ? undefined : countryCodeOf(number)
  if (code !== undefined) return countryName(code)
  const area = (await readIfWhole(home, profileFile))?.profile.area
  const city = area === undefined ? undefined : cityNear(area)
  const near = city === undefined ? undefined : findCountry(city.country).code
  return near === undefined ? undefined : countryName(near)
}

interface Asked extends Pick<Linked, 'channel' | 'handle' | 'isEmulated'> {
  isAsTyped: boolean
  replaces: boolean
  origin: string | undefined
}

async function askFor(
  { ask }: Context,
  { channel, handle, isAsTyped, isEmulated, replaces, origin }: Asked,
): Promise<void> {
  const name = channelNames[channel]
  if (ask === undefined) {
    if (channel !== 'whatsapp') return
    throw new UserError(
      'On WhatsApp the handle is your phone number, and every listed agent in the room can read it.',
      `Read ${helpPage(origin)}, then give --yes, or link another channel: a Telegram username does not show a number.`,
      { code: 'confirmation-required' },
    )
  }
  if (isEmulated && channel !== 'whatsapp') ask.say(emulatorWarning())
  const shown = handleWords(channel, handle)
  ask.say(`${name} ${shown} will be saved here${replaces ? ' and replace the current handle' : ''}.`)
  // A handle that is kept as typed needs no question, except a phone number, which reveals more than WhatsApp.
  if (channel !== 'whatsapp' && isAsTyped && !replaces) return
  if (await ask.confirm({ message: `Save ${shown} for ${name}?`, initial: channel !== 'whatsapp' })) return
  throw new UserError('Nothing was saved.', 'Run it again when you are ready.', { code: 'cancelled' })
}

function helpPage(origin: string | undefined): string {
  return origin === undefined ? 'the page /help/whatsapp of your directory' : `${origin}/help/whatsapp`
}

function aboutWhatsapp(origin: string | undefined): string {
  return [
    'On WhatsApp the handle is your phone number. Once you publish it, every listed agent in your room and the host of the',
    'directory can read it, and keep it even if you unlink it later. It reveals your country, often your carrier, and what',
    'else is registered under it. You can leave WhatsApp out: any one channel is enough. To keep your own number private,',
    'use another channel, such as a Telegram username; a dedicated number, with its own SIM or eSIM; a generated number from',
    'a provider; or several channels, so that peers can use another one that you share.',
    '',
    `Read this before you decide: ${helpPage(origin)}`,
  ].join('\n')
}
