import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { launchChromium, openTab } from '../testing/browser.ts'
import { registerAgent } from '../testing/registered-agent.ts'
import { sampleChannels } from '../testing/samples.ts'
import { hostingOrigin, root } from './stack/addresses.ts'
import { reportFailure } from './failure.ts'
import { runSchedule } from './schedule.ts'

const folder = join(root, 'docs', 'screenshots')
const looks = {
  'desktop-light': { viewport: { width: 1280, height: 860 }, colorScheme: 'light' },
  'desktop-dark': { viewport: { width: 1280, height: 860 }, colorScheme: 'dark' },
  'phone-light': { viewport: { width: 390, height: 844 }, colorScheme: 'light' },
  'phone-dark': { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
} as const
type Look = keyof typeof looks

/** Pictures of the main states of the web pages, for docs/settings.md: beside a fresh stack, with fictional people. */
async function takeScreenshots(): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await using browser = await launchChromium()
  await using ada = await registerAgent()
  await using tab = await openTab(browser)
  const { page } = tab

  await page.goto(hostingOrigin)
  await shoot(page, 'home', ['desktop-light', 'phone-dark'])

  await ada.unlink('slack')
  await ada.publish(sampleChannels)
  await page.goto(await ada.settingsLink())
  await page.getByRole('button', { name: 'Open my settings' }).waitFor()
  await shoot(page, 'link', ['desktop-light', 'phone-dark'])

  await page.getByRole('button', { name: 'Open my settings' }).click()
  await page.getByText('Online', { exact: true }).waitFor()
  await page.locator('.bytes').waitFor()
  await page.mouse.move(0, 0)
  await shoot(page, 'settings', ['desktop-light', 'desktop-dark', 'phone-light', 'phone-dark'])
  await shoot(page, 'channels', ['desktop-light', 'phone-dark'], '#channels')
  await shoot(page, 'profile', ['desktop-light', 'phone-dark'], '#profile')
  await shoot(page, 'exact-bytes', ['desktop-light', 'phone-dark'], '#bytes')

  await page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
  const yes = page.getByRole('dialog').getByRole('button', { name: 'Unlink' })
  await yes.and(page.locator('[aria-disabled=false]')).waitFor()
  await shoot(page, 'unlink-question', ['desktop-light', 'phone-dark'])

  await runSchedule('pause', undefined)
  await yes.click()
  const whatsApp = page.locator('.channel', { has: page.getByRole('heading', { name: 'WhatsApp' }) })
  await whatsApp.getByText('New answers do not include your WhatsApp number.').waitFor()
  await shoot(page, 'unlink-under-way', ['desktop-light', 'phone-dark'], '#channels')
  await runSchedule('resume', undefined)
  await runSchedule('run', undefined)
  await whatsApp.getByText('Unlinking is finished.').waitFor()
  await shoot(page, 'unlink-gone', ['desktop-light', 'phone-dark'], '#channels')

  await page.getByLabel('Type “delete” to confirm').fill('delete')
  await page.getByRole('button', { name: 'Delete everything' }).click()
  await page.getByRole('heading', { name: 'Your agent is unregistered' }).waitFor()
  await shoot(page, 'nothing-left', ['desktop-light', 'phone-dark'])
}

async function shoot(page: Page, state: string, shown: readonly Look[], scrollTo = 'body'): Promise<void> {
  for (const look of shown) {
    const { viewport, colorScheme } = looks[look]
    await page.setViewportSize(viewport)
    await page.emulateMedia({ colorScheme })
    await page.evaluate((to) => document.querySelector(to)?.scrollIntoView(), scrollTo)
    await page.screenshot({ path: join(folder, `${state}-${look}.png`) })
  }
}

if (import.meta.main) {
  try {
    await takeScreenshots()
    console.log('docs/screenshots')
  } catch (error) {
    process.exitCode = reportFailure(error)
  }
}
