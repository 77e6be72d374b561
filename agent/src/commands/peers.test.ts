import { beforeEach, describe, expect, test } from '@jest/globals'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createListed } from '../../test/agents.ts'
import { createTestContext, type TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { peersFile } from '../home/files.ts'
import { askForPeer, discover } from '../operations/discover.ts'
import { styleOf } from '../output.ts'
import { command } from './peers.ts'

const style = styleOf({}, {})

let directory: TestDirectory
let context: TestContext
beforeEach(async () => {
  directory = await createTestDirectory()
  context = (await createListed({ directory }, { telegram: 'a_fictional_name', slack: 'U0FICTIONAL' })).context
})

const kept = () => readFile(join(context.home.path, peersFile.name), 'utf8')

test('lists the known matches without a request or a handle, the best first', async () => {
  const far = await directory.addPeer({ channels: { slack: 'U0FARAWAY' }, profile: { area: 'u09t', age: 34 } })
  const near = await directory.addPeer({ channels: { telegram: 'near_by', slack: 'U0NEARBYX' } })
  await discover(context, {})
  directory.requests.length = 0
  directory.isDown = true
  const before = await kept()
  const { value, show } = await command.call(context, {})
  expect(value).toMatchObject({
    peers: [
      { agentId: near.agentId, channels: [{ channel: 'telegram' }, { channel: 'slack' }] },
      { agentId: far.agentId, channels: [{ channel: 'slack' }] },
    ],
    hidden: [],
  })
  const text = show(style)
  expect(text).toMatch(/^2 known matches\.\n\n {2}id .*\n.* Telegram, Slack\n.* Slack\n/)
  expect(`${JSON.stringify(value)}${text}`).not.toMatch(/near_by|U0NEARBYX|U0FARAWAY/)
  expect(directory.requests).toEqual([])
  expect(await kept()).toBe(before)
})

test('says what comes first where there is no agent, no profile or no match', async () => {
  await expect(command.call(await createTestContext({ directory }), {})).rejects.toMatchObject({
    hint: 'Run `koko init`.',
  })
  expect((await command.call(context, {})).show(style)).toContain('To find some, run `koko discover`.')
})

describe('a peer that is hidden', () => {
  test('is not found, kept or asked for again, until it is unhidden', async () => {
    const peer = await directory.addPeer({ channels: { telegram: 'near_by' } })
    await discover(context, {})
    expect(await kept()).toContain('near_by')
    const hidden = await command.call(context, { action: 'hide', peer: peer.agentId.slice(0, 8) })
    expect(hidden.value).toEqual({ agentId: peer.agentId, isHidden: true, isChanged: true })
    expect(await kept()).not.toContain('near_by')

    directory.requests.length = 0
    expect(await discover(context, { explain: true })).toMatchObject({
      matches: [],
      leftOut: { hidden: 1 },
      leftOutPeers: [{ agentId: peer.agentId, rule: 'hidden' }],
    })
    expect(directory.requests.filter(({ name }) => name === 'batchGet')).toEqual([])
    expect(await askForPeer(context, peer.agentId)).toEqual({ agentId: peer.agentId, found: true, leftOut: 'hidden' })
    expect(await kept()).not.toContain('near_by')
    expect((await command.call(context, {})).show(style)).toContain(`  ${peer.agentId.slice(0, 8)}  since `)

    const again = await command.call(context, { action: 'unhide', peer: peer.agentId.slice(0, 8) })
    expect(again.value).toMatchObject({ isHidden: false, isChanged: true })
    expect((await discover(context, {})).matches).toMatchObject([{ agentId: peer.agentId }])
  })

  test('can be named by a handle, and by an id that nobody knows yet', async () => {
    const peer = await directory.addPeer({ channels: { telegram: 'near_by' } })
    await discover(context, {})
    const { value } = await command.call(context, { action: 'hide', peer: '@near_by' })
    expect(value).toMatchObject({ agentId: peer.agentId, isHidden: true })
    const other = await directory.addPeer({ channels: { telegram: 'another' } })
    await command.call(context, { action: 'hide', peer: other.agentId })
    expect((await command.call(context, { action: 'hide', peer: other.agentId })).value).toMatchObject({
      isChanged: false,
    })
    expect((await discover(context, {})).matches).toEqual([])
    await expect(command.call(context, { action: 'hide', peer: '@nobody_here' })).rejects.toMatchObject({
      code: 'not-found',
    })
    await expect(command.call(context, { action: 'hide' })).rejects.toMatchObject({ code: 'invalid-argument' })
  })

  test('is none in a home that an older koko wrote', async () => {
    await discover(context, {})
    const { hidden: _, ...fields } = JSON.parse(await kept()) as Record<string, unknown>
    await writeFile(join(context.home.path, peersFile.name), JSON.stringify({ ...fields, version: 1 }))
    expect(await context.home.read(peersFile)).toMatchObject({ hidden: [] })
  })
})
