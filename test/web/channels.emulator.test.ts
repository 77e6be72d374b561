import { Firestore } from '@google-cloud/firestore'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import type { Browser, Locator, Page } from 'playwright-core'
import { project } from '../../scripts/stack/addresses.ts'
import { runSchedule } from '../../scripts/schedule.ts'
import { pauseSchedule, republishNow } from '../../testing/schedule.ts'
import { launchChromium, openTab, PHONE } from '../../testing/browser.ts'
import { registerAgent } from '../../testing/registered-agent.ts'
import { channel, confirm, expectSound, focused, openSettings, readAgain } from './settings.ts'

jest.setTimeout(120_000)

const firestore = new Firestore({ projectId: project })
let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(async () => {
  await browser.close()
  await firestore.terminate()
})

const number = '+447700900321'

function stored(agentId: string, kind: 'listing' | 'unlinks') {
  return firestore.doc(kind === 'listing' ? `mcpDirectory/dating/agents/${agentId}` : `unlinks/${agentId}`)
}

function waitForState(page: Page, name: 'WhatsApp' | 'Telegram' | 'Discord' | 'Slack', state: string): Promise<void> {
  return channel(page, name)
    .locator('.state', { hasText: new RegExp(`^${state}$`) })
    .waitFor()
}

describe('the settings page', () => {
  test('shows all four channels in each state, the profile in words, and a publish as it happens', async () => {
    await using ada = await registerAgent()
    await ada.unlink('slack')
    await using tab = await openTab(browser)
    const { page } = tab
    await openSettings(tab, ada)
    await page.locator('.light', { hasText: 'Not listed' }).waitFor()
    await waitForState(page, 'WhatsApp', 'Not published')
    await waitForState(page, 'Slack', 'Unlinked')
    await page.getByText('No profile is stored.').waitFor()
    await expectSound(tab)

    await ada.publish({ whatsapp: number, telegram: 'ada_of_the_page' })
    await readAgain(page)
    await page.getByText('Online', { exact: true }).waitFor()
    await waitForState(page, 'WhatsApp', 'Visible to peers')
    await waitForState(page, 'Telegram', 'Visible to peers')
    await waitForState(page, 'Discord', 'Not published')
    await waitForState(page, 'Slack', 'Unlinked')
    expect(await channel(page, 'WhatsApp').locator('.handle').textContent()).toBe(number)
    expect(await page.locator('.channel').count()).toBe(4)
    expect(await page.getByText('Reveals your').count()).toBe(4)
    await page.locator('.bytes', { hasText: number }).waitFor()

    const facts = await page.locator('section', { has: page.getByRole('heading', { name: 'Profile' }) }).textContent()
    for (const word of ['woman', 'women and men', '34 years', '28 years', '45 years', 'up to 100 km', 'long-term']) {
      expect(facts).toContain(word)
    }
    expect(facts).toContain('An area of about 24 × 20 km around 51.6° N, 0.2° W (geohash gcpv).')
    await page.getByRole('img', { name: 'The area gcpv on a plain map' }).waitFor()
    for (const way of ['Another channel.', 'A dedicated number.', 'A virtual number.', 'A later exchange.']) {
      await page.getByText(way).waitFor()
    }
    expect(await page.locator('main').innerText()).not.toMatch(/\d{4}-\d\d-\d\dT(?!.*")/)
    await expectSound(tab)
  })

  test('calls a listed agent that was not seen for three days offline', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: number })
    const day = 86_400_000
    const seen = (Math.floor(Date.now() / day) - 3) * day
    await stored(ada.agentId, 'listing').update({ 'presence.lastSeenAtMs': seen })
    await using tab = await openTab(browser)
    await openSettings(tab, ada)
    await tab.page.getByText('Offline', { exact: true }).waitFor()
    await waitForState(tab.page, 'WhatsApp', 'Listed, hidden while offline')
    await expectSound(tab)
  })

  test('says that it cannot read a malformed listing, and still shows its bytes', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: number })
    await stored(ada.agentId, 'listing').update({ surprise: 'of another version' })
    await using tab = await openTab(browser, { failedLoads: true })
    await openSettings(tab, ada)
    await tab.page.locator('.light', { hasText: 'Not readable' }).waitFor()
    await waitForState(tab.page, 'WhatsApp', 'Not readable')
    await tab.page.getByText('This page does not know the format of your profile.').waitFor()
    await tab.page.locator('.bytes', { hasText: 'of another version' }).waitFor()
    await expectSound(tab)
  })
})

describe('unlinking', () => {
  test('removes the handle from the listing, from every answer, and then from the shards, as a second agent sees', async () => {
    await using ada = await registerAgent()
    await using bea = await registerAgent()
    await ada.publish({ whatsapp: number, telegram: 'ada_of_the_page' })
    await bea.publish({ telegram: 'bea_of_the_page' })
    await republishNow()
    await expect(discovered(() => bea.channelsOf(ada.agentId))).resolves.toHaveProperty('whatsapp', number)
    await using paused = await pauseSchedule()

    await using tab = await openTab(browser)
    const { page } = tab
    await page.clock.install()
    await openSettings(tab, ada)
    const whatsApp = channel(page, 'WhatsApp')
    const said = whatsApp.getByRole('status')
    await countAnnouncements(page)
    await page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
    const question = await page.getByRole('dialog').textContent()
    expect(question).toContain('nor will any answer that starts more than 10 seconds later')
    expect(question).toContain('Peers that already read it may keep it.')
    expect(question).not.toContain('only channel')
    await confirm(page, 'Stop sharing')

    await said.filter({ hasText: 'Unlinking is not finished yet.' }).waitFor()
    await whatsApp.getByText('Out of your listing since').waitFor()
    expect((await stored(ada.agentId, 'listing').get()).get('channels')).toEqual({ telegram: 'ada_of_the_page' })
    await waitForState(page, 'WhatsApp', 'Unlinked')
    expect(await page.getByRole('dialog').count()).toBe(0)
    expect(await focused(page)).toBe('Allow WhatsApp again')
    await expectSound(tab)

    await said.filter({ hasText: 'New answers do not include your WhatsApp number.' }).waitFor()
    await whatsApp.getByText('Done: Out of every answer that starts after').waitFor()
    expect(await bea.channelsOf(ada.agentId)).toEqual({ telegram: 'ada_of_the_page' })
    expect((await runSchedule('status', undefined)).state).toBe('PAUSED')
    expect(await whatsApp.getByText('Out of every discovery shard, usually within 2 minutes').count()).toBe(1)
    expect(await page.locator('.bytes').textContent()).toContain('"goneAtMs": null')
    await page.clock.fastForward('04:00')
    await said.filter({ hasText: 'the host may have paused this' }).waitFor()
    await expectSound(tab)

    await paused.resume()
    await republishNow()
    await readAgain(page)
    await said.filter({ hasText: 'Unlinking is finished.' }).waitFor()
    await whatsApp.getByText('Out of every discovery shard since').waitFor()
    expect(await bea.channelsOf(ada.agentId)).toEqual({ telegram: 'ada_of_the_page' })
    expect(await announcements(page)).toEqual([
      'Your WhatsApp number is out of your listing. Unlinking is not finished yet.',
      'New answers do not include your WhatsApp number. The last copies are not removed yet.',
      expect.stringMatching(
        /^New answers do not include your WhatsApp number. Removing the last copies is taking longer/,
      ),
      expect.stringMatching(/^Unlinking is finished/),
    ])
    await expectSound(tab)
  })

  test('of the last channel says before and after that the agent is not listed', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: number })
    await using tab = await openTab(browser)
    await openSettings(tab, ada)
    await tab.page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
    await tab.page.getByText('Without it, your agent has no listing.').waitFor()
    await expectSound(tab)
    await confirm(tab.page, 'Stop sharing')
    await tab.page.getByRole('status').filter({ hasText: 'Not listed' }).waitFor()
    expect((await stored(ada.agentId, 'listing').get()).exists).toBe(false)
    await tab.page.getByRole('heading', { name: 'Profile' }).waitFor()
    await tab.page.getByText('No profile is stored.').waitFor()
  })

  test('of a channel that another tab has unlinked changes nothing, and never relinks', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: number, telegram: 'ada_of_the_page' })
    await using first = await openTab(browser)
    await using second = await openTab(browser)
    await openSettings(first, ada)
    await openSettings(second, ada)
    await second.page.getByRole('button', { name: 'Unlink WhatsApp' }).click()

    await first.page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
    await confirm(first.page, 'Stop sharing')
    await waitForState(first.page, 'WhatsApp', 'Unlinked')
    const before = (await stored(ada.agentId, 'unlinks').get()).get('whatsapp.unlinkedAtMs') as number

    // The other tab has read it too: its question stays the same.
    await readAgain(second.page)
    await second.page.locator('.channel .state.unlinked').waitFor({ state: 'attached' })
    await expectSound(second)
    await confirm(second.page, 'Stop sharing')
    await second.page.getByRole('dialog').waitFor({ state: 'detached' })
    await waitForState(second.page, 'WhatsApp', 'Unlinked')
    expect(second.callsOf('relinkChannel')).toBe(0)
    expect((await stored(ada.agentId, 'unlinks').get()).get('whatsapp.unlinkedAtMs')).toBe(before)
    expect([...first.offences(), ...second.offences()]).toEqual([])
  })

  test('asks once for a double click, and sends one call for a double click on yes', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: number, telegram: 'ada_of_the_page' })
    await using tab = await openTab(browser)
    const { page } = tab
    await openSettings(tab, ada)
    // On a phone, with the button just where the answer is going to be.
    await page.setViewportSize(PHONE)
    const opener = page.getByRole('button', { name: 'Unlink WhatsApp' })
    const yes = page.getByRole('dialog').getByRole('button', { name: 'Stop sharing' })
    await opener.click()
    const place = await centreOf(yes)
    await page.keyboard.press('Escape')
    const from = await centreOf(opener)
    await page.evaluate((by) => window.scrollBy(0, by), from.y - place.y)
    expect(Math.abs((await centreOf(opener)).y - place.y)).toBeLessThan(5)
    await page.mouse.dblclick(place.x, place.y)
    await yes.waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(tab.callsOf('unlinkChannel')).toBe(0)

    await opener.click()
    await yes.dblclick()
    await waitForState(page, 'WhatsApp', 'Unlinked')
    expect(tab.callsOf('unlinkChannel')).toBe(1)
    expect(tab.callsOf('relinkChannel')).toBe(0)
  })

  test('keeps a question open that is closed and asked again at once', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: number, telegram: 'ada_of_the_page' })
    await using tab = await openTab(browser)
    await openSettings(tab, ada)
    // Faster than the browser's close event.
    const isOpen = await tab.page.evaluate(async () => {
      const ask = [...document.querySelectorAll('button')].find(({ textContent }) => textContent === 'Unlink WhatsApp')
      const rendered = async () => {
        for (let turn = 0; turn < 10; turn += 1) await Promise.resolve()
      }
      ask?.click()
      await rendered()
      const first = document.querySelector('dialog')
      first?.dispatchEvent(new Event('cancel', { cancelable: true }))
      await rendered()
      ask?.click()
      await rendered()
      const second = document.querySelector('dialog')
      await new Promise((resolve) => setTimeout(resolve, 100))
      return [first !== null, second !== null && second !== first, document.querySelector('dialog')?.open]
    })
    expect(isOpen).toEqual([true, true, true])
  })

  test('does nothing when only Enter is pressed again and again', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: number, telegram: 'ada_of_the_page' })
    await using tab = await openTab(browser)
    await openSettings(tab, ada)
    await tab.page.getByRole('button', { name: 'Unlink WhatsApp' }).focus()
    // Slow enough for each question to take an answer.
    for (let press = 0; press < 7; press += 1) await tab.page.keyboard.press('Enter', { delay: 500 })
    expect(tab.callsOf('unlinkChannel')).toBe(0)
    await tab.page.keyboard.press('Escape')
    await waitForState(tab.page, 'WhatsApp', 'Visible to peers')
  })

  test('unlinks a channel that was never published, and only a relink allows it again', async () => {
    await using ada = await registerAgent()
    await ada.publish({ telegram: 'ada_of_the_page' })
    await using tab = await openTab(browser)
    const { page } = tab
    await openSettings(tab, ada)
    await page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
    await expectSound(tab)
    await confirm(page, 'Block')
    await waitForState(page, 'WhatsApp', 'Unlinked')
    await ada.publish({ whatsapp: number, telegram: 'ada_of_the_page' })
    await readAgain(page)
    await page.locator('.bytes', { hasText: 'ada_of_the_page' }).waitFor()
    expect((await stored(ada.agentId, 'listing').get()).get('channels')).toEqual({ telegram: 'ada_of_the_page' })

    await page.getByRole('button', { name: 'Allow WhatsApp again' }).click()
    expect(await page.getByRole('dialog').textContent()).toContain('This alone does not share it.')
    await expectSound(tab)
    await confirm(page, 'Allow again')
    const said = channel(page, 'WhatsApp').getByRole('status')
    await said.filter({ hasText: 'Peers can read your WhatsApp number after your agent publishes it.' }).waitFor()
    await waitForState(page, 'WhatsApp', 'Not published')
    await expectSound(tab)
    await ada.publish({ whatsapp: number, telegram: 'ada_of_the_page' })
    await readAgain(page)
    await waitForState(page, 'WhatsApp', 'Visible to peers')
    expect(await said.textContent()).toBe('')
  })
})

describe('a channel that was blocked before it was published', () => {
  test('says so, with the date, and never that it is out of a listing', async () => {
    await using ada = await registerAgent()
    await ada.unlink('slack')
    await using tab = await openTab(browser)
    await openSettings(tab, ada)
    const slack = channel(tab.page, 'Slack')
    await slack
      .getByText(/^Slack has been blocked since [A-Z][a-z]{2} \d+, \d{4}.*Your listing had no Slack member id then\./)
      .waitFor()
    expect(await slack.textContent()).not.toContain('Out of')
  })
})

describe('unlinking every channel', () => {
  test('names the handles, asks once, and leaves nothing to peers', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: number, telegram: 'ada_of_the_page' })
    await ada.unlink('slack')
    await using tab = await openTab(browser)
    const { page } = tab
    await openSettings(tab, ada)
    await page.getByRole('button', { name: 'Unlink every channel' }).click()
    const question = await page.getByRole('dialog').textContent()
    expect(question).toContain(`WhatsApp ${number}`)
    expect(question).toContain('Telegram ada_of_the_page')
    expect(question).toContain('Discord')
    expect(question).not.toContain('Slack')
    await expectSound(tab)
    await confirm(page, 'Stop sharing all')
    await page.getByRole('status').filter({ hasText: 'Every channel is unlinked.' }).waitFor()
    expect(await page.locator('.state').allTextContents()).toEqual(['Unlinked', 'Unlinked', 'Unlinked', 'Unlinked'])
    expect(await page.getByRole('dialog').count()).toBe(0)
    expect(await focused(page)).toBe('Channels')
    expect((await stored(ada.agentId, 'listing').get()).exists).toBe(false)
    expect(tab.callsOf('unlinkChannel')).toBe(3)
    await page.getByText('Every channel is unlinked. Allow one below first.').waitFor()
    await expectSound(tab)
  })

  test('says exactly which are still visible when one fails, and finishes on a later yes', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: number, telegram: 'ada_of_the_page', discord: '100000000000000001' })
    await using tab = await openTab(browser, { failedLoads: true })
    const { page } = tab
    await openSettings(tab, ada)
    await page.route('**/callables/unlinkChannel', async (route) => {
      if (route.request().postData()?.includes('telegram') === true) await route.abort()
      else await route.continue()
    })
    await page.getByRole('button', { name: 'Unlink every channel' }).click()
    await confirm(page, 'Stop sharing all')
    const alert = page.getByRole('dialog').getByRole('alert')
    await alert.getByText('Still visible to peers: Telegram ada_of_the_page.').waitFor()
    await alert.getByText('Unlinked: WhatsApp, Discord, and Slack.').waitFor()
    await waitForState(page, 'WhatsApp', 'Unlinked')
    await waitForState(page, 'Telegram', 'Visible to peers')
    expect((await stored(ada.agentId, 'listing').get()).get('channels')).toEqual({ telegram: 'ada_of_the_page' })
    await expectSound(tab)
    await page.unroute('**/callables/unlinkChannel')
    await confirm(page, 'Stop sharing all')
    await page.getByRole('status').filter({ hasText: 'Every channel is unlinked.' }).waitFor()
    expect((await stored(ada.agentId, 'listing').get()).exists).toBe(false)
  })
})

test('colours what shows a handle to peers as dangerous, and nothing that protects', async () => {
  await using ada = await registerAgent()
  await ada.publish({ whatsapp: number })
  await ada.unlink('slack')
  await using tab = await openTab(browser)
  const { page } = tab
  await openSettings(tab, ada)
  const colour = (shown: Locator) => shown.evaluate((element) => getComputedStyle(element).color)
  const danger = await colour(channel(page, 'WhatsApp').locator('.state'))
  expect(await colour(page.getByRole('button', { name: 'Allow Slack again' }))).toBe(danger)
  expect(await colour(page.locator('.readers.peers').first())).toBe(danger)
  const buttons = ['Unlink WhatsApp', 'Unlink Discord', 'Unlink every channel', 'Delete everything', 'Sign out']
  for (const name of buttons) {
    const { color, backgroundColor } = await page.getByRole('button', { name }).evaluate((button) => {
      const { color, backgroundColor } = getComputedStyle(button)
      return { color, backgroundColor }
    })
    expect([name, [color, backgroundColor].includes(danger)]).toEqual([name, false])
  }
})

describe('the status says what to do next', () => {
  const day = 86_400_000
  const words = (ms: number) => new Date(ms).toLocaleDateString('en', { dateStyle: 'long', timeZone: 'UTC' })

  test('to an agent that is offline: since when, how to start it, and when it is removed', async () => {
    await using ada = await registerAgent()
    await ada.publish({ telegram: 'ada_of_the_page' })
    const seen = (Math.floor(Date.now() / day) - 5) * day
    await stored(ada.agentId, 'listing').update({ 'presence.lastSeenAtMs': seen })
    await using tab = await openTab(browser, { timezoneId: 'UTC' })
    await openSettings(tab, ada)
    const status = await tab.page.locator('section.status').textContent()
    const since = new Date(seen + 60 * 3_600_000).toLocaleDateString('en', { dateStyle: 'medium', timeZone: 'UTC' })
    expect(status).toContain(`Offline since ${since}, 12:00:00 PM UTC.`)
    expect(status).toContain(`last seen on ${words(seen)} (UTC)`)
    expect(status).toContain('koko run')
    expect(status).toContain(`If it is not seen before ${words(seen + 30 * day)} (UTC), the directory removes it`)
  })

  test('to an agent that is not listed: how to publish, and when it is removed', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser)
    await openSettings(tab, ada)
    const status = await tab.page.locator('section.status').textContent()
    expect(status).toContain('koko publish')
    const today = Math.floor(Date.now() / day) * day
    expect(status).toContain(`If it publishes nothing before ${words(today + 30 * day)} (UTC)`)
  })
})

async function centreOf(locator: Locator): Promise<{ x: number; y: number }> {
  const { x, y, width, height } = (await locator.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 }
  return { x: x + width / 2, y: y + height / 2 }
}

/** Discovery follows its shards within a few seconds; few attempts spare the peer's budget. */
async function discovered<T>(look: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let attempt = 0; attempt < 6; attempt += 1) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 2_000))
  }
  return undefined
}

/** Records what a screen reader announces for WhatsApp from now on. */
async function countAnnouncements(page: Page): Promise<void> {
  await page.evaluate(() => {
    const heard: string[] = []
    Object.assign(window, { heard })
    const region = document.querySelector('.channel [role=status]')
    if (region === null) throw new Error('there is no live region')
    new MutationObserver(() => heard.push(region.textContent)).observe(region, {
      childList: true,
      characterData: true,
      subtree: true,
    })
  })
}

function announcements(page: Page): Promise<string[]> {
  return page.evaluate(() => (window as unknown as { heard: string[] }).heard.filter((text) => text !== ''))
}
