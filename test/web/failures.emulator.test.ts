import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import type { Browser, Route } from 'playwright-core'
import { firestoreOrigin } from '../../scripts/stack/addresses.ts'
import { launchChromium, openTab, type Tab } from '../../testing/browser.ts'
import { registerAgent } from '../../testing/registered-agent.ts'
import { channel, confirm, expectSound, openSettings } from './settings.ts'

jest.setTimeout(180_000)

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

const number = '+447700900654'
const unlink = '**/callables/unlinkChannel'
const database = `${firestoreOrigin}/**`

function refuse(status: number, error: object): (route: Route) => Promise<void> {
  return (route) => route.fulfill({ status, contentType: 'application/json', body: JSON.stringify({ error }) })
}

/** A tab in which the settings of an agent with two channels are open. */
async function openTwoChannels(): Promise<{ tab: Tab } & AsyncDisposable> {
  const agent = await registerAgent()
  await agent.publish({ whatsapp: number, telegram: 'ada_of_the_page' })
  const tab = await openTab(browser, { failedLoads: true })
  await tab.page.clock.install()
  await openSettings(tab, agent)
  return {
    tab,
    async [Symbol.asyncDispose]() {
      await tab[Symbol.asyncDispose]()
      await agent[Symbol.asyncDispose]()
    },
  }
}

describe('unlinking a channel', () => {
  const failures: [what: string, answer: (route: Route) => Promise<void>, said: string][] = [
    ['down', refuse(503, { status: 'UNAVAILABLE', message: 'down' }), 'cannot tell whether the change was made'],
    ['cut', (route) => route.abort(), 'cannot tell whether the change was made'],
    [
      'limited',
      refuse(429, { status: 'RESOURCE_EXHAUSTED', message: 'wait', details: { retryAfterSeconds: 9 } }),
      'did not carry out this one. Try again in 9 seconds.',
    ],
    ['conflict', refuse(409, { status: 'ABORTED', message: 'again' }), 'so it did not make this one. Try again.'],
    [
      'fault',
      refuse(500, { status: 'INTERNAL', message: 'fault' }),
      'the change may not have been made. Try again in a moment.',
    ],
    [
      'no answer of ours',
      (route) => route.fulfill({ status: 200, body: '<html>' }),
      'the change may not have been made.',
    ],
  ]

  test('keeps the question open after any failure, says what to do, and succeeds on a later yes', async () => {
    await using opened = await openTwoChannels()
    const { page } = opened.tab
    const dialog = page.getByRole('dialog')
    await page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
    for (const [what, answer, said] of failures) {
      await page.route(unlink, answer, { times: 1 })
      const asked = page.waitForRequest(unlink)
      await confirm(page, 'Unlink')
      await asked
      await dialog.getByRole('alert').filter({ hasText: said }).waitFor()
      expect(await channel(page, 'WhatsApp').locator('.state').textContent()).toBe('Listed')
      if (what === 'limited') await expectSound(opened.tab)
    }
    await confirm(page, 'Unlink')
    await channel(page, 'WhatsApp').locator('.state.unlinked').waitFor()
    expect(opened.tab.callsOf('unlinkChannel')).toBe(failures.length + 1)
    expect(opened.tab.offences()).toEqual([])
  })

  test('stops waiting when there is no answer, and ignores Esc and clicks until then', async () => {
    await using opened = await openTwoChannels()
    const { page } = opened.tab
    await page.route(unlink, () => undefined, { times: 1 })
    await page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
    const asked = page.waitForRequest(unlink)
    await confirm(page, 'Unlink')
    await asked
    const working = page.getByRole('dialog').getByRole('button', { name: 'Unlinking …' })
    await working.waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    await working.waitFor()
    await expectSound(opened.tab)
    await page.clock.fastForward('00:21')
    await page
      .getByRole('dialog')
      .getByRole('alert')
      .filter({ hasText: 'making the change twice does no harm' })
      .waitFor()
    await confirm(page, 'Unlink')
    await channel(page, 'WhatsApp').locator('.state.unlinked').waitFor()
  })

  test('says that it is done, and that the page may be out of date if it cannot read what is stored', async () => {
    await using opened = await openTwoChannels()
    const { page } = opened.tab
    await page.route(database, (route) => route.abort())
    await page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
    await confirm(page, 'Unlink')
    await channel(page, 'WhatsApp').getByRole('status').filter({ hasText: 'WhatsApp was unlinked at' }).waitFor()
    await page.getByRole('status').filter({ hasText: 'What you see may be out of date' }).waitFor()
    await expectSound(opened.tab)
    await page.unroute(database)
    await channel(page, 'WhatsApp').locator('.state.unlinked').waitFor()
    expect(await page.getByText('What you see may be out of date').count()).toBe(0)
  })
})

test('says when the page is offline, and catches up when the connection is back', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser, { failedLoads: true })
  await openSettings(tab, ada)
  await tab.context.setOffline(true)
  await tab.page.getByRole('status').filter({ hasText: 'You are offline.' }).waitFor()
  await expectSound(tab)
  await ada.publish({ telegram: 'ada_of_the_page' })
  await tab.context.setOffline(false)
  await channel(tab.page, 'Telegram').locator('.state.listed').waitFor()
  expect(await tab.page.getByText('You are offline.').count()).toBe(0)
})

test('says that it cannot read what is stored, keeps trying, and tries again on a click', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser, { failedLoads: true })
  await tab.page.clock.install()
  await tab.page.route(database, (route) => route.abort())
  await tab.page.goto(await ada.settingsLink())
  await tab.page.getByRole('button', { name: 'Open my settings' }).click()
  await tab.page.getByRole('alert').filter({ hasText: 'Your data could not be read.' }).waitFor()
  await tab.page.locator('.bytes').waitFor()
  await expectSound(tab)
  await tab.page.unroute(database)
  await tab.page.getByRole('button', { name: 'Try again' }).click()
  await tab.page.getByRole('heading', { name: 'Channels' }).waitFor()
})

test('waits at most twenty seconds for a database that never answers', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser, { failedLoads: true })
  await tab.page.clock.install()
  await tab.page.route(database, () => undefined)
  await tab.page.goto(await ada.settingsLink())
  await tab.page.getByRole('button', { name: 'Open my settings' }).click()
  await tab.page.getByText('Reading your data …').waitFor()
  await expectSound(tab)
  await tab.page.clock.fastForward('00:21')
  await tab.page.getByRole('alert').filter({ hasText: 'Your data could not be read.' }).waitFor()
})

test('says that it cannot read the exact bytes, and reads them again on a click', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser, { failedLoads: true })
  const answer = refuse(429, { status: 'RESOURCE_EXHAUSTED', message: 'wait', details: { retryAfterSeconds: 3 } })
  await tab.page.route('**/callables/exportAgent', answer, { times: 1 })
  await tab.page.goto(await ada.settingsLink())
  // The bytes are read again when what is stored changes: here it is read before the bytes are.
  await tab.page.getByRole('button', { name: 'Open my settings' }).click()
  const alert = tab.page.getByRole('alert').filter({ hasText: 'The exact bytes could not be read.' })
  await alert.waitFor()
  expect(await alert.textContent()).toContain('Try again in 3 seconds.')
  await expectSound(tab)
  await tab.page.getByRole('button', { name: 'Read again' }).click()
  await tab.page.locator('.bytes', { hasText: ada.agentId }).waitFor()
  await alert.waitFor({ state: 'detached' })
})

describe('when the token has to be refreshed', () => {
  /** Hands out sign-ins that want a refresh after four seconds: the SDK asks for one half a minute ahead. */
  async function openShortLived(tab: Tab, refresh: (route: Route) => unknown): Promise<void> {
    await tab.page.route(/accounts:signInWithCustomToken/, async (route) => {
      const response = await route.fetch()
      const answer = (await response.json()) as object
      await route.fulfill({ response, json: { ...answer, expiresIn: '34' } })
    })
    await tab.page.route(/securetoken\.googleapis\.com/, refresh)
  }

  test('keeps trying while there is no answer, and then continues', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser, { failedLoads: true })
    let isDown = true
    await openShortLived(tab, (route) => (isDown ? route.abort() : route.continue()))
    await openSettings(tab, ada)
    const stale = tab.page.getByRole('status').filter({ hasText: 'What you see may be out of date' })
    await stale.waitFor()
    isDown = false
    await stale.getByText('What you see may be out of date').waitFor({ state: 'detached' })
    expect(tab.offences()).toEqual([])
  })

  test('says that the session is over when the sign-in is refused', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser, { failedLoads: true })
    await openShortLived(tab, (route) =>
      route.fulfill({
        status: 400,
        json: { error: { code: 400, message: 'TOKEN_EXPIRED', status: 'INVALID_ARGUMENT' } },
      }),
    )
    await openSettings(tab, ada)
    await tab.page.getByRole('heading', { name: 'Your session is no longer valid' }).waitFor()
    await expectSound(tab)
  })
})

test('ends the session after a new secret, and says why', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser, { failedLoads: true })
  await openSettings(tab, ada)
  await ada.rotateSecret()
  await tab.page.getByRole('heading', { name: 'Your session is no longer valid' }).waitFor()
  expect(await tab.page.locator('main').textContent()).toContain('a new secret')
  expect(tab.offences()).toEqual([])
})
