import { Firestore } from '@google-cloud/firestore'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import type { Browser, Page, Route } from 'playwright-core'
import { hostingOrigin, project } from '../../scripts/stack/addresses.ts'
import { launchChromium, openTab, type Tab } from '../../testing/browser.ts'
import { registerAgent, type Agent } from '../../testing/registered-agent.ts'
import { confirm, expectSound, openSettings, readAgain } from './settings.ts'

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

/** What happens to the calls of the page, by name. */
type Routes = Record<string, (route: Route) => unknown>
const hang = () => undefined
const fail = (route: Route) => route.abort()
const unknownLink = `${hostingOrigin}/settings#code=${'A'.repeat(43)}`

/** Brings a tab into a state. */
type Reach = (tab: Tab, agent: Agent) => Promise<unknown>

async function routeCalls(page: Page, routes: Routes): Promise<void> {
  for (const [call, route] of Object.entries(routes)) await page.route(`**/${call}`, route)
}

async function openListed(tab: Tab, agent: Agent): Promise<void> {
  await agent.publish(channels)
  await agent.unlink('slack')
  await openSettings(tab, agent)
}

const visit =
  (link: string): Reach =>
  ({ page }) =>
    page.goto(link)

const open =
  (routes: Routes, link?: string): Reach =>
  async ({ page }, agent) => {
    await routeCalls(page, routes)
    await page.goto(link ?? (await agent.settingsLink()))
    await press(page, 'Open my settings')
  }

const ask =
  (question: string): Reach =>
  async (tab, agent) => {
    await openListed(tab, agent)
    await press(tab.page, question)
    await tab.page.getByRole('dialog').locator('[aria-disabled=false]').first().waitFor()
  }

const answer =
  (question: string, yes: string, routes: Routes = {}): Reach =>
  async (tab, agent) => {
    await ask(question)(tab, agent)
    await routeCalls(tab.page, routes)
    await confirm(tab.page, yes)
  }

const unregister =
  (word: string, routes: Routes = {}): Reach =>
  async (tab, agent) => {
    await openSettings(tab, agent)
    await routeCalls(tab.page, routes)
    await tab.page.getByLabel('Type “delete” to confirm').fill(word)
    await press(tab.page, 'Delete everything')
  }

/** How to reach each state, and what shows that it is reached. */
const states: Record<string, [reach: Reach, shown: string]> = {
  'no link': [visit(`${hostingOrigin}/settings`), 'You need a link from your agent'],
  'a damaged link': [visit(`${hostingOrigin}/settings#code=no`), 'This link is not complete'],
  'a link': [visit(unknownLink), 'Open my settings'],
  'a link that is being opened': [open({ redeemSettingsLink: hang }, unknownLink), 'Opening …'],
  'a link that cannot be opened now': [
    open({ redeemSettingsLink: fail }, unknownLink),
    'cannot tell whether your link was used',
  ],
  'a link that is spent': [open({}, unknownLink), 'This link no longer works'],
  'reading for the first time': [open({ exportAgent: hang }), 'Reading your data …'],
  'nothing could be read': [open({ exportAgent: fail }), 'Your data could not be read.'],
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
  'the question to unlink': [ask('Unlink WhatsApp'), 'Stop sharing your WhatsApp number'],
  'the question to block': [ask('Unlink Discord'), 'Block your Discord user id'],
  'the question to allow': [ask('Allow Slack again'), 'Let your agent publish'],
  'the question to unlink all': [ask('Unlink every channel'), 'Stop sharing every channel?'],
  'unlinking is sent': [answer('Unlink WhatsApp', 'Stop sharing', { unlinkChannel: hang }), 'Unlinking …'],
  'allowing is sent': [answer('Allow Slack again', 'Allow again', { relinkChannel: hang }), 'Allowing …'],
  'unlinking failed': [
    answer('Unlink WhatsApp', 'Stop sharing', { unlinkChannel: fail }),
    'cannot tell whether the change was made',
  ],
  'unlinking all failed': [
    answer('Unlink every channel', 'Stop sharing all', { unlinkChannel: fail }),
    'Still visible to peers: WhatsApp',
  ],
  'unlinking is under way': [answer('Unlink WhatsApp', 'Stop sharing'), 'Out of your listing since'],
  'all is unlinked': [answer('Unlink every channel', 'Stop sharing all'), 'Every channel is unlinked.'],
  'a channel is allowed again': [answer('Allow Slack again', 'Allow again'), 'Slack is allowed again.'],
  'the word is mistyped': [unregister(''), 'Type the word delete to confirm.'],
  'unregistering is sent': [unregister('delete', { unregisterAgent: hang }), 'Deleting …'],
  unregistered: [unregister('delete'), 'Your agent is unregistered'],
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
