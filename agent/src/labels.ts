import { Channel } from '@koko/contract'
import { Advice } from './errors.ts'
import { nearMisses } from './near-misses.ts'

export const channelNames = {
  whatsapp: 'WhatsApp',
  telegram: 'Telegram',
  discord: 'Discord',
  slack: 'Slack',
} satisfies Record<Channel, string>

/** What a handle tells whoever reads it. */
export const givesAway = {
  whatsapp: 'Gives away your phone number: your country, often your carrier, and what else is registered under it.',
  telegram: 'Gives away your username. Your number stays hidden as your Telegram settings say.',
  discord: 'Gives away your user id: your public profile, and the year you joined.',
  slack: 'Gives away your member id. It means something only to members of the same workspace.',
} satisfies Record<Channel, string>

/** Channels in a sentence: `WhatsApp and Slack`. */
export function inWords(channels: readonly Channel[]): string {
  return new Intl.ListFormat('en', { type: 'conjunction' }).format(channels.map((channel) => channelNames[channel]))
}

/** A moment as this machine's clock and calendar tell it, to the second. */
export function clockTime(ms: number): string {
  return new Date(ms).toLocaleString('sv-SE')
}

/** What a channel is called besides its name. */
const otherNames: Record<Channel, string[]> = { whatsapp: ['wa'], telegram: ['tg'], discord: ['dc'], slack: [] }

/** The channel of a name, without regard to case. Throws `Advice` that suggests one; what was typed can be a handle. */
export function channelNamed(typed: string): Channel {
  const name = typed.trim().toLowerCase()
  const namesOf = (channel: Channel) => [channel, ...otherNames[channel]]
  const found = Channel.options.find((channel) => namesOf(channel).includes(name))
  if (found !== undefined) return found
  const [meant] = nearMisses(name, Channel.options, namesOf)
  throw new Advice(
    'There is no such channel.',
    meant === undefined ? `The channel comes first: ${Channel.options.join(', ')}.` : `Did you mean ${meant}?`,
  )
}
