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

test.each(['#code=tooShort', '#code=', `#code=${'a'.repeat(43)}%20`, `#cod=${'a'.repeat(43)}`])(
  'says that a link is incomplete: %s',
  async (fragment) => {
    await using tab = await openTab(browser)
    await tab.page.goto(settings + fragment)
    expect(await heading(tab.page)).toBe('This link is not complete')
    expect(await tab.page.locator('main').textContent()).toContain('ask your agent for a new one')
    expect(tab.page.url()).toBe(settings)
    if (fragment === '#code=tooShort') await expectSound(tab)
  },
)

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
    const alert = tab.page.getByRole('alert').filter({ hasText: 'This link does not work.' })
    await alert.waitFor()
    expect(await alert.textContent()).toContain('Ask your agent for a new one.')
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
    await tab.page.clock.fastForward('00:21')
    await tab.page.getByRole('alert').filter({ hasText: 'cannot tell whether your link was used' }).waitFor()
    expect(tab.callsOf('redeemSettingsLink')).toBe(1)
    await open(tab.page)
    await tab.page.getByRole('heading', { name: 'Your settings', exact: true }).waitFor()
  })
})

test('the sign-in survives neither the tab nor a reload', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser)
  await openSettings(tab, ada)
  expect(await tab.context.cookies()).toEqual([])

  const second = await tab.context.newPage()
  await second.goto(`${hostingOrigin}/terms`)
  const kept = await second.evaluate(async () => ({
    local: window.localStorage.length,
    session: window.sessionStorage.length,
    databases: await window.indexedDB.databases(),
    caches: await window.caches.keys(),
  }))
  expect(kept).toEqual({ local: 0, session: 0, databases: [], caches: [] })
  expect(await tab.page.evaluate(() => window.sessionStorage.length)).toBe(0)
  await second.goto(settings)
  expect(await heading(second)).toBe('You need a link from your agent to open this page')
  await tab.page.reload()
  expect(await heading(tab.page)).toBe('You need a link from your agent to open this page')
  expect(tab.offences()).toEqual([])
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
  await tab.page.getByRole('heading', { name: 'Your session has ended' }).waitFor()
  expect(await focused(tab.page)).toBe('Your session has ended')
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
  await tab.page.getByRole('heading', { name: 'Your session has ended' }).waitFor()
})
