import type { Channel } from '@koko/contract'

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
