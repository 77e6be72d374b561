import type { Channels, DatingProfile } from '@koko/contract'
import { describe, expect, jest, test } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { call, profileIn, register } from '../../../testing/world.ts'
import { createTestContext, type TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { UserError } from '../errors.ts'
import { askForPeer, discover, Discovery, queryNear } from './discover.ts'
import { findNamed } from './peers.ts'
import { editProfile } from './profile.ts'
import { agentFile, peersFile, profileFile, publishedFile } from '../home/files.ts'

jest.setTimeout(60_000)

const hour = 3_600_000
const day = 24 * hour
const minute = 60_000

interface Home extends TestContext {
  agentId: string
  publish: () => Promise<void>
  /** Another process in the same home. */
  another: () => Promise<TestContext>
  /** All that is kept of peers. */
  kept: () => Promise<string>
}

/** An agent of the directory in a home of its own; where it is no newcomer, of four days. */
async function settle(
  directory: TestDirectory,
  { profile = {}, isNewcomer = false }: { profile?: Partial<DatingProfile>; isNewcomer?: boolean } = {},
): Promise<Home> {
  const { world } = directory
  const { agentId, secret, registeredAtMs, claims } = await register(world)
  if (!isNewcomer) directory.clock.advance(4 * day)
  const context = await createTestContext({ directory })
  const mine = { ...profileIn('gcpv'), ageMin: 18, ageMax: 60, ...profile }
  const publish = async () => {
    const channels = { telegram: 'a_fictional_seeker', whatsapp: '+12025550100' }
    const { published } = await call(world, 'publishProfile', claims, { channels, profile: mine })
    await context.home.change((files) =>
      files.write(publishedFile, { publishedAtMs: context.nowMs(), listing: published, withheld: [] }),
    )
  }
  await context.home.change(async (files) => {
    const { origin, projectId } = directory
    const where = { origin, projectId, isEmulated: false, room: 'dating' as const, termsVersion: null }
    await files.write(agentFile, { ...where, agentId, registeredAtMs, secret })
    await files.write(profileFile, { room: 'dating', profile: mine, dealbreakers: { onlyIntents: [] } })
  })
  await publish()
  return Object.assign(context, {
    agentId,
    publish,
    another: () => createTestContext({ directory, home: context.home.path }),
    kept: () => readFile(join(context.home.path, peersFile.name), 'utf8'),
  })
}

/** So many peers at once. */
async function crowd(
  directory: TestDirectory,
  count: number,
  peer: { channels?: Channels; profile?: Partial<DatingProfile> } = {},
) {
  for (let index = 0; index < count; index += 1) {
    const { claims } = await register(directory.world)
    const { channels = { telegram: `a_fictional_peer_${index}` }, profile = {} } = peer
    await call(directory.world, 'publishProfile', claims, { channels, profile: { ...profileIn('gcpv'), ...profile } })
  }
  await directory.republish()
}

const asked = ({ requests }: TestDirectory, name: string) => requests.filter((request) => request.name === name)

test('finds who matches with every shared channel, the best first, and says which rule left out whom', async () => {
  const directory = await createTestDirectory()
  const home = await settle(directory)
  const match = await directory.addPeer({ channels: { whatsapp: '+12025550111', telegram: 'the_one_to_use' } })
  const old = await directory.addPeer({ channels: { telegram: 'of_no_interest' }, profile: { age: 80, ageMax: 90 } })
  const far = await directory.addPeer({ profile: { area: 'r3gx', maxDistanceKm: 500 } })

  const found = await discover(home, { explain: true })
  expect(Discovery.parse(found)).toEqual(found)
  expect(found).toEqual({
    asOfMs: home.nowMs(),
    looked: 3,
    matches: [
      {
        agentId: match.agentId,
        age: 30,
        gender: 'woman',
        intent: 'open',
        area: 'gcpv',
        distanceKm: { atLeast: 0, about: 0 },
        channels: [
          { channel: 'telegram', handle: 'the_one_to_use' },
          { channel: 'whatsapp', handle: '+12025550111' },
        ],
        isNew: true,
        refreshed: true,
      },
    ],
    leftOut: { age: 1, theirDistance: 1 },
    leftOutPeers: expect.arrayContaining([
      { agentId: old.agentId, rule: 'age' },
      { agentId: far.agentId, rule: 'theirDistance' },
    ]),
    hasMore: false,
    budget: {
      discover: { used: 3, of: 1_000, resetsAtMs: expect.any(Number) },
      batchGet: { used: 0, of: 2_000, resetsAtMs: expect.any(Number) },
    },
  })
  expect(found.budget.discover.resetsAtMs % day).toBe(0)
  expect(await home.kept()).toContain('the_one_to_use')
  expect(await home.kept()).not.toContain('of_no_interest')
  expect(await discover(home, {})).not.toHaveProperty('leftOutPeers')
})

test('the next discovery neither shows nor keeps an unlinked handle', async () => {
  const directory = await createTestDirectory()
  const home = await settle(directory)
  const peer = await directory.addPeer({ channels: { whatsapp: '+12025550111', telegram: 'soon_taken_back' } })
  await discover(home, {})
  await peer.call('unlinkChannel', { channel: 'telegram' })
  // At once: the shards still hold the handle, and an instance may not know yet.
  directory.clock.advance(1_000)
  const found = await discover(home, {})
  expect(found.matches).toMatchObject([
    { channels: [{ channel: 'whatsapp', handle: '+12025550111' }], isNew: false, refreshed: true },
  ])
  expect(JSON.stringify(found) + (await home.kept())).not.toContain('soon_taken_back')

  await peer.call('unlinkChannel', { channel: 'whatsapp' })
  directory.clock.advance(1_000)
  expect((await discover(home, {})).matches).toEqual([])
  expect(await home.kept()).not.toContain('+12025550111')
})

test('a peer that is gone is forgotten', async () => {
  const directory = await createTestDirectory()
  const home = await settle(directory)
  const peer = await directory.addPeer()
  expect((await discover(home, {})).matches).toHaveLength(1)
  await peer.call('unregisterAgent')
  await directory.pass(minute)
  expect((await discover(home, {})).matches).toEqual([])
  expect((await home.home.read(peersFile))?.peers).toEqual([])
})

test('a page that was asked for before a peer was seen gone does not bring the peer back', async () => {
  const directory = await createTestDirectory()
  const home = await settle(directory)
  const peer = await directory.addPeer({ channels: { telegram: 'seen_to_be_gone' } })
  await discover(home, {})
  directory.clock.advance(minute)
  directory.intercept = async ({ name }, answer) => {
    const response = await answer()
    if (name === 'discover') {
      directory.intercept = (_, pass) => pass()
      await peer.call('unregisterAgent')
      directory.clock.advance(1_000)
      expect(await askForPeer(await home.another(), peer.agentId)).toEqual({ agentId: peer.agentId, found: false })
    }
    return response
  }
  const found = await discover(home, {})
  expect(found.matches).toEqual([])
  expect(await home.kept()).not.toContain('seen_to_be_gone')
})

describe('--near-me', () => {
  test('asks for the own cell first, and as far as the profile looks from its furthest place', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory, { profile: { area: 'gcpv', maxDistanceKm: 30 } })
    const near = await directory.addPeer({ profile: { area: 'gcpu' } })
    await directory.addPeer({ profile: { area: 'u09t' } })
    const found = await discover(home, { nearMe: true })
    expect(found).toMatchObject({ looked: 1, matches: [{ agentId: near.agentId }] })
    expect(asked(directory, 'discover')[0]?.body).toEqual({ pageSize: 40, near: 'gcpv', withinKm: 46 })
  })

  test('sends nothing that is not published, and says so', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory, { profile: { area: 'gcpv', maxDistanceKm: 30 } })
    expect((await discover(home, { nearMe: true })).note).toBeUndefined()
    await editProfile(home.home, 'dating', { area: 'u09t', maxDistanceKm: 77, age: 31 })
    const found = await discover(home, { nearMe: true })
    expect(found.note).toMatch(
      /in your listing \(gcpv\)\. What is saved here differs: to publish it, run `koko publish`/,
    )
    const sent = asked(directory, 'discover').map(({ body }) => body)
    expect(sent).toEqual([0, 1].map(() => ({ pageSize: 40, near: 'gcpv', withinKm: 46 })))
    expect((await discover(home, {})).note).toBeUndefined()
  })

  const nearest = (area: string, maxDistanceKm: number | null) =>
    queryNear('dating', { ...profileIn(area), maxDistanceKm })
  test('asks without an end where the profile looks anywhere, or as good as anywhere', () => {
    expect(nearest('gc', null)).toEqual({ near: 'gc' })
    expect(nearest('gc', 19_900)).toEqual({ near: 'gc' })
    expect(nearest('gcpv', 100)).toEqual({ near: 'gcpv', withinKm: 116 })
  })
})

describe('a look', () => {
  test('ends after 200 listings and costs no more, unless it is to see all', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    await crowd(directory, 230)
    const found = await discover(home, {})
    expect(found).toMatchObject({ looked: 200, hasMore: true, budget: { discover: { used: 200, of: 1_000 } } })
    expect(found).not.toHaveProperty('note')
    // What the directory itself has counted.
    const counted = directory.world.store.all().get(`accounts/${home.agentId}`)
    expect(counted).toMatchObject({ budget: { discovered: 200 } })

    const all = await discover(home, { all: true })
    expect(all).toMatchObject({
      looked: 230,
      hasMore: false,
      budget: { discover: { used: 430 }, batchGet: { used: 200 } },
    })
    expect(all.matches.filter(({ isNew }) => isNew)).toHaveLength(30)
  })

  test('of a newcomer ends with its budget, and the next asks no more until the day has passed', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory, { isNewcomer: true })
    await crowd(directory, 110)
    const found = await discover(home, { all: true })
    expect(found).toMatchObject({
      looked: 100,
      hasMore: true,
      budget: { discover: { used: 100, of: 100 } },
      note: "Today's budget for discovering listings is used up. It resets at 00:00 UTC, in 12 hours.",
    })
    const before = asked(directory, 'discover').length
    expect(await discover(home, {})).toMatchObject({ looked: 100, note: found.note })
    expect(asked(directory, 'discover')).toHaveLength(before)

    directory.clock.advance(12 * hour)
    await directory.republish()
    expect(await discover(home, {})).toMatchObject({ hasMore: true, budget: { discover: { used: 100 } } })
    expect(asked(directory, 'discover').length).toBeGreaterThan(before)
  })

  test('is not used because pages were asked for too fast', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    await crowd(directory, 3)
    const message = 'Too many pages in a minute: try again in 42 s.'
    const error = { code: 429, status: 'RESOURCE_EXHAUSTED', message, details: { retryAfterSeconds: 42 } }
    directory.intercept = ({ name }, answer) =>
      name === 'discover' ? Promise.resolve(Response.json({ error }, { status: 429 })) : answer()
    await expect(discover(home, {})).rejects.toMatchObject({ code: 'resource-exhausted', message })
    directory.intercept = (_request, answer) => answer()
    expect(await discover(home, {})).toMatchObject({ budget: { discover: { used: 3 } } })
  })

  test('learns that another home of the agent has used the budget', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory, { isNewcomer: true })
    await crowd(directory, 110)
    await discover(await copyOf(directory, home), { all: true })

    await expect(discover(home, {})).rejects.toMatchObject({
      message: "Today's budget for discovering listings is used up.",
      hint: 'It resets at 00:00 UTC, in 12 hours.',
    })
    expect((await home.home.read(peersFile))?.budget.discovered).toBe(100)
    const before = asked(directory, 'discover').length
    await expect(discover(home, {})).rejects.toThrow(UserError)
    expect(asked(directory, 'discover')).toHaveLength(before)
  })
})

describe('the budget for asking again', () => {
  const usedUp = async (home: Home, refreshed: number) =>
    home.home.change(async (files) => {
      const peers = await files.read(peersFile)
      if (peers === undefined) throw new Error('nothing was looked at yet')
      await files.write(peersFile, { ...peers, budget: { ...peers.budget, refreshed } })
    })

  test('goes to those first who were not asked for the longest; of the others no handle is shown', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    await crowd(directory, 5)
    await discover(home, {})
    await usedUp(home, 1_898)
    directory.clock.advance(minute)
    // None of them is found by looking further.
    directory.intercept = ({ name }, answer) => (name === 'discover' ? Promise.reject(new TypeError()) : answer())
    const found = await discover(home, {})
    expect(found.budget.batchGet).toMatchObject({ used: 1_900, of: 2_000 })
    expect(found.matches.filter(({ refreshed }) => refreshed)).toHaveLength(2)
    for (const { channels, refreshed } of found.matches) {
      expect(channels.every((each) => 'handle' in each)).toBe(refreshed)
    }
    expect(found.note).toContain("Today's budget for refreshing peers is used up.")

    // The others are first the next time.
    directory.clock.advance(minute)
    await usedUp(home, 1_897)
    await discover(home, {})
    const refreshedAtMs = (await home.home.read(peersFile))?.peers.map((peer) => peer.refreshedAtMs).sort() ?? []
    expect(refreshedAtMs.map((ms) => (home.nowMs() - ms) / minute)).toEqual([1, 1, 0, 0, 0])
  })

  test('is never so used up by looks that one peer could not be asked for', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    const peer = await directory.addPeer()
    await discover(home, {})
    await usedUp(home, 1_900)
    directory.requests.length = 0
    expect(await discover(home, {})).toMatchObject({ matches: [{ agentId: peer.agentId }] })
    expect(asked(directory, 'batchGet')).toEqual([])
    expect(await askForPeer(home, peer.agentId)).toMatchObject({ found: true })
  })

  test('that another home has used is learnt in two refusals, not in one for each', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    const peer = await directory.addPeer()
    await crowd(directory, 100)
    await discover(home, {})
    const account = `accounts/${home.agentId}`
    const { store } = directory.world
    await store.transaction(async (transaction) => {
      const [fields] = await transaction.get([account])
      const budget = { dayMs: Math.floor(home.nowMs() / day) * day, discovered: 0, fetched: 1_950 }
      transaction.set(account, { ...fields, budget })
    })
    directory.requests.length = 0
    const found = await discover(home, {})
    expect(found.note).toContain("Today's budget for refreshing peers is used up.")
    expect(asked(directory, 'batchGet').length).toBeLessThanOrEqual(2)
    // One can be asked for nevertheless.
    expect(await askForPeer(home, peer.agentId)).toMatchObject({ found: true })
  })
})

describe('where the directory breaks off', () => {
  test('within a walk, what was found until then is kept and told', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    await crowd(directory, 100)
    directory.intercept = ({ body }, answer) => {
      directory.isDown = JSON.stringify(body ?? {}).includes('pageToken')
      return answer()
    }
    const found = await discover(home, {})
    expect(found).toMatchObject({ looked: 40, hasMore: true, budget: { discover: { used: 40 } } })
    expect(found.note).toBe(
      'The directory interrupted the discovery. What was found until then is saved. Try again later.',
    )
    expect((await home.home.read(peersFile))?.peers).toHaveLength(40)
  })

  test('and no longer knows the place of a walk, the same', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    await crowd(directory, 50)
    directory.intercept = async ({ name }, answer) => {
      const response = await answer()
      if (name === 'discover') await directory.pass(11 * minute)
      return response
    }
    expect(await discover(home, {})).toMatchObject({ looked: 40, note: expect.stringContaining('interrupted') })
  })

  test('before anything was received, that is all there is to tell', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    await directory.addPeer({ channels: { telegram: 'known_from_before' } })
    await discover(home, {})
    directory.isDown = true
    await expect(discover(home, {})).rejects.toMatchObject({ code: 'unavailable' })
    directory.isDown = false
    directory.intercept = ({ name }, answer) => {
      directory.isDown = name === 'batchGet' || name === 'discover'
      return answer()
    }
    await expect(discover(home, {})).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('while known peers are asked for, it is not asked for more', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    await crowd(directory, 210)
    await discover(home, { all: true })
    let batches = 0
    directory.intercept = ({ name }, answer) => {
      if (name === 'batchGet') batches += 1
      directory.isDown = batches === 2
      return answer()
    }
    directory.requests.length = 0
    const found = await discover(home, {})
    expect(found.matches).toHaveLength(210)
    expect(found.matches.filter(({ channels }) => channels[0]?.handle !== undefined)).toHaveLength(200)
    expect(found.note).toContain('interrupted')
    expect(asked(directory, 'discover')).toEqual([])
  })

  test('with a 429 of no budget, the budget is not taken to be used', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    await crowd(directory, 50)
    directory.intercept = ({ body }, answer) =>
      JSON.stringify(body ?? {}).includes('pageToken')
        ? Promise.resolve(new Response('Rate exceeded.', { status: 429 }))
        : answer()
    expect(await discover(home, {})).toMatchObject({
      note: expect.stringContaining('interrupted'),
      budget: { discover: { used: 40 } },
    })
  })
})

test('a look that is stopped keeps the pages before', async () => {
  const directory = await createTestDirectory()
  const home = await settle(directory)
  await crowd(directory, 100)
  directory.intercept = ({ body }, answer) => {
    if (!JSON.stringify(body ?? {}).includes('pageToken')) return answer()
    home.stop()
    return Promise.reject(new TypeError('fetch failed'))
  }
  await expect(discover(home, {})).rejects.toThrow('Stopped.')
  expect(await home.home.read(peersFile)).toMatchObject({ budget: { discovered: 40 } })
})

test('the day of the budget is that of the directory, whatever this machine takes for today', async () => {
  const directory = await createTestDirectory()
  const home = await settle(directory)
  await directory.addPeer()
  const nowMs = home.nowMs
  home.nowMs = () => nowMs() + 30 * day
  const found = await discover(home, {})
  expect(found.asOfMs).toBe(nowMs())
  expect(found.budget.discover).toEqual({ used: 1, of: 1_000, resetsAtMs: nowMs() + 12 * hour })
  home.nowMs = nowMs
  const later = await discover(home, {})
  expect(later.matches).toMatchObject([{ channels: [{ handle: 'a_fictional_peer' }], refreshed: true }])
  expect(later.budget.discover.used).toBe(2)
})

test('a day that this machine began too early is put right by the directory', async () => {
  const directory = await createTestDirectory()
  const home = await settle(directory)
  await directory.addPeer()
  await discover(home, {})
  const nowMs = home.nowMs
  home.nowMs = () => nowMs() + day
  await discover(home, {})
  const today = Math.floor(nowMs() / day) * day
  expect((await home.home.read(peersFile))?.budget).toEqual({ dayMs: today, discovered: 1, refreshed: 1 })
})

describe('nobody looks', () => {
  test('without an agent, a profile or a publication', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    const [agent, profile, published] = [agentFile, profileFile, publishedFile].map(({ name }) => ({ name }))
    const without = async (...files: ({ name: string } | undefined)[]) => {
      const copy = await copyOf(directory, home)
      await copy.home.change(async ({ remove }) => {
        for (const file of files) if (file !== undefined) await remove(file)
      })
      return copy
    }
    directory.requests.length = 0
    await expect(discover(await without(agent), {})).rejects.toMatchObject({
      hint: expect.stringContaining('koko init'),
    })
    await expect(discover(await without(profile), {})).rejects.toMatchObject({ hint: 'Run `koko profile edit`.' })
    await expect(discover(await without(published), {})).rejects.toMatchObject({ hint: 'Run `koko publish`.' })
    await expect(askForPeer(await without(published), 'a')).rejects.toMatchObject({ hint: 'Run `koko publish`.' })
    expect(directory.requests).toEqual([])
  })

  test('with what another agent of this home has published', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    const other = await settle(directory)
    const published = await other.home.read(publishedFile)
    if (published !== undefined) await home.home.change((files) => files.write(publishedFile, published))
    await expect(discover(home, {})).rejects.toMatchObject({ hint: 'Run `koko publish`.' })
  })

  test('who is not online to others', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    await directory.pass(4 * day)
    await expect(discover(home, {})).rejects.toMatchObject({
      message: 'The directory does not list this agent as online, and only listed agents can discover peers.',
      hint: 'Run `koko publish`, then try again.',
    })
  })
})

describe('asking for a peer', () => {
  test('tells the handle and where it leads, of whom is found just now', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    const known = await directory.addPeer({ channels: { telegram: 'a_fictional_peer' } })
    await discover(home, {})
    directory.requests.length = 0
    const byTelegram = {
      agentId: known.agentId,
      channels: [{ channel: 'telegram', handle: 'a_fictional_peer', link: 'https://t.me/a_fictional_peer' }],
    }
    expect(await findNamed(home, known.agentId.slice(0, 9))).toEqual({ id: known.agentId })
    expect(await askForPeer(home, known.agentId)).toMatchObject({ found: true, match: byTelegram })
    expect(asked(directory, 'batchGet')).toMatchObject([{ body: { agentIds: [known.agentId] } }])

    // By a whole id also whom no look has found yet; and then it is known.
    const unknown = await directory.addPeer({ channels: { whatsapp: '+12025550111' } })
    const byWhatsApp = {
      channels: [{ channel: 'whatsapp', handle: '+12025550111', link: 'https://wa.me/12025550111' }],
    }
    expect(await askForPeer(home, unknown.agentId)).toMatchObject({ found: true, match: byWhatsApp })
    expect((await home.home.read(peersFile))?.peers).toHaveLength(2)
    expect((await home.home.read(peersFile))?.budget).toMatchObject({ refreshed: 2 })
  })

  test('forgets whom it does not find', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    const peer = await directory.addPeer()
    await discover(home, {})
    await peer.call('unregisterAgent')
    expect(await askForPeer(home, peer.agentId)).toEqual({ agentId: peer.agentId, found: false })
    expect((await home.home.read(peersFile))?.peers).toEqual([])
  })

  test('tells no handle of who is no match, and keeps nothing of it', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    const peer = await directory.addPeer({ channels: { telegram: 'not_for_everybody' }, profile: { seeking: ['man'] } })
    expect(await askForPeer(home, peer.agentId)).toEqual({ agentId: peer.agentId, found: true, leftOut: 'theirGender' })
    expect(await home.kept()).not.toContain('not_for_everybody')
  })

  test('needs the beginning of one known id', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    await crowd(directory, 20)
    await discover(home, {})
    const ids = (await home.home.read(peersFile))?.peers.map(({ listing }) => listing.agentId) ?? []
    const first = ids.map(([character]) => character)
    // Twenty ids begin with sixteen characters at most.
    const twice = first.find((character, index) => first.indexOf(character) < index) ?? ''
    await expect(findNamed(home, twice)).rejects.toMatchObject({ hint: 'Give more of the id.' })
    // No random id is of version 1.
    await expect(findNamed(home, '00000000-0000-1')).rejects.toThrow("No known peer's id begins like this")
    await expect(askForPeer(home, home.agentId)).rejects.toThrow('your own agent')
  })

  test('tells nothing from before while the directory is down', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    const peer = await directory.addPeer()
    await discover(home, {})
    directory.intercept = ({ name }, answer) => {
      directory.isDown = name === 'batchGet'
      return answer()
    }
    await expect(askForPeer(home, peer.agentId)).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('says when there is more where the budget is used, without asking', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    const peer = await directory.addPeer()
    await discover(home, {})
    await home.home.change(async (files) => {
      const peers = await files.read(peersFile)
      if (peers !== undefined) await files.write(peersFile, { ...peers, budget: { ...peers.budget, refreshed: 2_000 } })
    })
    directory.requests.length = 0
    await expect(askForPeer(home, peer.agentId)).rejects.toMatchObject({
      message: "Today's budget for refreshing peers is used up.",
      hint: 'It resets at 00:00 UTC, in 12 hours.',
    })
    expect(asked(directory, 'batchGet')).toEqual([])
  })
})

/** The same agent in a home on another machine. */
async function copyOf(directory: TestDirectory, { home }: TestContext): Promise<TestContext> {
  const copy = await createTestContext({ directory })
  const [agent, profile, published, peers] = [
    await home.read(agentFile),
    await home.read(profileFile),
    await home.read(publishedFile),
    await home.read(peersFile),
  ]
  await copy.home.change(async ({ write }) => {
    if (agent !== undefined) await write(agentFile, agent)
    if (profile !== undefined) await write(profileFile, profile)
    if (published !== undefined) await write(publishedFile, published)
    if (peers !== undefined) await write(peersFile, peers)
  })
  return copy
}

describe('a directory that answers something else', () => {
  test('brings nobody in who was not asked for', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    const [asked, other] = [
      await directory.addPeer(),
      await directory.addPeer({ channels: { telegram: 'an_uninvited' } }),
    ]
    directory.intercept = async (request, answer) => {
      if (request.name !== 'batchGet') return answer()
      const listing = directory.world.store.all().get(`mcpDirectory/dating/agents/${other.agentId}`)
      return Response.json({ agents: [listing, listing], missing: [asked.agentId] })
    }
    expect(await askForPeer(home, asked.agentId)).toEqual({ agentId: asked.agentId, found: false })
    expect(await home.kept()).not.toContain('an_uninvited')
  })

  test('and tells a time that no calendar has does no harm to what is kept', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    await directory.addPeer()
    directory.intercept = async (request, answer) => {
      const response = await answer()
      if (request.name !== 'discover') return response
      return Response.json({ ...((await response.json()) as object), asOfMs: Number.MAX_SAFE_INTEGER })
    }
    const found = Discovery.parse(await discover(home, {}))
    expect(found.matches).toHaveLength(1)
    expect(new Date(found.budget.discover.resetsAtMs).toISOString()).toMatch(/^2\d\d\d-/)
    directory.intercept = (_request, answer) => answer()
    expect(await discover(home, {})).toMatchObject({ matches: [{ refreshed: true }] })
  })
})

describe('a listing that this version of koko cannot read', () => {
  /** Makes the listings of these peers strange to this version. */
  function makeStrange(directory: TestDirectory, isStrange: (agentId: string) => boolean) {
    const Answer = z.looseObject({
      agents: z.array(z.looseObject({ agentId: z.string(), channels: z.looseObject({}) })),
    })
    directory.intercept = async ({ name }, answer) => {
      const response = await answer()
      if (name !== 'discover' && name !== 'batchGet') return response
      const body = Answer.parse(await response.json())
      const agents = body.agents.map((agent) =>
        isStrange(agent.agentId) ? { ...agent, channels: { signal: '+12025550123' } } : agent,
      )
      return Response.json({ ...body, agents })
    }
  }

  test('is skipped and counted, and costs what the directory charged for it', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    const match = await directory.addPeer()
    const strange = await directory.addPeer()
    makeStrange(directory, (agentId) => agentId === strange.agentId)
    const found = await discover(home, {})
    expect(Discovery.parse(found)).toEqual(found)
    expect(found).toMatchObject({ looked: 1, matches: [{ agentId: match.agentId }], unreadable: 1, hasMore: false })
    expect(found.note).toBe('1 listing cannot be read by this version of koko. Update koko to see all.')
    expect(found.budget.discover.used).toBe(2)
    expect((await discover(home, {})).budget.batchGet.used).toBe(1)
  })

  test('does not end the walk, even where a whole page is strange', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    await crowd(directory, 100)
    let count = 0
    makeStrange(directory, () => (count += 1) <= 40)
    expect(await discover(home, {})).toMatchObject({ looked: 60, unreadable: 40, hasMore: false })
  })

  test('is not said to be gone where that peer is asked for, and nothing of it is kept', async () => {
    const directory = await createTestDirectory()
    const home = await settle(directory)
    const { agentId } = await directory.addPeer()
    await discover(home, {})
    makeStrange(directory, () => true)
    await expect(askForPeer(home, agentId)).rejects.toMatchObject({
      message: "This version of koko cannot read that peer's listing.",
      hint: 'Update koko, then try again. Nothing about the peer is saved here.',
    })
    expect(await home.kept()).not.toContain('a_fictional_peer')
  })
})
