import { isPossiblePhoneNumber, parsePhoneNumberFromString } from 'libphonenumber-js/min'
import * as z from 'zod'
import { strictObject } from './strict-object.ts'

/** A rule in English and its test. Rules are followed in their order; the first that fails is the one reported. */
interface Rule {
  readonly must: string
  readonly passes: RegExp | ((handle: string) => boolean)
}

function handle(description: string, rules: readonly Rule[]) {
  let schema = z.string('must be a string')
  for (const { must, passes } of rules) {
    schema =
      passes instanceof RegExp
        ? schema.regex(passes, { error: must, abort: true })
        : schema.refine(passes, { error: must, abort: true })
  }
  return schema.describe(description)
}

const biggestSnowflake = 2n ** 64n - 1n

/**
 * The rules that a handle follows, in their order.
 *
 * Sources: WhatsApp numbers are E.164 (ITU-T E.164, at most 15 digits) and libphonenumber's *possible* numbers; Telegram
 * usernames as https://core.telegram.org/method/account.checkUsername; Discord ids are unsigned 64-bit snowflakes
 * (https://discord.com/developers/docs/reference#snowflakes); Slack member ids begin with U or W
 * (https://docs.slack.dev/reference/objects/user-object).
 */
export const handleRules = {
  whatsapp: [
    { must: 'must begin with + and the country code, such as +12025550123', passes: /^\+/ },
    { must: 'must hold only the digits 0 to 9 after the +, without spaces, dashes or brackets', passes: /^\+[0-9]+$/ },
    { must: 'must begin with a country code, and none begins with 0', passes: /^\+[1-9]/ },
    { must: 'must have 7 to 15 digits', passes: /^\+[1-9]\d{6,14}$/ },
    {
      must: 'must be a possible number: an assigned country code and a length that occurs there',
      passes: (number) => isPossiblePhoneNumber(number),
    },
  ],
  telegram: [
    { must: 'must be written without the @', passes: /^(?!@)/ },
    { must: 'must hold only the letters a to z, digits and _', passes: /^[A-Za-z0-9_]*$/ },
    { must: 'must have 5 to 32 characters', passes: /^.{5,32}$/ },
    { must: 'must begin with a letter', passes: /^[A-Za-z]/ },
    { must: 'must not hold two _ in a row', passes: /^(?!.*__)/ },
    { must: 'must not end in _', passes: /[^_]$/ },
  ],
  discord: [
    { must: 'must hold only the digits 0 to 9', passes: /^[0-9]*$/ },
    { must: 'must have 17 to 20 digits', passes: /^.{17,20}$/ },
    { must: 'must not begin with 0', passes: /^[1-9]/ },
    { must: 'must be at most 18446744073709551615', passes: (id) => BigInt(id) <= biggestSnowflake },
  ],
  slack: [
    { must: 'must begin with U or W', passes: /^[UW]/ },
    { must: 'must hold only capital letters A to Z and digits', passes: /^[A-Z0-9]*$/ },
    { must: 'must have 9 to 21 characters', passes: /^[UW][A-Z0-9]{8,20}$/ },
  ],
} satisfies Record<string, readonly Rule[]>

/** A handle in its one canonical form. The server never repairs one. */
export const handles = {
  whatsapp: handle('A phone number in E.164 form, such as +12025550123', handleRules.whatsapp),
  telegram: handle('A Telegram username without the @', handleRules.telegram),
  discord: handle('A Discord user id (snowflake), as a decimal string', handleRules.discord),
  slack: handle('A Slack member id, such as U012AB3CD', handleRules.slack),
}

export const Channel = z.enum(['whatsapp', 'telegram', 'discord', 'slack'], {
  error: 'must be one of whatsapp, telegram, discord, slack',
})
export type Channel = z.infer<typeof Channel>

function channelsOf<Number extends z.ZodType<string>>(whatsapp: Number) {
  return strictObject({
    whatsapp: whatsapp.optional(),
    telegram: handles.telegram.optional(),
    discord: handles.discord.optional(),
    slack: handles.slack.optional(),
  } satisfies Record<Channel, z.ZodType>)
    .refine((channels) => Object.values(channels).some((handle) => handle !== undefined), {
      error: 'must hold at least one of whatsapp, telegram, discord, slack',
    })
    .meta({ minProperties: 1 })
}

/** The channels of a listing, each with its handle: any of the four, at least one. */
export const Channels = channelsOf(handles.whatsapp)
export type Channels = z.infer<typeof Channels>

/**
 * The channels as they are read back. What numbers are possible changes with libphonenumber's data: a number that was
 * accepted once must stay readable, and so unlinkable.
 */
export const StoredChannels = channelsOf(
  handle(
    'A phone number in E.164 form',
    handleRules.whatsapp.filter(({ passes }) => passes instanceof RegExp),
  ),
)

/**
 * One text for all spellings of a handle that reach the same account: a number may carry its country's trunk prefix
 * (+4407700900123 is possible, and is +447700900123) or lack an area code that goes without saying, and Telegram
 * compares usernames without case (https://core.telegram.org/method/contacts.resolveUsername).
 */
export function handleIdentity(channel: Channel, handle: string): string {
  switch (channel) {
    case 'whatsapp':
      return numberIdentity(handle)
    case 'telegram':
      return handle.toLowerCase()
    case 'discord':
    case 'slack':
      return handle
  }
}

/** libphonenumber takes off one prefix at a time: +4900… is +490…, which is +49…. */
function numberIdentity(number: string): string {
  let identity = number
  for (let step = 0; step < longestNumber; step += 1) {
    const parsed = parsePhoneNumberFromString(identity)?.number
    if (parsed === undefined || parsed === identity) break
    identity = parsed
  }
  return identity
}

const longestNumber = 16
