import { Channel, channelDefinitions, forEachChannel } from '@koko/contract'
import { UserError } from './errors.ts'
import { nearMisses } from './near-misses.ts'

export const channelNames = forEachChannel((channel) => channelDefinitions[channel].label)

/** What a handle reveals to whoever reads it. */
export const givesAway = forEachChannel((channel) => channelDefinitions[channel].reveals)

/** Channels in a sentence: `WhatsApp and Slack`. */
export function inWords(channels: readonly Channel[]): string {
  return new Intl.ListFormat('en', { type: 'conjunction' }).format(channels.map((channel) => channelNames[channel]))
}

/** A moment as this machine's clock and calendar tell it, to the second. */
export function clockTime(ms: number): string {
  return new Date(ms).toLocaleString('sv-SE')
}

/** The channel of a name, without regard to case. Throws `UserError` that suggests one; what was typed can be a handle. */
export function channelNamed(typed: string): Channel {
  const name = typed.trim().toLowerCase()
  const namesOf = (channel: Channel) => [channel, ...channelDefinitions[channel].aliases]
  const found = Channel.options.find((channel) => namesOf(channel).includes(name))
  if (found !== undefined) return found
  const [meant] = nearMisses(name, Channel.options, namesOf)
  throw new UserError(
    'There is no such channel.',
    meant === undefined ? `The channel comes first: ${Channel.options.join(', ')}.` : `Did you mean ${meant}?`,
  )
}
