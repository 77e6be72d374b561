import { Firestore, Timestamp } from '@google-cloud/firestore'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import type { Browser, Page, Route } from 'playwright-core'
import { hostingOrigin, project } from '../../scripts/stack/addresses.ts'
import { launchChromium, openTab } from '../../testing/browser.ts'
import { registerAgent } from '../../testing/registered-agent.ts'
import { expectSound, focused, heading, openSettings } from './settings.ts'

jest.setTimeout(180_000)

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

const settings = `${hostingOrigin}/settings`
const redeem = '**/callables/redeemSettingsLink'

function open(page: Page): Promise<void> {
  return page.getByRole('button', { name: /Open my settings|Try again/ }).click()
}

function refuse(status: number, error: object): (route: Route) => Promise<void> {
  return (route) => route.fulfill({ status, contentType: 'application/json', body: JSON.stringify({ error }) })
}

test('says how to open the page without a link', async () => {
  await using tab = await openTab(browser)
  await tab.page.goto(settings)
  expect(await heading(tab.page)).toBe('You need a link from your agent to open this page')
  await expectSound(tab)
})

test.each(['#code=tooShort', '#code=', `#code=${'a'.repeat(44)}`, `#cod=${'a'.repeat(43)}`])(
  'says that a link is incomplete: %s',
  async (fragment) => {
    await using tab = await openTab(browser)
    await tab.page.goto(settings + fragment)
    expect(await heading(tab.page)).toBe('This link is not complete')
    expect(await tab.page.locator('main').textContent()).toContain('Ask your agent for a new link.')
    expect(tab.page.url()).toBe(settings)
    if (fragment === '#code=tooShort') await expectSound(tab)
  },
)

test.each(['.', ')', ').', '>', '%20', '”', '*_', '%20and%20thanks'])(
  'opens a link that was pasted with what follows it: %s',
  async (after) => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser)
    await tab.page.goto((await ada.settingsLink()) + after)
    expect(tab.page.url()).toBe(settings)
    await open(tab.page)
    await tab.page.getByRole('heading', { name: 'Your settings', exact: true }).waitFor()
    expect(tab.offences()).toEqual([])
  },
)

test('works with a slash after its name, and keeps no code in the address bar', async () => {
  const response = await fetch(`${settings}/`, { redirect: 'manual' })
  expect([response.status, response.headers.get('location')]).toEqual([301, '/settings'])
  await using ada = await registerAgent()
  await using tab = await openTab(browser)
  await tab.page.goto((await ada.settingsLink()).replace('/settings#', '/settings/#'))
  await tab.page.getByRole('button', { name: 'Open my settings' }).waitFor()
  expect(tab.page.url()).toBe(settings)
  await open(tab.page)
  await tab.page.getByRole('heading', { name: 'Your settings', exact: true }).waitFor()
})

test('shows a heading and what to do without its script, and before it', async () => {
  await using tab = await openTab(browser, { javaScriptEnabled: false })
  await tab.page.goto(`${settings}#code=${'a'.repeat(43)}`)
  expect(await heading(tab.page)).toBe('Your settings')
  const text = await tab.page.locator('main').innerText()
  expect(text).toContain('Allow JavaScript for this site and reload the page')
  expect(text).toContain('koko unlink whatsapp')

  await using late = await openTab(browser)
  await late.page.route(/\.js$/, () => undefined)
  await late.page.goto(settings, { waitUntil: 'commit' })
  await late.page.getByRole('heading', { name: 'Your settings', exact: true }).waitFor()
})

test('removes the code from the address bar and the history at once, and a preview does not use it up', async () => {
  await using ada = await registerAgent()
  await using preview = await openTab(browser)
  await using tab = await openTab(browser)
  const link = await ada.settingsLink()

  expect((await fetch(link)).status).toBe(200)
  await preview.page.goto(`${hostingOrigin}/terms`)
  await preview.page.goto(link)
  await preview.page.getByRole('button', { name: 'Open my settings' }).waitFor()
  expect(preview.page.url()).toBe(settings)
  expect(preview.callsOf('redeemSettingsLink')).toBe(0)
  await expectSound(preview)
  await preview.page.goto(`${hostingOrigin}/privacy`)
  await preview.page.goBack()
  expect(preview.page.url()).toBe(settings)
  expect(await heading(preview.page)).toBe('You need a link from your agent to open this page')
  await preview.page.goBack()
  expect(preview.page.url()).toBe(`${hostingOrigin}/terms`)

  await tab.page.goto(link)
  await open(tab.page)
  await tab.page.getByRole('heading', { name: 'Your settings', exact: true }).waitFor()
  expect(await focused(tab.page)).toBe('Your settings')
  expect(tab.offences()).toEqual([])
})

describe('a link that does not open', () => {
  const firestore = new Firestore({ projectId: project })
  afterAll(() => firestore.terminate())

  test.each([
    ['unknown', () => Promise.resolve(`${settings}#code=${'A'.repeat(43)}`)],
    [
      'used',
      async (link: () => Promise<string>) => {
        const used = await link()
        await using tab = await openTab(browser)
        await tab.page.goto(used)
        await open(tab.page)
        await tab.page.getByRole('heading', { name: 'Your settings', exact: true }).waitFor()
        return used
      },
    ],
    [
      'voided by a newer one',
      async (link: () => Promise<string>) => {
        const voided = await link()
        await link()
        return voided
      },
    ],
    [
      'older than ten minutes',
      async (link: () => Promise<string>) => {
        const old = await link()
        const codeHash = createHash('sha256')
          .update(old.split('#code=')[1] ?? '')
          .digest('base64url')
        await firestore.doc(`settingsLinks/${codeHash}`).update({ expiresAt: Timestamp.fromMillis(Date.now() - 1) })
        return old
      },
    ],
  ])('says why, and how to get a new one: %s', async (name, linkOf) => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser, { failedLoads: true })
    await tab.page.goto(await linkOf(ada.settingsLink))
    await open(tab.page)
    await tab.page.getByRole('heading', { name: 'This link no longer works' }).waitFor()
    expect(await focused(tab.page)).toBe('This link no longer works')
    expect(await tab.page.title()).toBe('This link no longer works · Koko Directory')
    expect(await tab.page.locator('main').textContent()).toContain('Ask your agent for a new link.')
    expect(await tab.page.getByRole('button').count()).toBe(0)
    expect(tab.callsOf('redeemSettingsLink')).toBe(1)
    if (name === 'used') await expectSound(tab)
  })
})

describe('when opening fails', () => {
  test('keeps the link usable while offline, and trying again works', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser, { failedLoads: true })
    await tab.page.goto(await ada.settingsLink())
    await tab.context.setOffline(true)
    await open(tab.page)
    await tab.page
      .getByRole('alert')
      .filter({ hasText: 'Your link has not been used. Check your connection' })
      .waitFor()
    await expectSound(tab)
    await tab.context.setOffline(false)
    await open(tab.page)
    await tab.page.getByRole('heading', { name: 'Your settings', exact: true }).waitFor()
  })

  test('says what to do after each failure, and trying again works in the end', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser, { failedLoads: true })
    await tab.page.goto(await ada.settingsLink())
    const limited = { status: 'RESOURCE_EXHAUSTED', message: 'wait', details: { retryAfterSeconds: 7 } }
    const failures: [status: number, error: object, said: string][] = [
      [503, { status: 'UNAVAILABLE', message: 'down' }, 'cannot tell whether your link was used'],
      [429, limited, 'too many requests. Try again in 7 seconds.'],
      [500, { status: 'INTERNAL', message: 'fault' }, 'ask your agent for a new one'],
    ]
    for (const [status, error, said] of failures) {
      await tab.page.route(redeem, refuse(status, error), { times: 1 })
      await open(tab.page)
      await tab.page.getByRole('alert').filter({ hasText: said }).waitFor()
    }
    await expectSound(tab)
    await open(tab.page)
    await tab.page.getByRole('heading', { name: 'Your settings', exact: true }).waitFor()
  })

  test('needs no second link when the sign-in service is down at first', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser, { failedLoads: true })
    await tab.page.route('**/accounts:signInWithCustomToken**', (route) => route.abort(), { times: 1 })
    await tab.page.goto(await ada.settingsLink())
    await open(tab.page)
    await tab.page.getByRole('alert').filter({ hasText: 'Your link was accepted' }).waitFor()
    await open(tab.page)
    await tab.page.getByRole('heading', { name: 'Your settings', exact: true }).waitFor()
    expect(tab.callsOf('redeemSettingsLink')).toBe(1)
  })

  test('waits for a slow answer, ignores a second click, and gives up in the end', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser, { failedLoads: true })
    await tab.page.clock.install()
    await tab.page.route(redeem, () => undefined, { times: 1 })
    await tab.page.goto(await ada.settingsLink())
    await tab.page.getByRole('button', { name: 'Open my settings' }).dblclick()
    await tab.page.getByRole('button', { name: 'Opening …' }).waitFor()
    await tab.page.getByRole('button', { name: 'Opening …' }).press('Enter')
    await tab.page.waitForRequest(redeem, { timeout: 100 }).catch(() => undefined)
    while (tab.callsOf('redeemSettingsLink') === 0) await tab.page.waitForRequest(redeem).catch(() => undefined)
    await expectSound(tab)
    await tab.page.clock.fastForward('00:30')
    await tab.page.getByRole('alert').filter({ hasText: 'cannot tell whether your link was used' }).waitFor()
    expect(tab.callsOf('redeemSettingsLink')).toBe(1)
    await open(tab.page)
    await tab.page.getByRole('heading', { name: 'Your settings', exact: true }).waitFor()
  })
})

describe('a reload', () => {
  const kept = (page: Page) =>
    page.evaluate(async () => ({
      local: window.localStorage.length,
      session: Array.from({ length: window.sessionStorage.length }, (_, index) =>
        window.sessionStorage.getItem(window.sessionStorage.key(index) ?? ''),
      ),
      databases: await window.indexedDB.databases(),
      caches: await window.caches.keys(),
    }))
  const nothing = { local: 0, session: [], databases: [], caches: [] }

  test('keeps the session in this tab alone, with one token that cannot be renewed', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser)
    await openSettings(tab, ada)
    const calls = tab.callsOf('redeemSettingsLink')
    await tab.page.reload()
    await tab.page.locator('.bytes', { hasText: ada.agentId }).waitFor()
    expect(tab.page.url()).toBe(settings)
    expect(tab.callsOf('redeemSettingsLink')).toBe(calls)
    await tab.page.getByRole('button', { name: 'Unlink Slack' }).click()
    await tab.page.getByRole('dialog').getByRole('button', { name: 'Block' }).click()
    await tab.page.locator('.state.unlinked').waitFor()

    const { session, ...elsewhere } = await kept(tab.page)
    expect(elsewhere).toEqual({ local: 0, databases: [], caches: [] })
    expect(session).toHaveLength(1)
    expect(Object.keys(JSON.parse(session[0] ?? '') as object)).toEqual(['idToken', 'behindMs'])
    expect(await tab.context.cookies()).toEqual([])
    expect(tab.requests.filter((request) => request.includes('securetoken'))).toEqual([])

    const second = await tab.context.newPage()
    await second.goto(settings)
    expect(await heading(second)).toBe('You need a link from your agent to open this page')
    expect(await kept(second)).toEqual(nothing)
    expect(tab.offences()).toEqual([])
  })

  test('tries again where it cannot load the page, and needs no new link', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser, { failedLoads: true })
    await openSettings(tab, ada)
    await tab.page.route(/assets\/panel/, (route) => route.abort(), { times: 1 })
    await tab.page.reload()
    await tab.page.getByRole('alert').filter({ hasText: 'You need no new link.' }).waitFor()
    await expectSound(tab)
    await tab.page.reload()
    await tab.page.locator('.bytes').waitFor()
  })

  test('after signing out, the end of the session or unregistering finds nothing', async () => {
    const ways: [title: string, leave: (page: Page) => Promise<unknown>][] = [
      ['You have signed out', (page) => page.getByRole('button', { name: 'Sign out' }).click()],
      ['This session has ended', (page) => page.clock.fastForward('30:30')],
      [
        'Your agent is unregistered',
        async (page) => {
          await page.getByLabel('Type “delete” to confirm').fill('delete')
          await page.getByRole('button', { name: 'Delete everything' }).click()
        },
      ],
    ]
    for (const [title, leave] of ways) {
      await using ada = await registerAgent()
      await using tab = await openTab(browser, { failedLoads: true })
      await tab.page.clock.install()
      await openSettings(tab, ada)
      await leave(tab.page)
      await tab.page.getByRole('heading', { name: title }).waitFor()
      expect([title, await kept(tab.page)]).toEqual([title, nothing])
      await tab.page.reload()
      expect(await heading(tab.page)).toBe('You need a link from your agent to open this page')
    }
  })

  test('after the end of the session says that it has ended', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser)
    await openSettings(tab, ada)
    await tab.page.clock.install({ time: Date.now() + 31 * 60_000 })
    await tab.page.reload()
    await tab.page.getByRole('heading', { name: 'This session has ended' }).waitFor()
    expect((await kept(tab.page)).session).toEqual([])
  })

  test('after a damaged session asks for a link', async () => {
    await using tab = await openTab(browser)
    await tab.page.goto(settings)
    await tab.page.evaluate(() => window.sessionStorage.setItem('koko-settings', '{"idToken":"a.b.c","behindMs":0}'))
    await tab.page.reload()
    await tab.page.getByRole('heading', { name: 'You need a link from your agent to open this page' }).waitFor()
    expect(await kept(tab.page)).toEqual(nothing)
  })
})

test('speaks one language, whatever the browser’s is', async () => {
  await using ada = await registerAgent()
  await ada.publish({ whatsapp: '+447700900888' })
  await using tab = await openTab(browser, { locale: 'de-DE', timezoneId: 'Europe/Berlin' })
  await openSettings(tab, ada)
  const text = await tab.page.locator('main').innerText()
  expect(text).toMatch(/Last seen\s+[A-Z][a-z]+ \d+, \d{4}\n/)
  expect(text).toMatch(/Open until \d+:\d\d [AP]M GMT\+\d/)
  expect(text).toContain('women and men')
  expect(await tab.page.locator('html').getAttribute('lang')).toBe('en')
})

test('a link pasted into the tab replaces what is open there', async () => {
  await using ada = await registerAgent()
  await using bea = await registerAgent()
  await using tab = await openTab(browser)
  await openSettings(tab, ada)
  const link = await bea.settingsLink()
  await tab.page.evaluate((url) => window.location.assign(url), link)
  await tab.page.getByRole('button', { name: 'Open my settings' }).waitFor()
  expect(tab.page.url()).toBe(settings)
  await open(tab.page)
  await tab.page.getByText(bea.agentId).first().waitFor()
  expect(await tab.page.getByText(ada.agentId).count()).toBe(0)
})

test('signing out leaves an empty page', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser)
  await openSettings(tab, ada)
  await tab.page.getByRole('button', { name: 'Sign out' }).click()
  await tab.page.getByRole('heading', { name: 'You have signed out' }).waitFor()
  expect(await focused(tab.page)).toBe('You have signed out')
  expect(await tab.page.content()).not.toContain(ada.agentId)
  await expectSound(tab)
})

test('the page announces the end of the thirty minutes five minutes before', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser)
  await tab.page.clock.install()
  await openSettings(tab, ada)
  const notice = tab.page.getByRole('status').filter({ hasText: 'This page closes at' })
  await tab.page.clock.fastForward('24:30')
  expect(await notice.count()).toBe(0)
  await tab.page.clock.fastForward('00:40')
  await notice.waitFor()
  await expectSound(tab)
  await tab.page.clock.fastForward('05:00')
  await tab.page.getByRole('heading', { name: 'This session has ended' }).waitFor()
  expect(await focused(tab.page)).toBe('This session has ended')
  expect(await tab.page.content()).not.toContain(ada.agentId)
  await expectSound(tab)
})

test('a clock that is hours wrong neither ends nor extends a session', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser)
  await tab.page.clock.install({ time: Date.now() + 5 * 3_600_000 })
  await openSettings(tab, ada)
  await tab.page.clock.fastForward('29:00')
  await tab.page.getByRole('status').filter({ hasText: 'This page closes at' }).waitFor()
  await tab.page.clock.fastForward('01:10')
  await tab.page.getByRole('heading', { name: 'This session has ended' }).waitFor()
})
