import { Firestore } from '@google-cloud/firestore'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import type { Browser, Page, Route } from 'playwright-core'
import { hostingOrigin, project } from '../../scripts/stack/addresses.ts'
import { launchChromium, openTab, type Tab } from '../../testing/browser.ts'
import { registerAgent, type Agent } from '../../testing/registered-agent.ts'
import { channel, confirm, expectSound, openSettings, readAgain } from './settings.ts'

jest.setTimeout(180_000)

const firestore = new Firestore({ projectId: project })
let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(async () => {
  await browser.close()
  await firestore.terminate()
})

const channels = { whatsapp: '+447700900432', telegram: 'a_name_that_is_as_long_as_can_be' }
const listing = (agent: Agent) => firestore.doc(`mcpDirectory/dating/agents/${agent.agentId}`)
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click()
const hang = () => undefined
const fail = (route: Route) => route.abort()
const used = `${hostingOrigin}/settings#code=${'A'.repeat(43)}`

async function openListed(tab: Tab, agent: Agent): Promise<void> {
  await agent.publish(channels)
  await agent.unlink('slack')
  await openSettings(tab, agent)
}

async function ask(tab: Tab, agent: Agent, name: string): Promise<void> {
  await openListed(tab, agent)
  await press(tab.page, name)
  await tab.page.getByRole('dialog').locator('[aria-disabled=false]').first().waitFor()
}

/** How to reach each state, and what shows that it is reached. */
const states: Record<string, [reach: (tab: Tab, agent: Agent) => Promise<unknown>, shown: string]> = {
  'no link': [({ page }) => page.goto(`${hostingOrigin}/settings`), 'You need a link from your agent'],
  'a damaged link': [({ page }) => page.goto(`${hostingOrigin}/settings#code=no`), 'This link is not complete'],
  'a link': [({ page }) => page.goto(used), 'Open my settings'],
  'a link that is being opened': [
    async ({ page }) => {
      await page.route('**/redeemSettingsLink', hang)
      await page.goto(used)
      await press(page, 'Open my settings')
    },
    'Opening …',
  ],
  'a link that cannot be opened now': [
    async ({ page }) => {
      await page.route('**/redeemSettingsLink', fail)
      await page.goto(used)
      await press(page, 'Open my settings')
    },
    'cannot tell whether your link was used',
  ],
  'a link that is spent': [
    async ({ page }) => {
      await page.goto(used)
      await press(page, 'Open my settings')
    },
    'This link no longer works',
  ],
  'reading for the first time': [
    async ({ page }, agent) => {
      await page.route('**/exportAgent', hang)
      await page.goto(await agent.settingsLink())
      await press(page, 'Open my settings')
    },
    'Reading your data …',
  ],
  'nothing could be read': [
    async ({ page }, agent) => {
      await page.route('**/exportAgent', fail)
      await page.goto(await agent.settingsLink())
      await press(page, 'Open my settings')
    },
    'Your data could not be read.',
  ],
  'resuming fails': [
    async (tab, agent) => {
      await openSettings(tab, agent)
      await tab.page.route(/assets\/panel/, fail)
      await tab.page.reload()
    },
    'Your settings could not be loaded.',
  ],
  'not listed': [openSettings, 'Not listed'],
  online: [openListed, 'Online'],
  offline: [
    async (tab, agent) => {
      await agent.publish(channels)
      await listing(agent).update({ 'presence.lastSeenAtMs': Math.floor(Date.now() / 86_400_000 - 4) * 86_400_000 })
      await openSettings(tab, agent)
    },
    'Offline since',
  ],
  'a listing of another version': [
    async (tab, agent) => {
      await agent.publish(channels)
      await listing(agent).update({ surprise: 1 })
      await openSettings(tab, agent)
    },
    'Not readable',
  ],
  'the data is old': [
    async (tab, agent) => {
      await openListed(tab, agent)
      await tab.page.route('**/exportAgent', fail)
      await readAgain(tab.page)
    },
    'may be out of date',
  ],
  'no connection': [
    async (tab, agent) => {
      await openListed(tab, agent)
      await tab.context.setOffline(true)
    },
    'You are offline.',
  ],
  'the question to unlink': [(tab, agent) => ask(tab, agent, 'Unlink WhatsApp'), 'Stop sharing your WhatsApp number'],
  'the question to block': [(tab, agent) => ask(tab, agent, 'Unlink Discord'), 'Block your Discord user id'],
  'the question to allow': [(tab, agent) => ask(tab, agent, 'Allow Slack again'), 'Let your agent publish'],
  'the question to unlink all': [
    (tab, agent) => ask(tab, agent, 'Unlink every channel'),
    'Stop sharing every channel?',
  ],
  'unlinking is sent': [
    async (tab, agent) => {
      await ask(tab, agent, 'Unlink WhatsApp')
      await tab.page.route('**/unlinkChannel', hang)
      await confirm(tab.page, 'Stop sharing')
    },
    'Unlinking …',
  ],
  'allowing is sent': [
    async (tab, agent) => {
      await ask(tab, agent, 'Allow Slack again')
      await tab.page.route('**/relinkChannel', hang)
      await confirm(tab.page, 'Allow again')
    },
    'Allowing …',
  ],
  'unlinking failed': [
    async (tab, agent) => {
      await ask(tab, agent, 'Unlink WhatsApp')
      await tab.page.route('**/unlinkChannel', fail)
      await confirm(tab.page, 'Stop sharing')
    },
    'cannot tell whether the change was made',
  ],
  'unlinking all failed': [
    async (tab, agent) => {
      await ask(tab, agent, 'Unlink every channel')
      await tab.page.route('**/unlinkChannel', fail)
      await confirm(tab.page, 'Stop sharing all')
    },
    'Still visible to peers: WhatsApp',
  ],
  'unlinking is under way': [
    async (tab, agent) => {
      await ask(tab, agent, 'Unlink WhatsApp')
      await confirm(tab.page, 'Stop sharing')
      await channel(tab.page, 'WhatsApp').locator('.state.unlinked').waitFor()
    },
    'Out of your listing since',
  ],
  'all is unlinked': [
    async (tab, agent) => {
      await ask(tab, agent, 'Unlink every channel')
      await confirm(tab.page, 'Stop sharing all')
    },
    'Every channel is unlinked.',
  ],
  'a channel is allowed again': [
    async (tab, agent) => {
      await ask(tab, agent, 'Allow Slack again')
      await confirm(tab.page, 'Allow again')
    },
    'Slack is allowed again.',
  ],
  'the word is mistyped': [
    async (tab, agent) => {
      await openSettings(tab, agent)
      await press(tab.page, 'Delete everything')
    },
    'Type the word delete to confirm.',
  ],
  'unregistering is sent': [
    async (tab, agent) => {
      await openSettings(tab, agent)
      await tab.page.route('**/unregisterAgent', hang)
      await tab.page.getByLabel('Type “delete” to confirm').fill('delete')
      await press(tab.page, 'Delete everything')
    },
    'Deleting …',
  ],
  unregistered: [
    async (tab, agent) => {
      await openSettings(tab, agent)
      await tab.page.getByLabel('Type “delete” to confirm').fill('delete')
      await press(tab.page, 'Delete everything')
    },
    'Your agent is unregistered',
  ],
  'unregistered elsewhere': [
    async (tab, agent) => {
      await openSettings(tab, agent)
      await agent.unregister()
      await readAgain(tab.page)
    },
    'Your agent is no longer registered',
  ],
  'a new secret': [
    async (tab, agent) => {
      await openSettings(tab, agent)
      await agent.rotateSecret()
      await readAgain(tab.page)
    },
    'Your session is no longer valid',
  ],
  'the session ends soon': [
    async (tab, agent) => {
      await tab.page.clock.install()
      await openSettings(tab, agent)
      await tab.page.clock.fastForward('25:30')
    },
    'This page closes at',
  ],
  'the session has ended': [
    async (tab, agent) => {
      await tab.page.clock.install()
      await openSettings(tab, agent)
      await tab.page.clock.fastForward('30:30')
    },
    'This session has ended',
  ],
  'signed out': [
    async (tab, agent) => {
      await openSettings(tab, agent)
      await press(tab.page, 'Sign out')
    },
    'You have signed out',
  ],
}

test.each(Object.entries(states))(
  'passes axe at 320, 360 and 1280 px in both schemes, and never scrolls sideways: %s',
  async (_name, [reach, shown]) => {
    await using agent = await registerAgent()
    await using tab = await openTab(browser, { failedLoads: true })
    await reach(tab, agent)
    await tab.page.getByText(shown).filter({ visible: true }).first().waitFor()
    expect(await tab.page.locator('h1').count()).toBe(1)
    await expectSound(tab)
  },
)
