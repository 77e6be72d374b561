import { initializeTestEnvironment } from '@firebase/rules-unit-testing'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import * as z from 'zod'
import { signInWithToken } from '@koko/contract'
import { launchChromium } from '../../testing/browser.ts'
import { createTreeWithRoom, serveTree, type ServedTree, type Tree } from './tree.ts'

jest.setTimeout(300_000)

const projectId = `demo-second-room-${process.pid}`

const cleanup = new AsyncDisposableStack()
let tree: Tree
let served: ServedTree
let browser: Browser
let homes: string

beforeAll(async () => {
  homes = await mkdtemp(join(tmpdir(), 'koko-homes-'))
  cleanup.defer(() => rm(homes, { recursive: true, force: true }))
  tree = cleanup.use(await createTreeWithRoom('outdoors'))
  await tree.node(['scripts/generate.ts'])
  await tree.node(['scripts/build.ts'])
  const generated = await readFile(join(tree.folder, 'firestore.rules'), 'utf8')
  const environment = await initializeTestEnvironment({ projectId, firestore: { rules: generated } })
  cleanup.defer(() => environment.cleanup())
  served = cleanup.use(await serveTree(tree, projectId))
  browser = await launchChromium()
  cleanup.defer(() => browser.close())
})

afterAll(() => cleanup.disposeAsync())

/** Runs a command of the copy's koko for one of the agents; resolves to what it printed. */
function koko(agent: string, ...args: string[]): Promise<string> {
  return tree.node(['agent/dist/koko.js', ...args], { KOKO_HOME: join(homes, agent), KOKO_DIRECTORY: served.origin })
}

const telegramOf = (agent: string) => ({ channel: 'telegram', handle: `fictional_${agent}` })

const Discovery = z.looseObject({
  matches: z.array(z.looseObject({ agentId: z.string() })),
  leftOut: z.record(z.string(), z.int()),
})

async function discover(agent: string) {
  return Discovery.parse(JSON.parse(await koko(agent, 'discover', '--json')))
}

/** Registers an agent of a room, and publishes its profile and a Telegram handle. Resolves to its id. */
async function publish(agent: string, room: string, ...profile: string[]): Promise<string> {
  const registered = await koko(
    agent,
    'init',
    '--room',
    room,
    '--accept-terms',
    '--accept-disclaimer',
    '--adult',
    '--json',
  )
  await koko(agent, 'profile', ...profile)
  await koko(agent, 'link', 'telegram', telegramOf(agent).handle)
  await koko(agent, 'publish', '--yes')
  return z.looseObject({ agentId: z.string() }).parse(JSON.parse(registered)).agentId
}

const datingProfile = [
  ...['--gender', 'woman', '--seeking', '', '--age', '34', '--age-min', '18', '--age-max', '99'],
  ...['--max-distance', 'anywhere', '--intent', 'open'],
]

test('the copy of the project is well typed', async () => {
  await tree.node(['node_modules/typescript/bin/tsc', '--noEmit', '--project', 'tsconfig.json'])
})

test('agents of a second room register, publish, match and manage their settings; no room sees the other', async () => {
  const outdoors = (level: string, sports: string, area: string) => [
    ...['--level', level, '--sports', sports, '--days', '3', '--days-min', '1', '--days-max', '5'],
    ...['--area', area, '--travel-km', '100'],
  ]
  const dating = ['--area', 'gcpv', ...datingProfile]
  await publish('ada', 'outdoors', ...outdoors('regular', 'hiking,climbing', 'gcpv'), '--only-levels', 'regular,expert')
  const bea = await publish('bea', 'outdoors', ...outdoors('expert', 'climbing', 'gcpv'))
  await publish('cas', 'outdoors', ...outdoors('beginner', 'climbing', 'gcpv'))
  await publish('dot', 'outdoors', ...outdoors('regular', 'skiing', 'gcpv'))
  await publish('eve', 'outdoors', ...outdoors('regular', 'hiking', 'u33d'))
  const fay = await publish('fay', 'dating', ...dating)
  await publish('gil', 'dating', ...dating)
  await served.trigger('republishDiscovery')

  // Her own dealbreakers leave out a beginner, a skier, and somebody in Berlin.
  expect(await discover('ada')).toMatchObject({
    matches: [{ agentId: bea, level: 'expert', sports: ['climbing'], days: 3, channels: [telegramOf('bea')] }],
    leftOut: { level: 1, sports: 1, distance: 1 },
  })
  expect(await koko('ada', 'discover')).toContain('climbing')
  expect(await discover('gil')).toMatchObject({ matches: [{ agentId: fay, gender: 'woman' }], leftOut: {} })

  const shown = await koko('ada', 'profile')
  for (const text of ['out regularly', 'hiking and climbing', '3 days a week', 'up to 100 km', 'A partner may be']) {
    expect(shown).toContain(text)
  }
  await expect(koko('ada', 'profile', '--gender', 'woman')).rejects.toThrow('outdoors has no --gender')

  const { url } = z.looseObject({ url: z.string() }).parse(JSON.parse(await koko('ada', 'settings', '--json')))
  const page = await browser.newPage()
  await page.goto(url)
  await page.getByRole('button', { name: 'Open my settings' }).click()
  await page.getByRole('heading', { name: 'Profile' }).waitFor()
  await expect(page.locator('#profile ~ dl, [aria-labelledby=profile] dl').innerText()).resolves.toMatch(
    /Level\s+out regularly\s+Sports\s+hiking and climbing\s+Outdoors\s+3 days a week/,
  )
  await page.getByText('Online', { exact: true }).waitFor()
  await page.close()
})

test('a profile of another room is none', async () => {
  await koko('hal', 'profile', '--area', 'gcpv', ...datingProfile)
  expect(JSON.parse(await koko('hal', 'profile', '--json'))).toMatchObject({ profile: { gender: 'woman' } })
  await koko('hal', 'init', '--room', 'outdoors', '--accept-terms', '--accept-disclaimer', '--adult')
  expect(JSON.parse(await koko('hal', 'status', '--json'))).toMatchObject({ hasProfile: false, unpublished: [] })
  expect(JSON.parse(await koko('hal', 'profile', '--json'))).toMatchObject({ profile: null })
})

test('a profile of another room is kept beside the one that replaces it', async () => {
  const options = ['--level', 'regular', '--sports', 'hiking', '--days', '3', '--days-min', '1', '--days-max', '5']
  const said = await koko('hal', 'profile', ...options, '--area', 'gcpv', '--travel-km', '100')
  expect(said).toContain('The profile of the room dating is saved as profile.json.dating.')
  expect(await readFile(join(homes, 'hal', 'profile.json'), 'utf8')).toContain('hiking')
  expect(await readFile(join(homes, 'hal', 'profile.json.dating'), 'utf8')).toContain('woman')
})

test('an agent is refused the listings of the other room', async () => {
  const Kept = z.looseObject({ agentId: z.string(), secret: z.string() })
  const { agentId, secret } = Kept.parse(JSON.parse(await readFile(join(homes, 'ada', 'agent.json'), 'utf8')))
  const config = z
    .looseObject({
      apiKey: z.string(),
      emulators: z.looseObject({ auth: z.strictObject({ host: z.string(), port: z.int() }) }),
    })
    .parse(await (await fetch(`${served.origin}/api/v1/config`)).json())
  const signedIn = await fetch(`${served.origin}/${projectId}/us-central1/signInAgent`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ data: { agentId, secret } }),
  })
  const { token } = z.object({ result: z.object({ token: z.string() }) }).parse(await signedIn.json()).result
  const unused = { host: '127.0.0.1', port: 1 }
  const emulators = { auth: config.emulators.auth, firestore: unused, functions: unused }
  const session = await signInWithToken({ apiKey: config.apiKey, emulators }, token)
  const authorization = `Bearer ${await session.idToken()}`
  const statuses = ['outdoors', 'dating'].map(async (room) => {
    const url = `${served.origin}/api/v1/rooms/${room}/agents:discover`
    return (await fetch(url, { method: 'POST', headers: { authorization } })).status
  })
  expect(await Promise.all(statuses)).toEqual([200, 403])
})
