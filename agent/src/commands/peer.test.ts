import { describe, expect, test } from '@jest/globals'
import { createListed } from '../../test/agents.ts'
import { createTestContext, type TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { discover } from '../operations/discover.ts'
import { styleOf } from '../output.ts'
import { command } from './peer.ts'

async function shown(context: TestContext, input: object): Promise<string> {
  return (await command.call(context, input)).show(styleOf({}, {}))
}

async function listed(directory: TestDirectory): Promise<TestContext> {
  const { context } = await createListed({ directory }, { telegram: 'a_fictional_name', slack: 'U0FICTIONAL' })
  return context
}

test('shows how to reach a peer', async () => {
  const directory = await createTestDirectory()
  const context = await listed(directory)
  const { agentId } = await directory.addPeer({ channels: { telegram: 'near_by' }, profile: { intent: 'long_term' } })
  expect((await shown(context, { peer: ` ${agentId.toUpperCase()} ` })).split('\n')).toEqual([
    agentId,
    '  age          30',
    '  gender       woman',
    '  looking for  long term',
    '  distance     same area (area gcpv)',
    '  Telegram     near_by  https://t.me/near_by',
  ])
  const slack = await directory.addPeer({ channels: { slack: 'U0NEARBYX', telegram: 'both_of_them' } })
  expect((await shown(context, { peer: slack.agentId })).split('\n').slice(-3)).toEqual([
    '  Telegram     both_of_them  https://t.me/both_of_them',
    '  Slack        U0NEARBYX  search for this member id in the workspace that you share',
    'The first channel reveals the least about you both.',
  ])
})

test('says that a peer is gone, or is no match, and that nothing is kept', async () => {
  const directory = await createTestDirectory()
  const context = await listed(directory)
  const nobody = '00000000-0000-4000-8000-000000000001'
  expect(await shown(context, { peer: nobody })).toContain(`${nobody} was not found`)
  const old = await directory.addPeer({ channels: { telegram: 'not_shown' }, profile: { age: 80, ageMax: 90 } })
  const text = await shown(context, { peer: old.agentId })
  expect(text).toContain('is not a match: outside your age range')
  expect(text).not.toContain('not_shown')
})

test('asks which peer in a terminal, and elsewhere reads it from standard input', async () => {
  const directory = await createTestDirectory()
  const { home } = await listed(directory)
  const { agentId } = await directory.addPeer({ channels: { telegram: 'near_by' } })
  const asked = await createTestContext({
    directory,
    home: home.path,
    answers: [['What is the id of the peer', agentId]],
  })
  expect(await shown(asked, {})).toContain('near_by')
  const piped = await createTestContext({ directory, home: home.path, input: '@near_by\n' })
  expect(await shown(piped, {})).toContain(agentId)
  await expect(command.call(await createTestContext({ directory, home: home.path }), {})).rejects.toMatchObject({
    code: 'invalid-argument',
  })
})

test.each(['00000000', 'abcdef', '00000000-0000'])('says what an id is, and not what was given: %s', async (peer) => {
  const directory = await createTestDirectory()
  const refusal: unknown = await command.call(await listed(directory), { peer }).catch((error: unknown) => error)
  expect(String(refusal)).toContain("No known peer's id begins like this")
  expect(String(refusal)).not.toContain(peer)
})

describe('of a handle', () => {
  const channels = { telegram: 'Near_By', whatsapp: '+5592981723241', discord: '80351110224678912', slack: 'U0NEARBYX' }

  // No fictional numbers are reserved in Brazil; this one is invented, and has the form whose ninth digit WhatsApp leaves out.
  test.each([
    ['@near_by', 'Telegram'],
    ['https://t.me/near_by', 'Telegram'],
    ['+55 92 98172-3241', 'WhatsApp'],
    ['+55 92 8172-3241', 'WhatsApp'],
    ['https://wa.me/559281723241', 'WhatsApp'],
    ['(92) 98172-3241', 'WhatsApp'],
    ['<@80351110224678912>', 'Discord'],
    ['80351110224678912', 'Discord'],
    ['U0NEARBYX', 'Slack'],
  ])('tells who writes, and asks nobody: %s', async (typed, channel) => {
    const directory = await createTestDirectory()
    const { context } = await createListed({ directory }, { telegram: 'a_fictional_name', slack: 'U0FICTIONAL' })
    const { agentId } = await directory.addPeer({ channels })
    await directory.addPeer({ channels: { telegram: 'somebody_else' } })
    await discover(context, {})
    directory.requests.length = 0
    directory.isDown = true
    const { value, show } = await command.call(context, { peer: typed })
    expect(value).toMatchObject({ writers: [{ agentId, writesOn: channel.toLowerCase() }] })
    const text = show(styleOf({}, {}))
    expect(text).toContain(`This peer published the handle on ${channel}.`)
    expect(text).toContain('does not prove who is writing to you')
    expect(text).not.toContain('somebody_else')
    expect(directory.requests).toEqual([])
  })

  test.each(['@nobody_here', '+1 202 555 0123', '07700 900123'])(
    'says that nobody known publishes it: %s',
    async (peer) => {
      const directory = await createTestDirectory()
      const { value, show } = await command.call(await listed(directory), { peer })
      expect(value).toEqual({ writers: [] })
      expect(show(styleOf({}, {}))).toContain('No known peer publishes this handle.')
    },
  )
})
