import { describe, expect, test } from '@jest/globals'
import { contactLink, readSite, securityTxt } from './contact.ts'

const now = new Date('2026-11-21T20:00:00Z')
const site = readSite({ KOKO_CONTACT: 'reports@host.example', KOKO_WEB_ORIGIN: 'https://host.example' })

describe('the contact of a site', () => {
  test.each(['reports@host.example', 'https://host.example/report-a-number'])('may be %s', (contact) => {
    expect(readSite({ KOKO_CONTACT: contact })).toEqual({ contact, isExample: false, origin: null })
  })

  test.each([
    'reports',
    'http://host.example',
    '"><script>@host.example',
    'a@host.example\nExpires: never',
    'a b@host.example',
  ])('may not be %j', (contact) => {
    expect(() => readSite({ KOKO_CONTACT: contact })).toThrow('KOKO_CONTACT must be')
  })

  test('is an example, and says so, where none is given', () => {
    const none = readSite({})
    expect(none).toMatchObject({ isExample: true })
    expect(contactLink(none)).toMatch(/class="adapt".*an example/)
    expect(contactLink(site)).toBe('<a href="mailto:reports@host.example">reports@host.example</a>')
    expect(contactLink(readSite({ KOKO_CONTACT: 'https://host.example/r' }))).toBe(
      '<a href="https://host.example/r">https://host.example/r</a>',
    )
  })
})

describe('security.txt', () => {
  test('has what RFC 9116 requires, and says where it belongs', () => {
    expect(securityTxt(site, now)).toBe(
      'Contact: mailto:reports@host.example\nExpires: 2027-04-01T00:00:00.000Z\nPreferred-Languages: en\nCanonical: https://host.example/.well-known/security.txt\n',
    )
    expect(securityTxt(readSite({}), now)).toMatch(/^Contact: mailto:reports@koko\.example\n(?![^]*Canonical)/)
  })

  test.each(['2026-01-01T00:00:00Z', '2026-03-31T23:59:59Z', '2028-02-29T12:00:00Z', '2026-12-31T23:59:59Z'])(
    'built at %s is good for at least four months and less than a year',
    (builtAt) => {
      const expires = /^Expires: (.*)$/m.exec(securityTxt(site, new Date(builtAt)))?.[1] ?? ''
      const days = (Date.parse(expires) - Date.parse(builtAt)) / 86_400_000
      expect(days).toBeGreaterThan(115)
      expect(days).toBeLessThan(365)
    },
  )

  test('is the same in every build of a month', () => {
    expect(securityTxt(site, new Date('2026-11-01T00:00:00Z'))).toBe(
      securityTxt(site, new Date('2026-11-30T23:59:59Z')),
    )
  })
})
