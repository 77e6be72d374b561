import { Channel, handles } from '@koko/contract'

export type NormalisedHandle =
  | { handle: string }
  | {
      /** The rule that it breaks, such as `must begin with a letter`; without the handle. */
      because: string
      /** A sentence without the handle. */
      hint: string | undefined
      /** A close handle that passes; shown to the operator only. */
      suggestion: string | undefined
      /** A phone number without its country, as it was typed: the operator knows the country, and nobody else does. */
      national: string | undefined
    }

/** Removes what people and programs put around a handle, and checks the rest with the schema of the contract. */
export function normaliseHandle(channel: Channel, typed: string): NormalisedHandle {
  const handle = unwrap[channel](asTyped(typed))
  const checked = handles[channel].safeParse(handle)
  if (checked.success) return { handle: checked.data }
  const suggestion = near[channel](handle).find((guess) => handles[channel].safeParse(guess).success)
  return {
    because: checked.error.issues[0]?.message ?? 'is not valid',
    hint: suggestion === undefined ? hintFor(channel, asTyped(typed)) : undefined,
    suggestion,
    national: channel === 'whatsapp' && suggestion === undefined ? nationalNumber(handle) : undefined,
  }
}

/** Without invisible characters, and with ASCII letters and digits for their variants. */
function asTyped(typed: string): string {
  return typed
    .normalize('NFKC')
    .replace(/\p{Cf}/gu, '')
    .replace(/\p{Nd}/gu, asciiDigit)
    .trim()
}

/** The zeros of the digits that phones write numbers with: Arabic-Indic, Persian, Devanagari, Bengali, Thai. */
const zeros = [0x0660, 0x06f0, 0x0966, 0x09e6, 0x0e50]

function asciiDigit(digit: string): string {
  const code = digit.codePointAt(0) ?? 0
  const zero = zeros.find((each) => code >= each && code < each + 10)
  return zero === undefined ? digit : String(code - zero)
}

/** What stands around a handle where it was copied from. */
const unwrap: Record<Channel, (typed: string) => string> = {
  whatsapp(typed) {
    const linked =
      /^(?:https?:\/\/)?(?:wa\.me\/|api\.whatsapp\.com\/send\/?\?(?:.*&)?phone=)(?:\+|%2B)?([^/?&#]+)/i.exec(typed)
    if (linked?.[1] !== undefined) return `+${undivided(linked[1])}`
    const number = typed.replace(/^(?:tel|sms|whatsapp):/i, '').trim()
    // A 0 in brackets is dialled only within the country.
    const isInternational = /^(?:\+|00)/.test(number)
    return undivided(isInternational ? number.replace(/\(0\)/, '') : number).replace(/^00/, '+')
  },
  telegram(typed) {
    const link = /^(?:https?:\/\/)?(?:www\.)?(?:t\.me|telegram\.(?:me|dog))\/@?(\w+)\/?(?:[?#].*)?$/i.exec(typed)
    const scheme = /^tg:\/\/resolve\/?\?(?:.*&)?domain=(\w+)/i.exec(typed)
    const subdomain = /^(?:https?:\/\/)?(\w+)\.t\.me\/?$/i.exec(typed)
    return (link?.[1] ?? scheme?.[1] ?? subdomain?.[1] ?? typed).replace(/^@/, '').trim()
  },
  discord(typed) {
    const mention = /^<@!?(\d+)>$/.exec(typed)
    const link = /^(?:https?:\/\/)?(?:(?:www|ptb|canary)\.)?discord(?:app)?\.com\/users\/(\d+)/i.exec(typed)
    return mention?.[1] ?? link?.[1] ?? typed
  },
  slack(typed) {
    const mention = /^<@(\w+)(?:\|[^>]*)?>$/.exec(typed)
    const link =
      /^(?:https?:\/\/)?[a-z0-9.-]+\.slack\.com\/(?:.*\/)?(?:team|user_profile)\/(\w+)/i.exec(typed) ??
      /^slack:\/\/user\/?\?(?:.*&)?id=(\w+)/i.exec(typed)
    const id = mention?.[1] ?? link?.[1] ?? typed
    // A word without a digit is a name, and would pass in capitals.
    return /\d/.test(id) ? id.replace(/[a-z]/g, (letter) => letter.toUpperCase()) : id
  },
}

function undivided(number: string): string {
  return number.replace(/[\s().\-\u2010-\u2015\u2212/·]/g, '')
}

/** What may have been meant, the likeliest first. */
const near: Record<Channel, (handle: string) => string[]> = {
  // Only what was typed with a country code: any other number may be from anywhere.
  whatsapp: (handle) => (/^\+(?:\++|\+*00)[1-9]/.test(handle) ? [`+${handle.replace(/^\+[+0]*/, '')}`] : []),
  telegram: (handle) => [
    handle
      .replace(/[\s.-]+/g, '_')
      .replace(/_{2,}/g, '_')
      .replace(/^_|_$/g, ''),
  ],
  discord: (handle) => [handle.replace(/[\s,._'-]/g, '')],
  slack: (handle) => [handle.replace(/[\s@_-]/g, '')],
}

/** The digits of a number that was typed without a country code. A single zero after the + is dialled at home only. */
function nationalNumber(handle: string): string | undefined {
  return /^(?:\+?0|[1-9])\d{3,16}$/.test(handle) ? handle.replace('+', '') : undefined
}

const wanted: Record<Channel, string> = {
  whatsapp: 'Write the number with its country code, as it is dialled from abroad.',
  telegram: 'Find or choose your username in Telegram under Settings.',
  discord:
    'A username is not an id: turn on Developer Mode in Discord under Settings, Advanced, then choose Copy User ID from the menu of your name.',
  slack: 'A name is not an id: in Slack, open your profile, then its menu, and choose Copy member ID.',
}

function hintFor(channel: Channel, typed: string): string {
  const other = channelOf(typed)
  if (other !== undefined && other !== channel) return `That is for ${other}: \`koko link ${other} …\`.`
  if (channel === 'whatsapp' && typed.startsWith('@')) {
    return 'On WhatsApp the handle is your number, not a username. To keep your number private, use another channel.'
  }
  return wanted[channel]
}

/** The only channel that a text can be for, by its form. */
function channelOf(typed: string): Channel | undefined {
  const forms: Record<Channel, RegExp> = {
    whatsapp: /^(?:\+|00|tel:|(?:https?:\/\/)?(?:wa\.me|api\.whatsapp\.com)\/)/i,
    telegram: /^(?:https?:\/\/)?(?:[\w.]+\.)?(?:t\.me|telegram\.me)\b|^tg:/i,
    discord: /^(?:\d|<@!?\d|(?:https?:\/\/)?[\w.]*discord(?:app)?\.com\/)/i,
    slack: /^(?:[UW](?=[A-Z]*\d)|<@[UW]|(?:https?:\/\/)?[\w.-]+\.slack\.com\/|slack:)/,
  }
  return Channel.options.find(
    (channel) => forms[channel].test(typed) && handles[channel].safeParse(unwrap[channel](typed)).success,
  )
}
