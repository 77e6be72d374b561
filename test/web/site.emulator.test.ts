import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Browser, Locator } from 'playwright-core'
import firebase from '../../firebase.json' with { type: 'json' }
import { authOrigin, firestoreOrigin, hostingOrigin, root } from '../../scripts/stack/addresses.ts'
import { webSizes } from '../../scripts/web-sizes.ts'
import { launchChromium, openTab, scrollsSideways } from '../../testing/browser.ts'
import { registerAgent } from '../../testing/registered-agent.ts'
import { expectSound, heading, openSettings } from './settings.ts'

jest.setTimeout(180_000)

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

const pages = {
  '/': 'An introduction, and nothing else.',
  '/terms': 'Terms of use',
  '/disclaimer': 'Disclaimer',
  '/privacy': 'Privacy',
  '/report': 'Somebody published my number',
  '/settings': 'You need a link from your agent to open this page',
  '/help/whatsapp': 'WhatsApp and your number',
  '/nothing-here': 'Page not found',
}
const dist = join(root, 'web', 'dist')

describe.each(Object.entries(pages))('%s', (path, title) => {
  test('is served with headers that allow no foreign content or connection', async () => {
    const response = await fetch(hostingOrigin + path)
    expect(response.status).toBe(path === '/nothing-here' ? 404 : 200)
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toMatch(/unsafe|data:|blob:|\*/)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    })
    expect(response.headers.get('cache-control')).toMatch(/^no-(cache|store)$/)
  })

  test('passes axe in both colour schemes, on phone and desktop, with headings in order and no foreign request', async () => {
    await using tab = await openTab(browser, { failedLoads: path === '/nothing-here' })
    await tab.page.goto(hostingOrigin + path)
    expect(await heading(tab.page)).toBe(title)
    expect(await tab.page.locator('h1').count()).toBe(1)
    expect(await tab.page.locator('main').count()).toBe(1)
    expect(await tab.page.title()).toMatch(/Koko Directory$/)
    await expectSound(tab)
  })
})

test.each(['/', '/nothing-here', '/api/v1/health', '/callables/exportAgent'])('%s names no software', async (path) => {
  const { headers } = await fetch(hostingOrigin + path)
  expect([...headers.keys()].filter((name) => /^(x-powered-by|server)$/.test(name))).toEqual([])
})

describe('the first page', () => {
  test('names the room, and offers three actions, a picture of three steps and the six promises', async () => {
    await using tab = await openTab(browser)
    await tab.page.goto(hostingOrigin)
    await tab.page.getByText('Its first room is dating').waitFor()
    const leadTo: Record<string, [path: string, heading: string]> = {
      'Manage my agent': ['/settings', 'You need a link from your agent to open this page'],
      'WhatsApp and your number': ['/help/whatsapp', 'WhatsApp and your number'],
      'Get koko': ['/#get-koko', 'Get koko'],
    }
    const actions = tab.page.locator('.actions a')
    expect(await actions.allTextContents()).toEqual(Object.keys(leadTo))
    const steps = tab.page.locator('section', { hasText: 'How it works' }).getByRole('listitem')
    expect(await steps.locator('h3').allTextContents()).toEqual(['Agent at home', 'Directory', 'Messenger'])
    for (const step of await steps.all()) expect(await step.getByRole('img', { name: /\w/ }).count()).toBe(1)
    expect(await tab.page.locator('section', { hasText: 'Six promises' }).locator('li').count()).toBe(6)
    for (const [action, [path, title]] of Object.entries(leadTo)) {
      await tab.page.goto(hostingOrigin)
      await actions.filter({ hasText: action }).click()
      await tab.page.waitForURL(hostingOrigin + path)
      await tab.page.getByRole('heading', { name: title, exact: true }).waitFor()
    }
  })

  test.each([
    ['light', 1280, 'settings-wide-light.png'],
    ['dark', 1280, 'settings-wide-dark.png'],
    ['light', 320, 'settings-phone-light.png'],
    ['dark', 320, 'settings-phone-dark.png'],
  ] as const)('shows the settings page in a picture, %s at %i px', async (colorScheme, width, file) => {
    await using tab = await openTab(browser, { colorScheme, viewport: { width, height: 700 } })
    await tab.page.goto(hostingOrigin)
    const picture = tab.page.getByRole('img', { name: /^The settings page/ })
    const shape = () =>
      picture.evaluate((element: HTMLImageElement) => {
        const { naturalWidth, naturalHeight, currentSrc } = element
        const { width, height } = element.getBoundingClientRect()
        return { natural: naturalHeight / naturalWidth, shown: height / width, file: currentSrc.split('/').at(-1) }
      })
    // Its place is kept free before it is loaded, so that nothing jumps.
    const { shown } = await shape()
    await picture.scrollIntoViewIfNeeded()
    await picture.evaluate((element: HTMLImageElement) => element.decode())
    expect(await shape()).toMatchObject({ file })
    expect((await shape()).natural).toBeCloseTo(shown, 1)
    expect(tab.offences()).toEqual([])
  })
})

test('a page prints black on white, whole, without navigation, and with the addresses of other sites', async () => {
  await using tab = await openTab(browser, { colorScheme: 'dark' })
  await tab.page.goto(`${hostingOrigin}/help/whatsapp`)
  await tab.page.emulateMedia({ media: 'print' })
  const styleOf = (selector: string, pseudo?: string) =>
    tab.page
      .locator(selector)
      .first()
      .evaluate((element, of) => {
        const { color, backgroundColor, content } = getComputedStyle(element, of)
        return { color, backgroundColor, content, isClipped: element.scrollHeight > element.clientHeight }
      }, pseudo)
  expect(await styleOf('html')).toMatchObject({ color: 'rgb(28, 26, 23)', backgroundColor: 'rgb(255, 255, 255)' })
  expect(await styleOf('pre')).toMatchObject({ isClipped: false })
  expect((await styleOf('a[href^="https"]', '::after')).content).toContain('(')
  for (const navigation of await tab.page.locator('nav, .skip').all()) expect(await navigation.isVisible()).toBe(false)
})

test.each([
  ['/robots.txt', 'text/plain', 'Disallow: /settings'],
  ['/koko.svg', 'image/svg+xml', '<svg'],
  ['/favicon.ico', 'image/', 'PNG'],
])('%s is served as %s', async (path, type, content) => {
  const response = await fetch(hostingOrigin + path)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toContain(type)
  expect(await response.text()).toContain(content)
})

test('security.txt is where RFC 9116 puts it, as text, and has the contact that /report shows', async () => {
  const response = await fetch(`${hostingOrigin}/.well-known/security.txt`)
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8'])
  const [, contact = ''] = /^Contact: mailto:(.+)$/m.exec(await response.text()) ?? []
  expect(contact).not.toBe('')
  expect(await (await fetch(`${hostingOrigin}/report`)).text()).toContain(`<a href="mailto:${contact}">${contact}</a>`)
})

test('a missing asset is not found, and nobody keeps that answer', async () => {
  for (const path of ['/assets/gone-AbCd1234.js', '/assets/gone.css', '/assets/']) {
    const missing = await fetch(hostingOrigin + path)
    expect([path, missing.status, missing.headers.get('cache-control')]).toEqual([path, 404, 'no-store'])
  }
  const [asset = ''] = readdirSync(join(dist, 'assets')).filter((file) => file.endsWith('.js'))
  const found = await fetch(`${hostingOrigin}/assets/${asset}`)
  expect([found.status, found.headers.get('cache-control')]).toEqual([200, 'public, max-age=31536000, immutable'])
})

test.each(['/terms', '/disclaimer', '/privacy'])(
  '%s is a version that registration can ask consent to',
  async (path) => {
    const { termsVersion } = (await (await fetch(`${hostingOrigin}/api/v1/config`)).json()) as { termsVersion: string }
    const text = await (await fetch(hostingOrigin + path)).text()
    expect(text).toContain(termsVersion)
    expect(text).toMatch(/Hosts:/)
  },
)

describe('the settings page', () => {
  test('reflows at 320 px, as at 400 % zoom, and at 640 px, as at 200 %, without scrolling sideways', async () => {
    await using ada = await registerAgent()
    await ada.publish({
      whatsapp: '+447700900222',
      telegram: 'a_name_that_is_as_long_as_can_be',
      slack: 'U0123456789ABCDEFGHIJ',
    })
    await using tab = await openTab(browser)
    await openSettings(tab, ada)
    for (const width of [320, 640]) {
      await tab.page.setViewportSize({ width, height: 512 })
      expect(await scrollsSideways(tab.page)).toBe(false)
    }
    await tab.page.setViewportSize({ width: 320, height: 512 })
    await tab.page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
    const box = await tab.page.getByRole('dialog').boundingBox()
    expect(box?.x).toBeGreaterThanOrEqual(0)
    expect(box?.y).toBeGreaterThanOrEqual(0)
    expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(320)
    expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(512)
    await tab.page.setViewportSize({ width: 1280, height: 900 })
    const { x = 0, y = 0, width = 0, height = 0 } = (await tab.page.getByRole('dialog').boundingBox()) ?? {}
    expect(Math.abs(x + width / 2 - 640)).toBeLessThan(2)
    expect(Math.abs(y + height / 2 - 450)).toBeLessThan(2)
  })

  test('shows its question in a dialog of 320 × 256 px, as at 400 % zoom, and the answers below it', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: '+447700900225', telegram: 'a_name_that_is_as_long_as_can_be' })
    await using tab = await openTab(browser)
    await openSettings(tab, ada)
    await tab.page.setViewportSize({ width: 320, height: 256 })
    for (const name of ['Unlink WhatsApp', 'Unlink Telegram', 'Unlink every channel', 'Unlink Slack']) {
      await tab.page.getByRole('button', { name }).click()
      const dialog = tab.page.getByRole('dialog')
      const heading = await dialog.getByRole('heading').boundingBox()
      expect([name, heading?.y]).toEqual([name, expect.any(Number)])
      const top = heading?.y ?? -1
      const tops = await dialog
        .getByRole('button')
        .evaluateAll((buttons) => buttons.map((button) => button.getBoundingClientRect()))
      expect(top).toBeGreaterThanOrEqual(0)
      for (const button of tops) {
        // The heading ends above the answers, and the answers end above the edge.
        expect([name, button.top >= top + (heading?.height ?? 0), button.bottom <= 256]).toEqual([name, true, true])
      }
      const last = dialog.locator('div').first().locator('p').last()
      await dialog.evaluate((element) => element.scrollTo(0, element.scrollHeight))
      expect([name, await last.isVisible()]).toEqual([name, true])
      await expectSound(tab)
      await tab.page.setViewportSize({ width: 320, height: 256 })
      await tab.page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'detached' })
    }
  })

  test('shows on the pressed button that its action is under way', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser)
    const { page } = tab
    await openSettings(tab, ada)
    const look = (button: Locator) =>
      button.evaluate((element) => {
        const { backgroundColor, borderTopStyle } = getComputedStyle(element)
        return { backgroundColor, borderTopStyle, sign: getComputedStyle(element, '::before').content }
      })
    const button = page.getByRole('button', { name: /Delete everything|Deleting …/ })
    const before = await look(button)
    await page.route('**/callables/unregisterAgent', () => undefined)
    await page.getByLabel('Type “delete” to confirm').fill('delete')
    await button.click()
    await button.and(page.locator('[aria-busy=true]')).waitFor()
    expect(await button.textContent()).toBe('Deleting …')
    expect(await look(button)).not.toEqual(before)
    expect((await look(button)).sign).not.toBe('none')
    await expectSound(tab)
  })

  test('prints everything that is stored, and nothing to press', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: '+447700900226' })
    await using tab = await openTab(browser)
    const { page } = tab
    await openSettings(tab, ada)
    await page.emulateMedia({ media: 'print' })
    expect(await page.locator('main button:visible, main input:visible').count()).toBe(0)
    const { height, full } = await page
      .locator('.bytes')
      .evaluate((element) => ({ height: element.clientHeight, full: element.scrollHeight }))
    expect(full - height).toBeLessThanOrEqual(1)
  })

  test('passes axe in forced colours, and shows a state by more than its colour', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: '+447700900223' })
    await using tab = await openTab(browser, { forcedColors: 'active' })
    await openSettings(tab, ada)
    await tab.page.getByText('Visible to peers', { exact: true }).waitFor()
    const border = await tab.page
      .getByRole('button', { name: 'Sign out' })
      .evaluate((button) => getComputedStyle(button).borderTopStyle)
    expect(border).toBe('solid')
    await expectSound(tab)
  })

  test('animates nothing if less motion is preferred, and only colours otherwise', async () => {
    for (const reducedMotion of ['reduce', 'no-preference'] as const) {
      await using tab = await openTab(browser, { reducedMotion })
      await tab.page.goto(`${hostingOrigin}/settings#code=${'A'.repeat(43)}`)
      const moving = await tab.page.locator('*').evaluateAll((elements) =>
        elements
          .map((element) => getComputedStyle(element))
          .filter(({ animationName, transitionDuration }) => animationName !== 'none' || transitionDuration !== '0s')
          .map(({ transitionProperty }) => transitionProperty),
      )
      expect(moving).toEqual(reducedMotion === 'reduce' ? [] : ['background-color'])
    }
  })

  test('has headings in order, landmarks, and no announcement that repeats every second', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: '+447700900224' })
    await using tab = await openTab(browser)
    await openSettings(tab, ada)
    const levels = await tab.page
      .locator('h1, h2, h3')
      .evaluateAll((all) => all.map(({ tagName }) => Number(tagName[1])))
    expect(levels[0]).toBe(1)
    expect(levels.every((level, index) => index === 0 || level - (levels[index - 1] ?? 0) <= 1)).toBe(true)
    for (const landmark of ['banner', 'main', 'contentinfo', 'navigation'] as const) {
      expect(await tab.page.getByRole(landmark).count()).toBe(1)
    }
    const heard = await tab.page.evaluate(async () => {
      let count = 0
      const observer = new MutationObserver((records) => {
        count += records.length
      })
      for (const region of document.querySelectorAll('[role=status], [role=alert]')) {
        observer.observe(region, { childList: true, characterData: true, subtree: true, attributes: true })
      }
      await new Promise((resolve) => setTimeout(resolve, 3_500))
      return count
    })
    expect(heard).toBe(0)
  })
})

describe('what is built', () => {
  const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.(html|js|css|svg)$/.test(file),
  )
  const read = (file: string) => readFileSync(join(dist, file), 'utf8')

  test('has no inline script, style or event handler', () => {
    const documents = files.filter((file) => file.endsWith('.html'))
    expect(documents).toHaveLength(8)
    for (const file of documents) {
      expect([file, read(file).match(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:/gi)]).toEqual([
        file,
        null,
      ])
    }
  })

  test('names no emulator, and no third party as a source', () => {
    const ports = [hostingOrigin, authOrigin, firestoreOrigin].map((origin) => new URL(origin).host)
    for (const file of files) {
      const text = read(file)
      for (const host of [...ports, '127.0.0.1', 'demo-koko'])
        expect([file, host, text.includes(host)]).toEqual([file, host, false])
      // Following a link to another site is the reader's choice. A page loads nothing from one.
      const sources = text.replaceAll(/<a\s[^>]*>/g, '')
      if (file.endsWith('.html'))
        expect([file, /(src|srcset|href)="(https?:)?\/\//.exec(sources)]).toEqual([file, null])
    }
  })

  test('stays within 20 kB before a link is opened, and 165 kB after', async () => {
    const { before, after } = await webSizes(dist)
    expect(before).toBeLessThanOrEqual(20_000)
    expect(after).toBeLessThanOrEqual(165_000)

    // The same as counted, and no more, is what a browser asks for.
    await using ada = await registerAgent()
    await using tab = await openTab(browser)
    const loaded = () =>
      new Set(
        tab.requests
          .map((request) => new URL(request.split(' ')[1] ?? '').pathname)
          .filter((path) => !path.startsWith('/api')),
      )
    const weightOf = (paths: Set<string>) =>
      [...paths]
        .map((path) => (path === '/settings' ? 'settings.html' : path.slice(1)))
        .filter((path) => files.includes(path))
        .reduce((sum, path) => sum + gzipSync(readFileSync(join(dist, path)), { level: 9 }).length, 0)
    await tab.page.goto(await ada.settingsLink())
    await tab.page.getByRole('button', { name: 'Open my settings' }).waitFor()
    expect(weightOf(loaded())).toBeLessThanOrEqual(before)
    await tab.page.getByRole('button', { name: 'Open my settings' }).click()
    await tab.page.locator('.bytes').waitFor()
    expect(weightOf(loaded())).toBeGreaterThan(before)
    expect(weightOf(loaded())).toBeLessThanOrEqual(after)
  })
})

test('only the emulators’ copy of the configuration names emulators', async () => {
  const policyOf = (headers: { source: string; headers: { key: string; value: string }[] }[]) =>
    headers.flatMap((each) => each.headers).find(({ key }) => key === 'Content-Security-Policy')?.value ?? ''
  const production = policyOf(firebase.hosting.headers)
  expect(production).not.toMatch(/127\.0\.0\.1|localhost|http:/)
  expect(production).toContain("connect-src 'self' https://identitytoolkit.googleapis.com")
  const served = (await fetch(hostingOrigin)).headers.get('content-security-policy') ?? ''
  expect(served).toContain(`connect-src 'self' ${authOrigin} ${firestoreOrigin} `)
  expect(served.replace(` ${authOrigin} ${firestoreOrigin}`, '')).toBe(production)
})
