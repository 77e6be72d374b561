import { Channel } from '@koko/contract'
import { beforeEach, expect, test } from '@jest/globals'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { keepHandles, keptAgent, setUpAgent } from '../../test/agents.ts'
import { createTestContext, type TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { styleOf } from '../output.ts'
import { channels, type ChannelStatus } from '../operations/channels.ts'
import { command } from './channels.ts'
import { publish } from '../operations/publish.ts'
import { unlink } from '../operations/unlink.ts'

const telegram = 'alice_a'
const whatsapp = '+12025550123'
const style = styleOf({}, {})
const hour = 3_600_000

let directory: TestDirectory
let context: TestContext
beforeEach(async () => {
  directory = await createTestDirectory()
  context = await createTestContext({ directory })
})

async function statusOf(channel: Channel): Promise<ChannelStatus> {
  const found = (await channels(context)).channels.find((each) => each.channel === channel)
  if (found === undefined) throw new Error('the channel is missing')
  return found
}

async function publishBoth(): Promise<void> {
  await setUpAgent(context, directory, { telegram, whatsapp })
  await publish(context, { agree: () => Promise.resolve(true) })
}

test('works with no agent yet, asks nobody, and says what each channel gives away', async () => {
  await keepHandles(context, { telegram })
  const { value, show } = await command.call(context, {})
  expect(value).toMatchObject({ source: 'nobody', asOfMs: null, problem: null })
  expect((value as { channels: ChannelStatus[] }).channels.map(({ channel }) => channel)).toEqual(Channel.options)
  expect(await statusOf('telegram')).toMatchObject({ handle: telegram, agreedAtMs: null, state: 'not published' })
  expect(directory.requests).toEqual([])
  expect(show(style)).toContain('There is no agent here yet')
  expect(show(style)).toContain('alice_a, not agreed to yet')
  expect(show(style)).toContain('Reveals your phone number')
})

test('tells what peers see from the directory, also where something else is kept here', async () => {
  await publishBoth()
  await keepHandles(context, { telegram: 'alice_b' })
  expect(await channels(context)).toMatchObject({ source: 'directory', asOfMs: context.nowMs(), problem: null })
  expect(await statusOf('telegram')).toMatchObject({ handle: 'alice_b', listed: telegram, state: 'shown' })
  expect(await statusOf('whatsapp')).toMatchObject({ handle: null, listed: whatsapp, state: 'shown' })
  expect(await statusOf('slack')).toMatchObject({ handle: null, listed: null, state: 'not published', unlink: null })
  expect((await command.call(context, {})).show(style)).toMatch(/saved here\s+alice_b[^]*peers see\s+alice_a/)
})

test('an agent that has not been seen for long is listed, and peers do not see it', async () => {
  await publishBoth()
  await directory.pass(85 * hour)
  expect(await statusOf('telegram')).toMatchObject({ listed: telegram, state: 'offline' })
})

test('an unlinked channel shows since when, and since when no shard holds it', async () => {
  await publishBoth()
  const { unlinkedAtMs } = await unlink(context, { channel: 'whatsapp', wait: false })
  expect(await statusOf('whatsapp')).toMatchObject({
    state: 'unlinked',
    handle: whatsapp,
    agreedAtMs: null,
    listed: null,
    unlink: { unlinkedAtMs, goneAtMs: null },
  })
  expect((await command.call(context, {})).show(style)).toContain('not yet: under way')
  await directory.pass(hour)
  expect(await statusOf('whatsapp')).toMatchObject({ unlink: { unlinkedAtMs, goneAtMs: expect.any(Number) } })
  expect((await command.call(context, {})).show(style)).toContain('open the settings page with `koko settings`')
})

test('where the directory is down, tells what the last publish left and when that was', async () => {
  await publishBoth()
  const publishedAtMs = context.nowMs()
  await unlink(context, { channel: 'whatsapp', wait: false })
  await directory.pass(hour)
  directory.isDown = true
  const { value, show, isBad } = await command.call(context, {})
  expect(value).toMatchObject({ source: 'home', asOfMs: publishedAtMs, problem: { message: expect.any(String) } })
  expect(isBad).toBe(false)
  expect(show(style)).toMatch(/as of .*cannot be reached/)
  expect(await statusOf('telegram')).toMatchObject({ listed: telegram, state: 'shown' })
  expect((await statusOf('whatsapp')).unlink).toEqual({ unlinkedAtMs: expect.any(Number) })
  expect(show(style)).not.toContain('gone from every shard')
})

test('where nobody knows what is listed it says so, and shows what is kept here', async () => {
  await publishBoth()
  await rm(join(context.home.path, 'published.json'))
  directory.isDown = true
  expect(await channels(context)).toMatchObject({ source: 'nobody', asOfMs: null })
  expect(await statusOf('telegram')).toMatchObject({ handle: telegram, listed: null, state: 'unknown' })
  expect((await command.call(context, {})).show(style)).toMatch(/not known here: .*cannot be reached/)
})

test('an agent that the directory removed is told so, and its channels are still shown', async () => {
  await publishBoth()
  directory.intercept = ({ name }, answer) =>
    name === 'signInAgent'
      ? Promise.resolve(Response.json({ error: { status: 'UNAUTHENTICATED', message: 'No.' } }, { status: 401 }))
      : answer()
  expect(await channels(context)).toMatchObject({
    source: 'home',
    problem: { next: expect.stringContaining('restore') },
  })
})

test('a fault of the directory is no reason not to show what is kept here', async () => {
  await publishBoth()
  directory.intercept = ({ name }, answer) =>
    name === 'exportAgent' ? Promise.resolve(Response.json({}, { status: 500 })) : answer()
  expect(await channels(context)).toMatchObject({
    source: 'home',
    problem: { next: expect.stringContaining('ask the host') },
  })
})

test('documents of a newer directory are read without what is new in them', async () => {
  await publishBoth()
  await unlink(context, { channel: 'whatsapp', wait: false })
  const Answer = z.object({
    result: z.object({ documents: z.record(z.string(), z.looseObject({})), signIn: z.looseObject({}) }),
  })
  directory.intercept = async ({ name }, answer) => {
    const response = await answer()
    if (name !== 'exportAgent') return response
    const { result } = Answer.parse(await response.json())
    const documents = Object.fromEntries(
      Object.entries(result.documents).map(([path, fields]) => [
        path,
        { ...fields, signal: { unlinkedAtMs: 1, goneAtMs: null } },
      ]),
    )
    return Response.json({ result: { ...result, documents } })
  }
  expect(await statusOf('telegram')).toMatchObject({ state: 'shown' })
  expect(await statusOf('whatsapp')).toMatchObject({ state: 'unlinked' })
})

test('unlinks that cannot be read are not taken for none', async () => {
  await publishBoth()
  const { agentId } = await keptAgent(context)
  directory.intercept = ({ name }, answer) =>
    name === 'exportAgent'
      ? Promise.resolve(Response.json({ result: { documents: { [`unlinks/${agentId}`]: 'text' }, signIn: {} } }))
      : answer()
  expect(await channels(context)).toMatchObject({ source: 'home' })
})
