import { Firestore } from '@google-cloud/firestore'
import { dayMs } from '@koko/contract'
import { mkdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Page } from 'playwright-core'
import { launchChromium, openTab } from '../testing/browser.ts'
import { registerAgent } from '../testing/registered-agent.ts'
import { sampleChannels } from '../testing/samples.ts'
import { hostingOrigin, project, root } from './stack/addresses.ts'
import { reportFailure } from './failure.ts'
import { runSchedule } from './schedule.ts'

const folder = join(root, 'docs', 'screenshots')
/** What the home page and the README show. */
const pictures = join(root, 'web', 'public', 'pictures')
const looks = {
  'desktop-light': { viewport: { width: 1280, height: 860 }, colorScheme: 'light' },
  'desktop-dark': { viewport: { width: 1280, height: 860 }, colorScheme: 'dark' },
  'phone-light': { viewport: { width: 390, height: 844 }, colorScheme: 'light' },
  'phone-dark': { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
  'wide-light': { viewport: { width: 960, height: 1080 }, colorScheme: 'light' },
  'wide-dark': { viewport: { width: 960, height: 1080 }, colorScheme: 'dark' },
} as const
type Look = keyof typeof looks

/**
 * Pictures of the main states of the web pages, for docs/settings.md, the home page and the README: beside a fresh stack,
 * with fictional people.
 */
async function takeScreenshots(): Promise<void> {
  for (const each of [folder, pictures]) {
    await rm(each, { recursive: true, force: true })
    await mkdir(each, { recursive: true })
  }
  await using browser = await launchChromium()
  await using ada = await registerAgent()
  await using tab = await openTab(browser)
  const { page } = tab

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
  await shootBeginning(page)
  await shoot(page, 'channels', ['desktop-light', 'phone-dark'], '#channels')
  await shoot(page, 'profile', ['desktop-light', 'phone-dark'], '#profile')
  await shoot(page, 'exact-bytes', ['desktop-light', 'phone-dark'], '#bytes')

  await page.getByRole('button', { name: 'Unlink every channel' }).click()
  await page.getByRole('dialog').locator('[aria-disabled=false]').first().waitFor()
  await shoot(page, 'unlink-all', ['desktop-light', 'phone-dark'])
  await page.keyboard.press('Escape')

  await page.getByRole('button', { name: 'Unlink WhatsApp' }).click()
  const yes = page.getByRole('dialog').getByRole('button', { name: 'Stop sharing' })
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

  await seenDaysAgo(ada.agentId, 3)
  await page.getByRole('button', { name: 'Read again' }).click()
  await page.getByText('Offline', { exact: true }).waitFor()
  await shoot(page, 'offline', ['desktop-light', 'phone-dark'])

  await page.getByLabel('Type “delete” to confirm').fill('delete')
  await page.getByRole('button', { name: 'Delete everything' }).click()
  await page.getByRole('heading', { name: 'Your agent is unregistered' }).waitFor()
  await shoot(page, 'nothing-left', ['desktop-light', 'phone-dark'])

  // The stack serves the pictures of the last time.
  await page.route('**/pictures/*', (route) =>
    route.fulfill({ path: join(pictures, basename(new URL(route.request().url()).pathname)) }),
  )
  await page.goto(hostingOrigin)
  await shoot(page, 'home', ['desktop-light', 'phone-dark'])
  await page.goto(`${hostingOrigin}/help/whatsapp`)
  await shoot(page, 'help', ['desktop-light', 'phone-dark'])
}

/** The settings page to the end of the first channel: on a phone from the heading of the channels, else from its top. */
async function shootBeginning(page: Page): Promise<void> {
  for (const look of ['wide-light', 'wide-dark', 'phone-light', 'phone-dark'] as const) {
    await show(page, look)
    const { width } = looks[look].viewport
    const heading = await page.locator('#channels').boundingBox()
    const channel = await page.locator('.channel').first().boundingBox()
    const y = look.startsWith('phone') ? Math.round(heading?.y ?? 0) - 20 : 0
    const clip = { x: 0, y, width, height: Math.round((channel?.y ?? 0) + (channel?.height ?? 0)) - y }
    await page.screenshot({ path: join(pictures, `settings-${look}.png`), clip, fullPage: true })
  }
}

/** As if the agent had been away for some days. */
async function seenDaysAgo(agentId: string, days: number): Promise<void> {
  const firestore = new Firestore({ projectId: project })
  const lastSeenAtMs = (Math.floor(Date.now() / dayMs) - days) * dayMs
  await firestore.doc(`mcpDirectory/dating/agents/${agentId}`).update({ 'presence.lastSeenAtMs': lastSeenAtMs })
  await firestore.terminate()
}

async function shoot(page: Page, state: string, shown: readonly Look[], scrollTo = 'body'): Promise<void> {
  for (const look of shown) {
    await show(page, look, scrollTo)
    await page.screenshot({ path: join(folder, `${state}-${look}.png`) })
  }
}

async function show(page: Page, look: Look, scrollTo = 'body'): Promise<void> {
  const { viewport, colorScheme } = looks[look]
  await page.setViewportSize(viewport)
  await page.emulateMedia({ colorScheme })
  await page.evaluate((to) => document.querySelector(to)?.scrollIntoView(), scrollTo)
}

if (import.meta.main) {
  try {
    await takeScreenshots()
    console.log('docs/screenshots')
  } catch (error) {
    process.exitCode = reportFailure(error)
  }
}
