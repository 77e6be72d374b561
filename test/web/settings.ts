import { expect } from '@jest/globals'
import type { Locator, Page } from 'playwright-core'
import { accessibilityProblems, type Tab } from '../../testing/browser.ts'
import type { Agent } from '../../testing/registered-agent.ts'

/** Follows a settings link of an agent and opens it, to the point where everything stored is shown. */
export async function openSettings({ page }: Tab, agent: Agent): Promise<void> {
  await page.goto(await agent.settingsLink())
  await page.getByRole('button', { name: 'Open my settings' }).click()
  await page.getByRole('heading', { name: 'Your settings', exact: true }).waitFor()
  await page.getByRole('heading', { name: 'Channels' }).waitFor()
  await page.locator('.bytes').waitFor()
}

/**
 * Makes the page read again what is stored, which it does on its own only every twenty seconds: each sign of a change of the
 * connection does.
 */
export function readAgain(page: Page): Promise<void> {
  return page.evaluate(() => {
    window.dispatchEvent(new Event('online'))
  })
}

export function channel(page: Page, name: 'WhatsApp' | 'Telegram' | 'Discord' | 'Slack'): Locator {
  return page.locator('.channel', { has: page.getByRole('heading', { name }) })
}

/** Confirms a question of the page, once it accepts an answer. */
export function confirm(page: Page, name: string): Promise<void> {
  return page.getByRole('dialog').getByRole('button', { name }).click()
}

/** What every state of every page must meet. */
export async function expectSound(tab: Tab): Promise<void> {
  expect(await accessibilityProblems(tab.page)).toEqual([])
  expect(tab.offences()).toEqual([])
}

/** The heading that the page shows and, after a change, has the focus. */
export function heading(page: Page): Promise<string | null> {
  return page.locator('h1').textContent()
}

export function focused(page: Page): Promise<string | null> {
  return page.evaluate(() => document.activeElement?.textContent ?? null)
}
