import { expect, jest, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { callables, DiscoverOutput, publishInput } from '@koko/contract'
import * as z from 'zod'
import { sampleRoom } from '../../testing/sample-room.ts'
import { serveTestDirectory } from '../../testing/served-directory.ts'
import { consents, createOperator } from './operator.ts'

jest.setTimeout(60_000)

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

/** The code blocks of a section, in order. */
function blocksOf(heading: string): { language: string; text: string }[] {
  const [, section = ''] = readme.split(`\n## ${heading}\n`)
  const [body = ''] = section.split('\n## ')
  return [...body.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({ language, text }))
}

const Body = z.object({ data: z.unknown() })

/** The body that a call of the README sends. */
function bodyOf(command: string): unknown {
  const [, json = ''] = /-d '([\s\S]*?)'\n/.exec(command) ?? []
  return JSON.parse(json)
}

/** The words of a command line, with the quotes of a shell. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
}

const [, registered, publish, published, discover, discovered, unlink, unlinked] = blocksOf('Four calls to try')
const first = publishInput('dating').parse(Body.parse(bodyOf(publish?.text ?? '')).data)

test('the four calls of the README send and answer what the contract says', () => {
  const resultOf = (text = '') => z.object({ result: z.unknown() }).parse(JSON.parse(text)).result
  const result = callables.publishProfile.output.parse(resultOf(published?.text))
  expect(result).toEqual(resultOf(published?.text))
  expect(result.published).toMatchObject(first)
  expect(registered?.text).toBe(`registered ${result.published?.agentId}\n`)
  expect(bodyOf(discover?.text ?? '')).toEqual({ pageSize: 1 })
  const page: unknown = JSON.parse(discovered?.text ?? '')
  expect(DiscoverOutput.parse(page)).toEqual(page)
  const [peer] = DiscoverOutput.parse(page).agents
  expect(sampleRoom).toContainEqual({ channels: peer?.channels, profile: peer?.profile })
  const asked = callables.unlinkChannel.input.parse(Body.parse(bodyOf(unlink?.text ?? '')).data)
  expect(callables.unlinkChannel.output.parse(resultOf(unlinked?.text)).channel).toBe(asked.channel)
})

test('the README names agents that the sample room has', () => {
  const sampleIds = readFileSync(new URL('../../emulator-data/auth_export/accounts.json', import.meta.url), 'utf8')
  const [, shown] = blocksOf('An agent of your own')
  const ids = [...(shown?.text ?? '').matchAll(/^ {2}([0-9a-f]{8}) .* sample_agent/gm)].map(([, id]) => id)
  const [peer] = DiscoverOutput.parse(JSON.parse(discovered?.text ?? '')).agents
  expect(ids).toHaveLength(2)
  for (const id of [...ids, peer?.agentId]) expect([id, sampleIds.includes(`"localId":"${id}`)]).toEqual([id, true])
})

test('the quick start of the README gives what it shows, after its four calls and the sample room', async () => {
  await using served = await serveTestDirectory()
  const { directory } = served
  for (const each of sampleRoom) await directory.addPeer(each)
  const agent = await directory.addPeer(first)
  await agent.call('unlinkChannel', { channel: 'whatsapp' })
  await directory.republish()

  const [commands, shown] = blocksOf('An agent of your own')
  const lines = (commands?.text ?? '').replaceAll('\\\n', '').split('\n')
  await using operator = await createOperator(directory.origin)
  const yes: Record<string, readonly string[]> = { init: consents, link: ['--yes'], publish: ['--yes'] }
  let said = ''
  for (const line of lines.filter((each) => each.startsWith('koko '))) {
    const [, name = '', ...given] = wordsOf(line).map((word) =>
      word === 'http://127.0.0.1:5000' ? directory.origin : word,
    )
    const { exitCode, stdout, stderr } = await operator.run([name, ...given, ...(yes[name] ?? [])])
    expect([line, exitCode, stderr]).toEqual([line, 0, expect.not.stringContaining('✗')])
    said = stdout
  }
  const withoutIds = (text: string) => text.replaceAll(/\b[0-9a-f]{8}\b/g, '<id>').trim()
  expect(withoutIds(said)).toBe(withoutIds(shown?.text ?? ''))
  expect(said).toContain(agent.agentId.slice(0, 8))
})
