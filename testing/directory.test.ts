import { createClient, signInWithToken } from '@koko/contract'
import { expect, test } from '@jest/globals'
import { registerWith } from './register.ts'
import { sampleChannels, sampleProfile } from './samples.ts'
import { createTestContext } from '../agent/test/context.ts'
import { createTestDirectory, type TestDirectory } from './directory.ts'

async function join(directory: TestDirectory) {
  const { fetch, origin, clock } = directory
  const anyone = createClient({ origin, fetch })
  const { agentId, token } = await registerWith(anyone)
  const session = await signInWithToken(await anyone.config(), token, { fetch, nowMs: () => clock.now().getTime() })
  return { agentId, client: createClient({ origin, fetch, idToken: session.idToken }) }
}

test.each([false, true])(
  'the test directory registers, lists and finds agents, with emulators: %s',
  async (isEmulated) => {
    const directory = await createTestDirectory({ isEmulated })
    const { agentId, client } = await join(directory)
    const peer = await directory.addPeer()
    await client.call('publishProfile', { channels: sampleChannels, profile: sampleProfile })
    expect(await client.request('health')).toMatchObject({ late: false })
    expect((await client.request('discover', { params: { room: 'dating' }, input: {} })).agents).toMatchObject([
      { agentId: peer.agentId },
    ])
    await directory.pass(2 * 3_600_000)
    const { agents } = await client.request('batchGet', {
      params: { room: 'dating' },
      input: { agentIds: [peer.agentId] },
    })
    expect(agents).toMatchObject([{ agentId: peer.agentId }])
    const names = directory.requests.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['config', 'registerAgent', 'exchange', 'renew', 'discover']))
    expect(agentId).not.toBe(peer.agentId)
  },
)

test('a test context answers from its list only', async () => {
  const directory = await createTestDirectory()
  const { ask } = await createTestContext({ directory, answers: [['old enough', true]] })
  expect(await ask?.confirm({ message: 'Are you old enough?', initial: false })).toBe(true)
  await expect(ask?.confirm({ message: 'Sure?', initial: false })).rejects.toThrow('nobody expected')
})
