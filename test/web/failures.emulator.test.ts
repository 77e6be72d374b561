import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import type { Browser, Route } from 'playwright-core'
import { launchChromium, openTab, type Tab } from '../../testing/browser.ts'
import { registerAgent } from '../../testing/registered-agent.ts'
import { channel, confirm, expectSound, openSettings, readAgain } from './settings.ts'

jest.setTimeout(180_000)

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

const number = '+447700900654'
const unlink = '**/callables/unlinkChannel'
const read = '**/callables/exportAgent'

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
      await confirm(page, 'Stop sharing')
      await asked
      await dialog.getByRole('alert').filter({ hasText: said }).waitFor()
      expect(await channel(page, 'WhatsApp').locator('.state').textContent()).toBe('Visible to peers')
      if (what === 'limited') await expectSound(opened.tab)
    }
    await confirm(page, 'Stop sharing')
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
    await confirm(page, 'Stop sharing')
    await asked
    const working = page.getByRole('dialog').getByRole('button', { name: 'Unlinking …' })
    await working.waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    await working.waitFor()
    await expectSound(opened.tab)
    await page.clock.fastForward('00:30')
    await page
      .getByRole('dialog')
      .getByRole('alert')
      .filter({ hasText: 'making the change twice does no harm' })
      .waitFor()
    await confirm(page, 'Stop sharing')
    await channel(page, 'WhatsApp').locator('.state.unlinked').waitFor()
  })

  test('shows the state that was acknowledged, even if nothing can be read, and says when it read last', async () => {
    await using opened = await openTwoChannels()
    const { page } = opened.tab
    await page.route(read, (route) => route.abort())
    await page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
    await confirm(page, 'Stop sharing')
    const whatsApp = channel(page, 'WhatsApp')
    await whatsApp.locator('.state.unlinked').waitFor()
    expect(await whatsApp.textContent()).not.toContain(number)
    await whatsApp.getByText(/^Done: Out of your listing since [A-Z][a-z]{2} \d+, \d{4}, \d/).waitFor()
    const late = page.getByRole('status').filter({ hasText: /What you see was read on .* may be out of date/ })
    await late.waitFor()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await expectSound(opened.tab)
    await page.unroute(read)
    await late.getByText('may be out of date').waitFor({ state: 'detached' })
    await whatsApp.locator('.state.unlinked').waitFor()
  })
})

describe('a change whose answer is lost', () => {
  /** The directory makes the change; its answer never arrives. */
  const lose = async (route: Route) => {
    await route.fetch()
    await route.abort()
  }

  test('settles the question of an unlink, and of a relink, with what a later read shows', async () => {
    await using opened = await openTwoChannels()
    const { page } = opened.tab
    await page.route(unlink, lose, { times: 1 })
    await page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
    await confirm(page, 'Stop sharing')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await channel(page, 'WhatsApp').locator('.state.unlinked').waitFor()
    await channel(page, 'WhatsApp').getByText('is out of your listing').waitFor()
    expect(opened.tab.callsOf('unlinkChannel')).toBe(1)

    await page.route('**/callables/relinkChannel', lose, { times: 1 })
    await page.getByRole('button', { name: 'Allow WhatsApp again' }).click()
    await confirm(page, 'Allow again')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await channel(page, 'WhatsApp').getByRole('status').filter({ hasText: 'WhatsApp is allowed again.' }).waitFor()
    expect(opened.tab.callsOf('relinkChannel')).toBe(1)
  })

  test('settles a question whose answer does not come, without waiting for it', async () => {
    await using opened = await openTwoChannels()
    const { page } = opened.tab
    await page.route(unlink, (route) => route.fetch().then(() => undefined), { times: 1 })
    await page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
    await confirm(page, 'Stop sharing')
    await page.getByRole('dialog').getByRole('button', { name: 'Unlinking …' }).waitFor()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await channel(page, 'WhatsApp').locator('.state.unlinked').waitFor()
  })

  test('ends on the page that says that nothing is left, if the agent is unregistered', async () => {
    await using opened = await openTwoChannels()
    const { page } = opened.tab
    await page.route('**/callables/unregisterAgent', lose, { times: 1 })
    await page.getByLabel('Type “delete” to confirm').fill('delete')
    await page.getByRole('button', { name: 'Delete everything' }).click()
    await page.getByRole('heading', { name: 'Your agent is unregistered' }).waitFor()
    expect(opened.tab.callsOf('unregisterAgent')).toBe(1)
  })
})

test('says offline only when requests fail, whatever the browser believes', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser, { failedLoads: true })
  const { page } = tab
  await page.addInitScript(() => Object.defineProperty(navigator, 'onLine', { value: false }))
  await openSettings(tab, ada)
  expect(await page.getByText('You are offline').count()).toBe(0)
  await page.route(read, (route) => route.abort())
  await readAgain(page)
  await page.getByRole('status').filter({ hasText: 'You are offline. What you see was read on' }).waitFor()
  await page.unroute(read)
  await readAgain(page)
  await page.getByText('You are offline').waitFor({ state: 'detached' })
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

test('says that it cannot read what is stored, keeps trying, and can unlink until then', async () => {
  await using ada = await registerAgent()
  await ada.publish({ whatsapp: number, telegram: 'ada_of_the_page' })
  await using tab = await openTab(browser, { failedLoads: true })
  const { page } = tab
  await page.clock.install()
  await page.route(read, (route) => route.abort())
  await page.goto(await ada.settingsLink())
  await page.getByRole('button', { name: 'Open my settings' }).click()
  await page.getByRole('alert').filter({ hasText: 'Your data could not be read.' }).waitFor()
  await channel(page, 'WhatsApp').locator('.state.unknown').waitFor()
  await expectSound(tab)
  await page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
  await confirm(page, 'Stop sharing')
  await channel(page, 'WhatsApp').locator('.state.unlinked').waitFor()
  await page.unroute(read)
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.locator('.bytes').waitFor()
  expect(await channel(page, 'Telegram').locator('.state').textContent()).toBe('Visible to peers')
})

test('waits at most thirty seconds for a directory that never answers', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser, { failedLoads: true })
  await tab.page.clock.install()
  await tab.page.route(read, () => undefined)
  await tab.page.goto(await ada.settingsLink())
  await tab.page.getByRole('button', { name: 'Open my settings' }).click()
  await tab.page.getByText('Reading your data …').waitFor()
  await expectSound(tab)
  await tab.page.clock.fastForward('00:30')
  await tab.page.getByRole('alert').filter({ hasText: 'Your data could not be read.' }).waitFor()
})

test('reads by itself again after the directory was too busy', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser, { failedLoads: true })
  const answer = refuse(429, { status: 'RESOURCE_EXHAUSTED', message: 'wait', details: { retryAfterSeconds: 3 } })
  await tab.page.clock.install()
  await tab.page.route(read, answer, { times: 1 })
  await tab.page.goto(await ada.settingsLink())
  await tab.page.getByRole('button', { name: 'Open my settings' }).click()
  const alert = tab.page.getByRole('alert').filter({ hasText: 'Your data could not be read.' })
  await alert.waitFor()
  await tab.page.clock.fastForward('00:03')
  await tab.page.locator('.bytes', { hasText: ada.agentId }).waitFor()
  await alert.waitFor({ state: 'detached' })
})

test('ends the session after a new secret, and says why', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser, { failedLoads: true })
  await openSettings(tab, ada)
  await ada.rotateSecret()
  await readAgain(tab.page)
  await tab.page.getByRole('heading', { name: 'Your session is no longer valid' }).waitFor()
  expect(await tab.page.locator('main').textContent()).toContain('a new secret')
  expect(tab.offences()).toEqual([])
})
