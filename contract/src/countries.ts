import {
  getCountries,
  getCountryCallingCode,
  isSupportedCountry,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/min'

/** The countries of the world with phone numbers, by their code (ISO 3166-1 alpha-2): every name of each, in English. */
export function countryNames(): { code: string; names: string[] }[] {
  const styles = (['long', 'short'] as const).map((style) => new Intl.DisplayNames('en', { type: 'region', style }))
  return getCountries().map((code) => ({ code, names: [...new Set(styles.map((names) => names.of(code) ?? code))] }))
}

/** The name of a country by its code, in English. */
export function countryName(code: string): string {
  return new Intl.DisplayNames('en', { type: 'region' }).of(code) ?? code
}

/**
 * The country of a number in E.164 form, such as `United States`, or its countries, where several share its form. It is the
 * one that assigned the number: the phone can be anywhere.
 */
export function countryOfNumber(number: string): string {
  const parsed = parsePhoneNumberFromString(number)
  if (parsed === undefined) return 'no known country'
  const [first, ...others] = parsed.country === undefined ? parsed.getPossibleCountries() : [parsed.country]
  // Such as +800, which is free to call from many countries.
  if (first === undefined) return `no single country (+${parsed.countryCallingCode})`
  if (others.length > 3) return `${countryName(first)}, or another country of +${parsed.countryCallingCode}`
  return new Intl.ListFormat('en', { type: 'disjunction' }).format([first, ...others].map(countryName))
}

/** The code of a number's country, where only one has numbers of its form. */
export function countryCodeOf(number: string): string | undefined {
  return parsePhoneNumberFromString(number)?.country
}

/**
 * A number as it is dialled in a country, in E.164 form: `202-555-0123` in `US` is +12025550123. The country is given by
 * its code or by its calling code, such as `44`. Undefined if it is no number there.
 */
export function numberIn(country: string, dialled: string): string | undefined {
  if (isSupportedCountry(country)) {
    return parsePhoneNumberFromString(dialled, { defaultCountry: country, extract: false })?.number
  }
  const isCallingCode = getCountries().some((code) => getCountryCallingCode(code) === country)
  if (!isCallingCode) return undefined
  return parsePhoneNumberFromString(dialled, { defaultCallingCode: country, extract: false })?.number
}
