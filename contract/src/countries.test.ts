import { expect, test } from '@jest/globals'
import { countryName, countryNames, countryOfNumber, numberIn } from './countries.ts'

test.each([
  ['+12025550123', 'United States'],
  ['+447700900123', 'United Kingdom, Guernsey, Isle of Man, or Jersey'],
  ['+2025550123', 'Egypt'],
  ['+15555550123', 'United States, or another country of +1'],
  ['+80012345678', 'no single country (+800)'],
  ['+9991234567', 'no known country'],
])('names the country of %s: %s', (number, country) => {
  expect(countryOfNumber(number)).toBe(country)
})

test.each([
  ['US', '202-555-0123', '+12025550123'],
  ['US', '12025550123', '+12025550123'],
  ['1', '202-555-0123', '+12025550123'],
  ['GB', '07700 900123', '+447700900123'],
  ['44', '07700 900123', '+447700900123'],
  ['US', '011 44 7700 900123', '+447700900123'],
  ['US', 'no number', undefined],
  ['999', '07700 900123', undefined],
  ['nowhere', '07700 900123', undefined],
])('reads a number as it is dialled in %s: %s is %s', (country, dialled, number) => {
  expect(numberIn(country, dialled)).toBe(number)
})

test('knows every country by its long name and its short one', () => {
  const names = new Map(countryNames().map((country) => [country.code, country.names]))
  expect(names.get('GB')).toEqual(['United Kingdom', 'UK'])
  expect(names.get('EG')).toEqual(['Egypt'])
  expect(countryName('EG')).toBe('Egypt')
})
