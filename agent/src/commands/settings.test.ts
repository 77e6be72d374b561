import { beforeEach, expect, test } from '@jest/globals'
import { createRegistered } from '../../test/agents.ts'
import { createTestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { styleOf } from '../output.ts'
import type { SettingsLink } from '../operations/settings.ts'
import { command } from './settings.ts'

let directory: TestDirectory
beforeEach(async () => {
  directory = await createTestDirectory()
})

test('opens the page by a link that works once, and prints it with a QR code', async () => {
  const { context } = await createRegistered({ directory })
  const { value, show } = await command.call(context, {})
  const { url, expiresAtMs, opened } = value as SettingsLink
  expect(url).toMatch(/^https:\/\/directory\.example\/settings#code=[A-Za-z0-9_-]{43}$/)
  expect(expiresAtMs).toBe(context.nowMs() + 600_000)
  expect(opened).toBe(true)
  expect(context.opened).toEqual([url])
  expect(show(styleOf({}, {}))).toContain(url)
  expect(show(styleOf({}, {}))).toMatch(/(█.*\n){10}/)
  const { call } = await import('../../../testing/world.ts')
  const code = url.split('code=')[1]
  await call(directory.world, 'redeemSettingsLink', undefined, { code })
  await expect(call(directory.world, 'redeemSettingsLink', undefined, { code })).rejects.toThrow('no longer valid')
})

test('opens nothing with --no-open, and says so where nothing can be opened', async () => {
  const { context } = await createRegistered({ directory })
  expect(await command.call(context, { open: false })).toMatchObject({ value: { opened: false } })
  expect(context.opened).toEqual([])
  const remote = await createTestContext({ directory, home: context.home.path, canOpenPages: false })
  const { value, show } = await command.call(remote, {})
  expect(value).toMatchObject({ opened: false })
  expect(show(styleOf({}, {}))).toContain('Open this in a browser')
})

test.each([
  'file:///etc/passwd',
  'javascript:alert(1)',
  'smb://files.example/x',
  'http://directory.example/',
  'https://',
])('gives the system nothing to open that is not a web page, such as %s', async (url) => {
  const { context } = await createRegistered({ directory })
  directory.intercept = (request, answer) =>
    request.name === 'createSettingsLink'
      ? Promise.resolve(Response.json({ result: { url, expiresAtMs: 1 } }))
      : answer()
  await expect(command.call(context, {})).rejects.toThrow('not a web address')
  expect(context.opened).toEqual([])
})

test.each([
  'https://thief.example/settings#code=x',
  'https://directory.example.thief.example/settings#code=x',
  'https://directory.example:8443/settings#code=x',
  'http://127.0.0.1:5000/settings#code=x',
])('neither opens nor prints a link that leads elsewhere: %s', async (url) => {
  const { context } = await createRegistered({ directory })
  directory.intercept = (request, answer) =>
    request.name === 'createSettingsLink'
      ? Promise.resolve(Response.json({ result: { url, expiresAtMs: 1 } }))
      : answer()
  const error = await command.call(context, {}).catch((failure: unknown) => failure)
  expect(error).toMatchObject({ message: expect.stringContaining('does not lead to') as unknown })
  expect(String(error)).not.toContain('code')
  expect(context.opened).toEqual([])
})

test('a directory on this machine may call it by its other name', async () => {
  directory = await createTestDirectory({ isEmulated: true })
  const { context } = await createRegistered({ directory })
  directory.intercept = (request, answer) =>
    request.name === 'createSettingsLink'
      ? Promise.resolve(Response.json({ result: { url: 'http://localhost:5000/settings#code=x', expiresAtMs: 1 } }))
      : answer()
  expect(await command.call(context, {})).toMatchObject({ value: { opened: true } })
})

test('prints a link as the address it is, whatever a directory writes into it', async () => {
  const { context } = await createRegistered({ directory })
  const url = 'https://directory.example/settings\u001b]0;owned\u0007#code=\u009b2J\u202E'
  directory.intercept = (request, answer) =>
    request.name === 'createSettingsLink'
      ? Promise.resolve(Response.json({ result: { url, expiresAtMs: Number.MAX_SAFE_INTEGER } }))
      : answer()
  const { value, show } = await command.call(context, { open: false })
  expect(value).toMatchObject({ url: 'https://directory.example/settings%1B]0;owned%07#code=%C2%9B2J%E2%80%AE' })
  expect(show(styleOf({}, {}))).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u)
})

test('needs an agent', async () => {
  const context = await createTestContext({ directory })
  await expect(command.call(context, {})).rejects.toMatchObject({
    hint: expect.stringContaining('koko init') as unknown,
  })
})
