import { isPossiblePhoneNumber } from 'libphonenumber-js/min'
import * as z from 'zod'
import { keysOf } from './keys-of.ts'
import { numberSpellings } from './number-spellings.ts'
import { strictObject } from './strict-object.ts'

/** A rule in English and its test. */
interface HandleRule {
  readonly must: string
  readonly passes: RegExp | ((handle: string) => boolean)
  /** A handle that passed may fail later. The rule is for new handles only: a stored one must stay readable. */
  readonly isForNew?: true
}

/** A messaging service on which agents can be reached. */
interface ChannelDefinition {
  /** The name that people know, such as `WhatsApp`. */
  readonly label: string
  /** What people call their own handle, such as `WhatsApp number`. */
  readonly handleLabel: string
  /** Short names that people type. */
  readonly aliases: readonly string[]
  /** What a handle is, for JSON Schema and the reference. */
  readonly description: string
  /** The rules of a handle's one canonical form, in order: the first that fails is reported. */
  readonly rules: readonly HandleRule[]
  /** What a handle reveals to the people who read it. */
  readonly reveals: string
  /** Agents that share several channels use the one with the lowest rank, which reveals the least. */
  readonly privacyRank: number
  /** Every text that reaches the same account as the handle, in the same order for each of them. */
  readonly spellings: (handle: string) => [first: string, ...others: string[]]
  /** The web page that opens a conversation; undefined if the handle is not enough for one. */
  readonly url: (handle: string) => string | undefined
}

const maxSnowflake = 2n ** 64n - 1n

const definitions = {
  whatsapp: {
    label: 'WhatsApp',
    handleLabel: 'WhatsApp number',
    aliases: ['wa'],
    description: 'A phone number in E.164 form, such as +12025550123',
    // ITU-T E.164 allows 15 digits. Which country codes and lengths are possible changes with libphonenumber's data.
    rules: [
      { must: 'must begin with + and the country code, such as +12025550123', passes: /^\+/ },
      {
        must: 'must hold only the digits 0 to 9 after the +, without spaces, dashes or brackets',
        passes: /^\+[0-9]+$/,
      },
      { must: 'must not begin with +0, because no country code begins with 0', passes: /^\+[1-9]/ },
      { must: 'must have 7 to 15 digits', passes: /^\+[1-9]\d{6,14}$/ },
      {
        must: 'must be a possible number: an assigned country code and a length that occurs there',
        passes: (number) => isPossiblePhoneNumber(number),
        isForNew: true,
      },
    ],
    reveals: 'Reveals your phone number: your country, often your carrier, and what else is registered under it.',
    privacyRank: 4,
    spellings: numberSpellings,
    url: (number) => `https://wa.me/${number.slice(1)}`,
  },
  telegram: {
    label: 'Telegram',
    handleLabel: 'Telegram username',
    aliases: ['tg'],
    description: 'A Telegram username without the @',
    // https://core.telegram.org/method/account.checkUsername
    rules: [
      { must: 'must be written without the @', passes: /^(?!@)/ },
      { must: 'must hold only the letters a to z, digits and _', passes: /^[A-Za-z0-9_]*$/ },
      { must: 'must have 5 to 32 characters', passes: /^.{5,32}$/ },
      { must: 'must begin with a letter', passes: /^[A-Za-z]/ },
      { must: 'must not hold two _ in a row', passes: /^(?!.*__)/ },
      { must: 'must not end in _', passes: /[^_]$/ },
    ],
    reveals: 'Reveals your username. Your number stays hidden if your Telegram settings hide it.',
    privacyRank: 1,
    // Telegram compares usernames without case: https://core.telegram.org/method/contacts.resolveUsername
    spellings: (username) => [username.toLowerCase()],
    url: (username) => `https://t.me/${username}`,
  },
  discord: {
    label: 'Discord',
    handleLabel: 'Discord user id',
    aliases: ['dc'],
    description: 'A Discord user id (snowflake), as a decimal string',
    // Unsigned 64-bit integers: https://discord.com/developers/docs/reference#snowflakes
    rules: [
      { must: 'must hold only the digits 0 to 9', passes: /^[0-9]*$/ },
      { must: 'must have 17 to 20 digits', passes: /^.{17,20}$/ },
      { must: 'must not begin with 0', passes: /^[1-9]/ },
      { must: `must be at most ${maxSnowflake}`, passes: (id) => BigInt(id) <= maxSnowflake },
    ],
    reveals: 'Reveals your user id: your public profile, and the year you joined.',
    privacyRank: 2,
    spellings: (id) => [id],
    url: (id) => `https://discord.com/users/${id}`,
  },
  slack: {
    label: 'Slack',
    handleLabel: 'Slack member id',
    aliases: [],
    description: 'A Slack member id, such as U012AB3CD',
    // https://docs.slack.dev/reference/objects/user-object
    rules: [
      { must: 'must begin with U or W', passes: /^[UW]/ },
      { must: 'must hold only capital letters A to Z and digits', passes: /^[A-Z0-9]*$/ },
      { must: 'must have 9 to 21 characters', passes: /^[UW][A-Z0-9]{8,20}$/ },
    ],
    reveals: 'Reveals your member id. It means something only to members of the same workspace.',
    privacyRank: 3,
    spellings: (id) => [id],
    // The page needs the workspace, which the listing does not name.
    url: () => undefined,
  },
} satisfies Record<string, ChannelDefinition>

export type Channel = keyof typeof definitions

export const channelDefinitions: Readonly<Record<Channel, ChannelDefinition>> = definitions

const names = keysOf(definitions)

export const Channel = z.enum(names, { error: `must be one of ${names.join(', ')}` })

/** An object with a value for each channel. */
export function forEachChannel<T>(valueOf: (channel: Channel) => T): Record<Channel, T> {
  return Object.fromEntries(names.map((channel) => [channel, valueOf(channel)])) as Record<Channel, T>
}

function handleSchemas(applies: (rule: HandleRule) => boolean) {
  return forEachChannel((channel) => {
    const { description, rules } = channelDefinitions[channel]
    let schema = z.string('must be a string')
    for (const { must, passes } of rules.filter(applies)) {
      const params = { error: must, abort: true }
      schema = passes instanceof RegExp ? schema.regex(passes, params) : schema.refine(passes, params)
    }
    return schema.describe(description)
  })
}

/** Each channel's handle in its one canonical form. The server never repairs a handle. */
export const handles = handleSchemas(() => true)

/** Each channel's handle as it is read back. */
export const storedHandles = handleSchemas(({ isForNew }) => isForNew !== true)

function channelsMap(schemas: Record<Channel, z.ZodString>) {
  return strictObject(forEachChannel((channel) => schemas[channel].optional()))
    .refine((channels) => Object.values(channels).some((handle) => handle !== undefined), {
      error: `must hold at least one of ${names.join(', ')}`,
    })
    .meta({ minProperties: 1 })
}

/** The handles of a listing, by channel: at least one. */
export const Channels = channelsMap(handles)
export type Channels = z.infer<typeof Channels>

/** The handles of a listing as they are read back. */
export const StoredChannels = channelsMap(storedHandles)
