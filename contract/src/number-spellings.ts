import { parsePhoneNumberFromString } from 'libphonenumber-js/min'

/**
 * Numbers that have two forms for the same subscriber, because the numbering plan changed. WhatsApp keeps the form with
 * which an account was made, and finds the account under either: https://github.com/tulir/whatsmeow/issues/874 shows the
 * server's answers for Brazil and Mexico. Only ranges are listed in which the second form belongs to nobody else.
 */
const plans: readonly { pattern: RegExp; spellings: readonly [today: string, other: string] }[] = [
  {
    // Brazil put a 9 before each eight-digit mobile number from 2012 to 2016: https://www.teleco.com.br/num_cel.asp
    // These began with 6 to 9; landlines begin with 2 to 5 and keep eight digits. Nobody can have an eight-digit mobile
    // number now. WhatsApp ids lack the 9 outside the areas 11–19, 21, 22, 24, 27 and 28
    // (https://green-api.com/en/docs/faq/features-of-sending-and-receiving-messages-from-different-countries), and in
    // these areas too a look-up without it finds the account: https://github.com/adiwajshing/Baileys/issues/220
    pattern: /^\+55(?<area>[1-9]{2})9?(?<rest>[6-9]\d{7})$/,
    spellings: ['+55$<area>9$<rest>', '+55$<area>$<rest>'],
  },
  {
    // WhatsApp wants the mobile 9 in every Argentine number: https://faq.whatsapp.com/1294841057948784
    // Accounts exist under both: https://github.com/chatwoot/chatwoot/pull/14264. Area codes begin with 11, 2 or 3.
    pattern: /^\+549?(?<rest>(?:11|[23]\d)\d{8})$/,
    spellings: ['+549$<rest>', '+54$<rest>'],
  },
  {
    // Mexico dropped the mobile 1 in 2019, and WhatsApp did not: https://faq.whatsapp.com/640432094208718
    // National numbers have ten digits and never begin with 0 or 1.
    pattern: /^\+521?(?<rest>[2-9]\d{9})$/,
    spellings: ['+52$<rest>', '+521$<rest>'],
  },
  // Côte d'Ivoire put the operator's two digits before each eight-digit mobile number in 2021. The second digit told the
  // operator: https://www.itu.int/dms_pub/itu-t/oth/02/02/T02020000310006PDFE.pdf
  // WhatsApp finds the old accounts under both forms: https://github.com/devlikeapro/waha/issues/1894
  {
    pattern: /^\+225(?:01)?(?<rest>[04-8][0-3]\d{6})$/,
    spellings: ['+22501$<rest>', '+225$<rest>'],
  },
  {
    pattern: /^\+225(?:05)?(?<rest>[04-8][4-6]\d{6})$/,
    spellings: ['+22505$<rest>', '+225$<rest>'],
  },
  {
    pattern: /^\+225(?:07)?(?<rest>[04-8][7-9]\d{6})$/,
    spellings: ['+22507$<rest>', '+225$<rest>'],
  },
  {
    // Benin put 01 before every eight-digit number in 2024: https://github.com/mobi/telephone_number/issues/138
    // Mobile numbers began with 4, 5, 6 or 9.
    pattern: /^\+229(?:01)?(?<rest>[4-69]\d{7})$/,
    spellings: ['+22901$<rest>', '+229$<rest>'],
  },
]

/** The E.164 numbers that reach the same WhatsApp account, today's form first. Each of them has the same spellings. */
export function numberSpellings(number: string): [today: string, ...others: string[]] {
  const plain = withoutTrunkPrefix(number)
  const plan = plans.find(({ pattern }) => pattern.test(plain))
  if (plan === undefined) return [plain]
  const [today, other] = plan.spellings
  return [plain.replace(plan.pattern, today), plain.replace(plan.pattern, other)]
}

/** E.164: 15 digits and the plus sign. */
const maxNumberLength = 16

/**
 * A number may have its country's trunk prefix (+4407700900123 is +447700900123) or lack an implied area code.
 * libphonenumber removes one prefix at a time: +4900… becomes +490…, then +49….
 */
function withoutTrunkPrefix(number: string): string {
  let plain = number
  for (let step = 0; step < maxNumberLength; step += 1) {
    const parsed = parsePhoneNumberFromString(plain)?.number
    if (parsed === undefined || parsed === plain) break
    plain = parsed
  }
  return plain
}
