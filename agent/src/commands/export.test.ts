import { expect, test } from '@jest/globals'
import { createListed } from '../../test/agents.ts'
import { createTestContext } from '../../test/context.ts'
import { createTestDirectory } from '../../../testing/directory.ts'
import { styleOf } from '../output.ts'
import { command } from './export.ts'

test('gives every document as it is stored, and prints the same as JSON', async () => {
  const directory = await createTestDirectory()
  const { context, agent } = await createListed({ directory })
  const { value, show } = await command.call(context, {})
  const { agentId, registeredAtMs } = agent
  expect(value).toMatchObject({
    documents: {
      [`agents/${agentId}`]: { agentId, category: 'dating', registeredAtMs },
      [`mcpDirectory/dating/agents/${agentId}`]: { channels: { telegram: 'a_fictional_name' } },
    },
    signIn: { uid: agentId },
  })
  expect(JSON.parse(show(styleOf({}, {})))).toEqual(value)
  expect(JSON.stringify(value)).not.toContain(agent.secret)
})

test('prints nothing that a terminal would act on, whatever is stored', async () => {
  const directory = await createTestDirectory()
  const { context } = await createListed({ directory })
  const signIn = { name: '\u001b[2J\u009b2J\u202e\u{e0041}\u2028', lines: 'a\nb' }
  directory.intercept = ({ name }, answer) =>
    name === 'exportAgent' ? Promise.resolve(Response.json({ result: { documents: {}, signIn } })) : answer()
  const { value, show } = await command.call(context, {})
  const text = show(styleOf({}, {}))
  expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}]/u)
  expect(JSON.parse(text)).toEqual(value)
})

test('needs an agent, and a directory that answers', async () => {
  const directory = await createTestDirectory()
  await expect(command.call(await createTestContext({ directory }), {})).rejects.toThrow('There is no agent')
  const { context } = await createListed({ directory })
  directory.isDown = true
  await expect(command.call(context, {})).rejects.toMatchObject({ code: 'unavailable' })
})
