import { Channel, channelDefinitions, countryOfNumber, forEachChannel, forEachRoom } from '@koko/contract'
import { UserError } from './errors.ts'
import { nearMisses } from './near-misses.ts'
import { formatList } from './output.ts'

export const channelNames = forEachChannel((channel) => channelDefinitions[channel].label)

/** What a handle reveals to a peer. */
export const reveals = forEachChannel((channel) => channelDefinitions[channel].reveals)

/** A handle as it is shown before it is kept or published: a phone number with its country. */
export function handleWords(channel: Channel, handle: string): string {
  return channel === 'whatsapp' ? `${handle} (${countryOfNumber(handle)})` : handle
}

/** Channels in a sentence: `WhatsApp and Slack`. */
export function inWords(channels: readonly Channel[]): string {
  return formatList(channels.map((channel) => channelNames[channel]))
}

/** Local time, such as `2026-11-21 09:00:00`. */
export function clockTime(ms: number): string {
  return new Date(ms).toLocaleString('sv-SE')
}

/** The fields by which these peers are described, in the order of their rooms, and the heading of each. */
export function summaryFields(peers: readonly object[]): { name: string; heading: string }[] {
  const fields = forEachRoom((_, { summary, fields }) =>
    summary.map((name): [string, string] => [name, fields[name]?.heading ?? name]),
  )
  return [...new Map(fields.flat())]
    .filter(([name]) => peers.some((peer) => Object.hasOwn(peer, name)))
    .map(([name, heading]) => ({ name, heading }))
}

/** A field of a peer, such as `long term`. */
export function summaryWords(peer: object, name: string): string {
  const value: unknown = new Map<string, unknown>(Object.entries(peer)).get(name)
  const values = Array.isArray(value) ? value : [value ?? '']
  return values.map((each) => String(each).replaceAll('_', ' ')).join(', ')
}

export function distanceWords({ about }: { about: number }): string {
  return about === 0 ? 'same area' : `about ${about.toLocaleString('en-US')} km`
}

/** How much of a day's budget is used, such as `2 of 2,000`. */
export function share({ used, of }: { used: number; of: number }): string {
  return `${used.toLocaleString('en-US')} of ${of.toLocaleString('en-US')}`
}

const underEmulators = 'on emulators: use fictional numbers only'

export function directoryWords({ origin, isEmulated }: { origin: string; isEmulated: boolean }): string {
  return isEmulated ? `${origin} (${underEmulators})` : origin
}

export function emulatorWarning(directory = 'This directory'): string {
  return `${directory} runs ${underEmulators}.`
}

/** Throws `UserError` with a suggestion, and without what was typed, which can be a handle. */
export function channelNamed(typed: string): Channel {
  const name = typed.trim().toLowerCase()
  const namesOf = (channel: Channel) => [channel, ...channelDefinitions[channel].aliases]
  const found = Channel.options.find((channel) => namesOf(channel).includes(name))
  if (found !== undefined) return found
  const [meant] = nearMisses(name, Channel.options, namesOf)
  throw new UserError(
    'There is no such channel.',
    meant === undefined ? `The channels are ${formatList(Channel.options)}.` : `Did you mean ${meant}?`,
    { code: 'invalid-argument' },
  )
}
