import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
import { authOrigin, hostingOrigin, project } from '../../scripts/stack/addresses.ts'
import { republishNow } from '../../testing/schedule.ts'
import { wholeDatabase } from '../../testing/whole-database.ts'
import { launchChromium, openTab } from '../../testing/browser.ts'
import { registerAgent } from '../../testing/registered-agent.ts'
import * as z from 'zod'
import { channel, expectSound, focused, heading, openSettings, readAgain } from './settings.ts'

jest.setTimeout(120_000)

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

const number = '+447700900777'
const nothingLeft = 'This page has just checked where the documents of your agent were stored:'

describe('exact bytes', () => {
  test('equal the answer of exportAgent on the page, in the clipboard and in the file', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: number, telegram: 'ada_of_the_page' })
    await republishNow()
    await using tab = await openTab(browser)
    const { page } = tab
    await tab.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: hostingOrigin })
    await openSettings(tab, ada)
    const exported = z
      .object({ documents: z.record(z.string(), z.unknown()), signIn: z.unknown() })
      .parse(await ada.exportedBytes())
    const exact = JSON.stringify(exported, null, 2)
    expect(exact).toContain('discovery/dating/shards/')
    expect(exact).toContain('signIn')
    await page.getByRole('button', { name: 'Read again' }).click()
    await page.getByRole('button', { name: 'Read again' }).and(page.locator('[aria-busy=false]')).waitFor()
    const shown = [...Object.values(exported.documents), exported.signIn].map((fields) =>
      JSON.stringify(fields, null, 2),
    )
    expect(await page.locator('.bytes pre').allTextContents()).toEqual(shown)
    expect(await page.locator('.bytes .path').allTextContents()).toEqual(Object.keys(exported.documents))

    await page.getByRole('button', { name: 'Copy as JSON' }).click()
    await page.getByRole('status').filter({ hasText: 'Copied.' }).waitFor()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(exact)

    const downloading = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Download as JSON' }).click()
    const download = await downloading
    expect(download.suggestedFilename()).toBe(`koko-${ada.agentId}.json`)
    expect(await readFile(await download.path(), 'utf8')).toBe(exact)
    await page.getByText('Not stored: your name, messages, contacts, position').waitFor()
    await expectSound(tab)
  })

  test('say of each document who can read it, and of each time which date it is', async () => {
    await using ada = await registerAgent()
    await ada.publish({ telegram: 'ada_of_the_page' })
    await ada.unlink('slack')
    await republishNow()
    await using tab = await openTab(browser)
    await openSettings(tab, ada)
    const readersOf = (title: string) =>
      tab.page
        .locator('.document', { has: tab.page.getByRole('heading', { name: title, exact: true }) })
        .locator('.readers')
        .textContent()
    expect(await readersOf('Listing')).toBe('Peers can read this while your agent is online')
    expect(await readersOf('Discovery entry')).toBe('Peers can read this while your agent is online')
    expect(await readersOf('Badge')).toBe('Only you and the host can read this')
    expect(await readersOf('Unlinks')).toBe('Only you and the host can read this')
    expect(await readersOf('Account')).toBe('Only the directory uses this')
    expect(await readersOf('Sign-in record')).toBe('Only the directory uses this')
    const dated = await tab.page.locator('.bytes [data-date]').evaluateAll((lines) =>
      lines.map((line) => ({
        ms: Number(/(\d+),?$/.exec(line.textContent)?.[1]),
        shown: getComputedStyle(line, '::after').content,
      })),
    )
    expect(dated.length).toBeGreaterThan(5)
    for (const { ms, shown } of dated) {
      const date = new Date(ms).toLocaleDateString('en', { dateStyle: 'medium', timeZone: 'UTC' })
      expect(shown).toContain(`${date}, `)
      expect(shown).toContain(' UTC')
    }
    await expectSound(tab)
  })

  test('say when the browser does not allow copying', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser)
    await tab.page.addInitScript(() => {
      navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed'))
    })
    await openSettings(tab, ada)
    await tab.page.getByRole('button', { name: 'Copy as JSON' }).click()
    await tab.page.getByRole('status').filter({ hasText: 'Select the text instead.' }).waitFor()
  })
})

describe('unregistering', () => {
  test('needs the typed word, leaves nothing, and ends on a page that says so', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: number, telegram: 'ada_of_the_page' })
    await ada.unlink('slack')
    await republishNow()
    await using tab = await openTab(browser, { failedLoads: true })
    await using other = await openTab(browser, { failedLoads: true })
    const { page } = tab
    await openSettings(other, ada)
    await openSettings(tab, ada)
    for (const wrong of ['', 'delet', 'yes']) {
      await page.getByLabel('Type “delete” to confirm').fill(wrong)
      await page.getByRole('button', { name: 'Delete everything' }).click()
      await page.getByRole('alert').filter({ hasText: 'Type the word delete to confirm.' }).waitFor()
    }
    expect(tab.callsOf('unregisterAgent')).toBe(0)
    await expectSound(tab)

    await page.getByLabel('Type “delete” to confirm').fill('delete')
    await page.getByRole('button', { name: 'Delete everything' }).dblclick()
    await page.getByRole('heading', { name: 'Your agent is unregistered' }).waitFor()
    await page.getByText(nothingLeft).waitFor()
    expect(await focused(page)).toBe('Your agent is unregistered')
    expect(tab.callsOf('unregisterAgent')).toBe(1)
    expect(await page.locator('dd').allTextContents()).toEqual(['nothing stored', 'nothing stored', 'nothing stored'])
    await expectSound(tab)

    // Another open tab says what has happened.
    await readAgain(other.page)
    await other.page.getByRole('heading', { name: 'Your agent is no longer registered' }).waitFor()
    await expectSound(other)

    await republishNow()
    const left = await wholeDatabase(project)
    expect(left.size).toBeGreaterThan(0)
    for (const [path, text] of left) {
      for (const trace of [ada.agentId, number]) {
        expect([path, path.includes(trace) || text.includes(trace)]).toEqual([path, false])
      }
    }
    const accounts = await fetch(`${authOrigin}/identitytoolkit.googleapis.com/v1/projects/${project}/accounts:query`, {
      method: 'POST',
      headers: { authorization: 'Bearer owner', 'content-type': 'application/json' },
      body: '{}',
    })
    expect(await accounts.text()).not.toContain(ada.agentId)
  })

  test('ends there too when the page reads before the answer arrives', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser, { failedLoads: true })
    const { page } = tab
    await openSettings(tab, ada)
    await page.route('**/callables/unregisterAgent', async (route) => {
      const response = await route.fetch()
      await page.waitForResponse(/documents:batchGet/)
      await route.fulfill({ response })
    })
    await page.getByLabel('Type “delete” to confirm').fill('delete')
    await page.getByRole('button', { name: 'Delete everything' }).click()
    await page.locator('h1', { hasNotText: 'Your settings' }).waitFor()
    expect(await heading(page)).toBe('Your agent is unregistered')
    await page.getByText(nothingLeft).waitFor()
  })

  test('deletes nothing when it fails, and says what to do', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser, { failedLoads: true })
    const { page } = tab
    await page.route('**/callables/unregisterAgent', (route) => route.abort(), { times: 1 })
    await openSettings(tab, ada)
    await page.getByLabel('Type “delete” to confirm').fill('delete')
    await page.getByRole('button', { name: 'Delete everything' }).click()
    await page.getByRole('alert').filter({ hasText: 'making the change twice does no harm' }).waitFor()
    expect(await heading(page)).toBe('Your settings')
    await expectSound(tab)
    await page.getByRole('button', { name: 'Delete everything' }).click()
    await page.getByRole('heading', { name: 'Your agent is unregistered' }).waitFor()
    await page.getByText(nothingLeft).waitFor()
  })
})

describe('the keyboard alone', () => {
  /** Presses Tab until the named control has the focus. The focus must be visible each time. */
  async function tabTo(page: Page, name: string): Promise<void> {
    for (let press = 0; press < 40; press += 1) {
      await page.keyboard.press('Tab')
      const at = await page.evaluate(() => {
        const element = document.activeElement
        // Between the last control and the first lies the browser's own frame.
        if (element === null || element === document.body) return { name: '', isSeen: false }
        const { outlineStyle, outlineWidth } = getComputedStyle(element)
        return {
          name: element.getAttribute('aria-label') ?? (element.id === '' ? element.textContent.trim() : element.id),
          isSeen: outlineStyle !== 'none' && outlineWidth !== '0px',
        }
      })
      if (at.name !== '') expect(at).toMatchObject({ isSeen: true })
      if (at.name === name) return
    }
    throw new Error(`Tab does not reach ${name}`)
  }

  test('opens, unlinks, relinks, copies and unregisters, with the focus always in view', async () => {
    await using ada = await registerAgent()
    await ada.publish({ whatsapp: number, telegram: 'ada_of_the_page' })
    // The bytes may be asked for once more while the agent goes.
    await using tab = await openTab(browser, { failedLoads: true })
    const { page } = tab
    const { keyboard } = page
    await tab.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: hostingOrigin })
    await page.goto(await ada.settingsLink())
    await tabTo(page, 'Skip to content')
    await keyboard.press('Enter')
    await tabTo(page, 'Open my settings')
    await keyboard.press('Enter')
    await page.locator('.bytes').waitFor()
    expect(await focused(page)).toBe('Your settings')

    await tabTo(page, 'Unlink WhatsApp')
    await keyboard.press('Space')
    expect(await focused(page)).toBe('Keep sharing')
    await keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(await focused(page)).toBe('Unlink WhatsApp')
    await keyboard.press('Enter')
    await page.getByRole('button', { name: 'Stop sharing' }).and(page.locator('[aria-disabled=false]')).waitFor()
    await keyboard.press('Shift+Tab')
    expect(await focused(page)).toBe('Stop sharing')
    await keyboard.press('Enter')
    await channel(page, 'WhatsApp').locator('.state.unlinked').waitFor()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(await focused(page)).toBe('Allow WhatsApp again')

    await keyboard.press('Enter')
    await page.getByRole('button', { name: 'Allow again' }).and(page.locator('[aria-disabled=false]')).waitFor()
    await tabTo(page, 'Allow again')
    await keyboard.press('Enter')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(await focused(page)).toBe('Unlink WhatsApp')

    await tabTo(page, 'The exact bytes, as JSON')
    await tabTo(page, 'Copy as JSON')
    await keyboard.press('Enter')
    await page.getByText('Copied.').waitFor()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain(ada.agentId)

    await tabTo(page, 'confirmation')
    await keyboard.type('no')
    await keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'Type the word' }).waitFor()
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('confirmation')
    await keyboard.press('ControlOrMeta+a')
    await keyboard.type('delete')
    await keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Your agent is unregistered' }).waitFor()
    await page.getByText(nothingLeft).waitFor()
    expect(await focused(page)).toBe('Your agent is unregistered')
    expect(tab.offences()).toEqual([])
  })

  test('signs out', async () => {
    await using ada = await registerAgent()
    await using tab = await openTab(browser)
    await openSettings(tab, ada)
    await tabTo(tab.page, 'Sign out')
    await tab.page.keyboard.press('Enter')
    await tab.page.getByRole('heading', { name: 'You have signed out' }).waitFor()
  })
})
