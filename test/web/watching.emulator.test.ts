import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import { launchChromium, openTab, type Tab } from '../../testing/browser.ts'
import { registerAgent } from '../../testing/registered-agent.ts'
import { sampleChannels } from '../../testing/samples.ts'
import { pauseSchedule, republishNow } from '../../testing/schedule.ts'
import { channel, confirm, openSettings } from './settings.ts'

jest.setTimeout(120_000)

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

const idleMs = 20_000
/** The last of these names the time of the read that the page shows. */
const readAtNote = 'section.status .note'
const reads = (tab: Tab) => tab.callsOf('exportAgent')

/** From here on, time passes only when a test lets it pass, and no read is under way. */
async function stopTime({ page }: Tab): Promise<void> {
  // A hidden page starts no read.
  await setHidden(page, true)
  await page.clock.pauseAt((await page.evaluate(() => Date.now())) + 1_000)
  await page.clock.fastForward(1_000)
  // The page drops the answer to a read under way for that of the newest one, whose time is a second later.
  const before = await page.evaluate((note) => {
    const shown = [...document.querySelectorAll(note)].at(-1)?.textContent ?? ''
    Object.defineProperty(document, 'hidden', { value: false, configurable: true })
    window.dispatchEvent(new Event('online'))
    return shown
  }, readAtNote)
  await page.locator(readAtNote).last().filter({ hasNotText: before }).waitFor()
}

/** Resolves when the page shows what an occasion made it read: it names the time of each read. */
async function seeRead({ page }: Tab, occasion: () => Promise<unknown>): Promise<void> {
  const readAt = page.locator(readAtNote).last()
  const before = (await readAt.textContent()) ?? ''
  await occasion()
  await readAt.filter({ hasNotText: before }).waitFor()
}

const passAndRead = (tab: Tab, ms: number) => seeRead(tab, () => tab.page.clock.fastForward(ms))

/** Lets time pass in which the page must ask for nothing. */
async function passInSilence(tab: Tab, ms: number): Promise<void> {
  const before = tab.requests.length
  await tab.page.clock.fastForward(ms)
  await tab.page.evaluate(() => undefined)
  expect(tab.requests.length).toBe(before)
}

function setHidden(page: Page, isHidden: boolean): Promise<void> {
  return page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { value: hidden, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  }, isHidden)
}

test('an idle page reads every twenty seconds, at most 0.3 kB a second with all headers', async () => {
  await using ada = await registerAgent()
  await ada.publish({ ...sampleChannels, discord: '100000000000000001' })
  await ada.unlink('slack')
  await republishNow()
  await using tab = await openTab(browser)
  await tab.page.clock.install()
  const wire = await tab.context.newCDPSession(tab.page)
  await wire.send('Network.enable')
  let bytes = 0
  const lengthOf = (headers: Record<string, string>) =>
    Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0)
  wire.on('Network.requestWillBeSent', ({ request }) => {
    bytes += request.method.length + request.url.length + (request.postData?.length ?? 0)
  })
  wire.on('Network.requestWillBeSentExtraInfo', ({ headers }) => (bytes += lengthOf(headers)))
  wire.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength))
  await openSettings(tab, ada)
  await stopTime(tab)
  await passAndRead(tab, idleMs)

  bytes = 0
  const requests = tab.requests.length
  await passInSilence(tab, idleMs - 1)
  await passAndRead(tab, 1_000)
  expect(tab.requests.length).toBe(requests + 1)
  expect(bytes).toBeGreaterThan(1_000)
  expect(bytes / (idleMs / 1_000)).toBeLessThanOrEqual(300)
})

test('the page reads every three seconds while an unlink is not finished, and slowly again if that takes long', async () => {
  await using ada = await registerAgent()
  await ada.publish(sampleChannels)
  await republishNow()
  await using _paused = await pauseSchedule()
  await using tab = await openTab(browser)
  await tab.page.clock.install()
  await openSettings(tab, ada)
  await tab.page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
  await confirm(tab.page, 'Stop sharing')
  await channel(tab.page, 'WhatsApp').locator('.state.unlinked').waitFor()
  await stopTime(tab)
  for (let times = 0; times < 3; times += 1) await passAndRead(tab, 3_000)
  await passAndRead(tab, 4 * 60_000)
  await passInSilence(tab, idleMs - 1)
})

test('the page reads when it comes into view, gets the focus or is online again', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser)
  await tab.page.clock.install()
  await openSettings(tab, ada)
  await stopTime(tab)
  for (const occasion of ['focus', 'online', 'offline']) {
    await tab.page.clock.fastForward(2_000)
    const before = reads(tab)
    await seeRead(tab, () => tab.page.evaluate((name) => window.dispatchEvent(new Event(name)), occasion))
    expect([occasion, reads(tab)]).toEqual([occasion, before + 1])
  }
})

test('the page asks for nothing while it is hidden, and after its session', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser)
  await tab.page.clock.install()
  await openSettings(tab, ada)
  await stopTime(tab)
  await setHidden(tab.page, true)
  for (let times = 0; times < 5; times += 1) await passInSilence(tab, idleMs)
  await seeRead(tab, () => setHidden(tab.page, false))

  await tab.page.clock.fastForward(30 * 60_000)
  await tab.page.getByRole('heading', { name: 'This session has ended' }).waitFor()
  for (let times = 0; times < 5; times += 1) {
    await tab.page.evaluate(() => window.dispatchEvent(new Event('focus')))
    await passInSilence(tab, idleMs)
  }
})

test('the page talks to no database but to check that nothing is left', async () => {
  await using ada = await registerAgent()
  await using tab = await openTab(browser)
  await openSettings(tab, ada)
  await tab.page.reload()
  await tab.page.locator('.bytes').waitFor()
  expect(tab.requests.filter((request) => /firestore|documents|:8080/.test(request))).toEqual([])
})
