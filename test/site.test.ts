import { describe, expect, test } from '@jest/globals'
import { globSync, readFileSync } from 'node:fs'
import { handles, Listing } from '@koko/contract'
import { commands } from '../agent/src/cli.ts'
import { invalidFixtures, validFixtures } from '../fixtures/read.ts'
import { layout } from '../web/layout.ts'

const web = new URL('../web/', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, web), 'utf8')

const pages = new Map(
  globSync(['*.html', 'help/*.html'], { cwd: web }).map((file) => {
    const path = `/${file.replace(/\.html$/, '').replace(/^index$/, '')}`
    return [path, layout(read(file), `/${file}`)]
  }),
)
const help = pages.get('/help/whatsapp') ?? ''

/** The text of an HTML fragment. */
function textOf(html: string): string {
  return html
    .replaceAll(/<[^>]+>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
}

const codeIn = (html: string) => [...html.matchAll(/<code>([\s\S]*?)<\/code>/g)].map(([, code]) => textOf(code ?? ''))

describe('the page about WhatsApp', () => {
  test('shows a listing with a phone number exactly as the contract stores it, and where', () => {
    const shown: unknown = JSON.parse(textOf(/<pre[^>]*>([\s\S]*?)<\/pre>/.exec(help)?.[1] ?? ''))
    expect(Listing.parse(shown)).toEqual(shown)
    expect(Object.keys(Listing.parse(shown).channels)).toEqual(['whatsapp'])
    expect(codeIn(help)).toContain('mcpDirectory/dating/agents/{agentId}')
    expect(textOf(help).replaceAll(/\s+/g, ' ')).toContain('the eight fields of your profile')
    expect(Object.keys(Listing.parse(shown).profile)).toHaveLength(8)
  })

  test('gives the rule of the contract for numbers', () => {
    const pattern = new RegExp(codeIn(help).find((code) => code.startsWith('^\\+')) ?? 'none')
    for (const { input } of validFixtures('channels/whatsapp'))
      expect([input, pattern.test(String(input))]).toEqual([input, true])
    // libphonenumber refuses some more: the page says so in words.
    const refused = invalidFixtures('channels/whatsapp').filter(({ input }) => !pattern.test(String(input)))
    expect(refused.length).toBeGreaterThan(5)
    for (const { input } of refused) expect(handles.whatsapp.safeParse(input).success).toBe(false)
    expect(help).toContain('It must have 7 to 15 digits.')
  })

  test('answers each question under a heading of its own', () => {
    const headings: Record<string, string | undefined> = Object.fromEntries(
      [...help.matchAll(/<h[23] id="([^"]+)">([^<]+)</g)].map(([, id = '', text]) => [id, text]),
    )
    expect(headings).toEqual({
      stored: 'What is stored',
      optional: 'WhatsApp is optional',
      ways: 'Four ways to keep your number private',
      'another-channel': '1. Use another channel',
      'dedicated-number': '2. Use a dedicated number',
      'generated-number': '3. Use a generated number from a provider',
      'several-channels': '4. Publish several channels',
      bytes: 'The exact bytes',
      format: 'How a number is written',
      checklist: 'Checklist',
      'publish-whatsapp': 'To publish WhatsApp',
      'telegram-only': 'To publish Telegram only',
      'publish-several': 'To publish several channels',
      'change-your-mind': 'To change your mind',
      privacy: 'Privacy in one sentence',
      'whatsapp-rules': 'WhatsApp’s own rules',
      'business-policy': 'Meta’s Business policy excludes dating services',
      'cold-messages': 'Cold messages get accounts restricted',
      usernames: 'A business username does not hide the number',
    })
  })

  test('gives a source for each rule of WhatsApp, which learns nothing of who follows it', () => {
    const sources = [...help.matchAll(/<a\s([^>]*href="(https:[^"]+)"[^>]*)>/g)]
    expect(sources.map(([, , href]) => new URL(href ?? '').host)).toEqual([
      'www.whatsapp.com',
      'business.whatsapp.com',
      'faq.whatsapp.com',
      'faq.whatsapp.com',
      'developers.facebook.com',
    ])
    for (const [link] of sources) expect(link).toContain('rel="noreferrer"')
  })
})

test('the page about privacy says how exactly each kind of time is stored', () => {
  const [, times = ''] = textOf(pages.get('/privacy') ?? '').split('How exact the times are')
  const kinds = [...times.replaceAll(/\s+/g, ' ').matchAll(/(To the \w+|As exactly as Google records it): ([^:]+)\./g)]
  expect(kinds.map(([, kind]) => kind)).toEqual([
    'To the day',
    'To the minute',
    'To the millisecond',
    'As exactly as Google records it',
  ])
  const [day, minute, millisecond, google] = kinds.map(([, , text]) => text)
  expect(day).toMatch(/your listing/)
  expect(minute).toMatch(/last published/)
  expect(millisecond).toMatch(/registered.*unlinked.*settings link/)
  expect(google).toMatch(/sign-in record.*each document/)
})

test('every command of koko on the pages is one that koko has, with its options', async () => {
  const lines = [...pages.values()]
    .flatMap((page) => [
      ...codeIn(page),
      ...[...page.matchAll(/<pre[^>]*>([\s\S]*?)<\/pre>/g)].map(([, pre]) => textOf(pre ?? '')),
    ])
    .flatMap((code) => code.split('\n'))
    .filter((line) => line.startsWith('koko '))
  expect(lines.length).toBeGreaterThan(10)
  for (const line of lines) {
    const [, name = '', ...words] = line.split(' ')
    const command = await commands.get(name)?.()
    const has = ({ syntax }: { syntax: string }, option: string) => syntax.split(' ')[0] === option
    const unknown = words.filter((word) => word.startsWith('--') && !command?.options.some((each) => has(each, word)))
    expect([line, command !== undefined, unknown]).toEqual([line, true, []])
  }
})

test('every link within the site leads to a page or a heading that exists', () => {
  for (const [path, page] of pages) {
    for (const [, href = ''] of page.matchAll(/<a\s[^>]*?href="([^"]+)"/g)) {
      if (/^https:|^\/api\//.test(href)) continue
      const { pathname, hash } = new URL(href, `https://directory.example${path}`)
      const target = pages.get(pathname)
      expect([path, href, target !== undefined]).toEqual([path, href, true])
      if (hash !== '')
        expect([path, href, target]).toEqual([path, href, expect.stringContaining(` id="${hash.slice(1)}"`)])
    }
  }
})

test('a page that asks for an unknown fact fails the build', () => {
  expect(() => layout('<main>{{nothing}}</main>', '/page.html')).toThrow('/page.html asks for the fact nothing')
})

test('no page is left with the name of a fact', () => {
  for (const [path, page] of pages) expect([path, /\{\{/.exec(page)]).toEqual([path, null])
})

test('robots may read the public pages, and neither settings nor the API', () => {
  const lines = read('public/robots.txt').trim().split('\n')
  expect(lines[0]).toBe('User-agent: *')
  const closed = lines.slice(1).map((line) => line.replace('Disallow: ', ''))
  const isClosed = (path: string) => closed.some((start) => path.startsWith(start))
  const paths = [...pages.keys(), '/api/v1/config', '/pictures/settings-wide-light.png']
  expect(paths.filter(isClosed).sort()).toEqual(['/api/v1/config', '/settings'])
})
