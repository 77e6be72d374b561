import { expect, test } from '@jest/globals'
import { createListed } from '../../test/agents.ts'
import type { TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
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
  expect((await shown(context, { id: ` ${agentId.toUpperCase()} ` })).split('\n')).toEqual([
    agentId,
    '  age          30',
    '  gender       woman',
    '  looking for  long term',
    '  distance     same area (area gcpv)',
    '  Telegram     near_by  https://t.me/near_by',
  ])
  const slack = await directory.addPeer({ channels: { slack: 'U0NEARBYX', telegram: 'both_of_them' } })
  expect((await shown(context, { id: slack.agentId })).split('\n').slice(-3)).toEqual([
    '  Telegram     both_of_them  https://t.me/both_of_them',
    '  Slack        U0NEARBYX  in the workspace that you share, look for this member id',
    'The first channel reveals least about you both.',
  ])
})

test('says that a peer is gone, or is no match, and that nothing is kept', async () => {
  const directory = await createTestDirectory()
  const context = await listed(directory)
  const nobody = '00000000-0000-4000-8000-000000000001'
  expect(await shown(context, { id: nobody })).toContain(`${nobody} is gone`)
  const old = await directory.addPeer({ channels: { telegram: 'not_shown' }, profile: { age: 80, ageMax: 90 } })
  const text = await shown(context, { id: old.agentId })
  expect(text).toContain('is no match: outside your age range')
  expect(text).not.toContain('not_shown')
})

test.each(['', 'nobody', '@a_fictional_name', '12025550100'])(
  'says what an id is, and not what was given: %s',
  async (id) => {
    const directory = await createTestDirectory()
    const refusal: unknown = await command.call(await listed(directory), { id }).catch((error: unknown) => error)
    expect(String(refusal)).toMatch(/id must be a peer's id, or its beginning|No known peer's id begins like this/)
    if (id !== '') expect(String(refusal)).not.toContain(id)
  },
)
