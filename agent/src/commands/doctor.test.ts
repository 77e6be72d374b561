import { beforeEach, describe, expect, test } from '@jest/globals'
import { chmod, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createListed, createRegistered, replaceSecret } from '../../test/agents.ts'
import { createTestContext, freshFolder, type TestContext } from '../../test/context.ts'
import { createTestDirectory, type TestDirectory } from '../../../testing/directory.ts'
import { directoryOf } from '../directory/session.ts'
import { agentFile, daemonFile, handlesFile, homeFiles, profileFile } from '../home/files.ts'
import { checkClock } from '../operations/diagnose.ts'
import { styleOf } from '../output.ts'
import type { Check } from '../operations/diagnose.ts'
import { command } from './doctor.ts'

const hour = 3_600_000

let directory: TestDirectory
beforeEach(async () => {
  directory = await createTestDirectory()
})

async function look(context: TestContext) {
  const { value, show, isBad } = await command.call(context, {})
  const { ok, checks } = value as { ok: boolean; checks: Check[] }
  expect(isBad).toBe(!ok)
  expect(checks.every((check) => check.ok)).toBe(ok)
  const text = show(styleOf({}, {}))
  for (const check of checks) expect(text).toContain(check.ok ? check.detail : check.fix)
  return { names: checks.map(({ name }) => name), wrong: checks.filter((check) => !check.ok), text }
}

test('finds nothing wrong with an agent that is listed and online, and shows neither its secret nor its handles', async () => {
  const { context, agent } = await createListed({ directory })
  const { names, wrong, text } = await look(context)
  expect(wrong).toEqual([])
  expect(names).toEqual([
    ...['node', 'home', 'owner', 'disk'],
    ...homeFiles.map(({ name }) => name),
    ...['daemon', 'directory', 'project', 'terms', 'clock', 'discovery', 'secret', 'listing', 'telegram'],
  ])
  expect(text).toContain('Everything is fine.')
  expect(text).not.toContain(agent.secret)
  expect(text).not.toContain('a_fictional_name')
})

test('finds nothing wrong with an agent that was only registered', async () => {
  const { context } = await createRegistered({ directory })
  expect((await look(context)).wrong).toEqual([])
})

describe('at home', () => {
  test('no home: it says so, makes none, and asks nobody', async () => {
    const context = await createTestContext({ directory })
    const { wrong } = await look(context)
    expect(wrong).toMatchObject([{ name: 'home', fix: expect.stringContaining('koko init') as unknown }])
    await expect(readdir(context.home.path)).rejects.toThrow('ENOENT')
    expect(directory.requests).toEqual([])
  })

  test('a home that is no folder, or in none', async () => {
    const file = await freshFolder()
    await writeFile(file, '')
    for (const home of [file, join(file, 'home')]) {
      const { wrong } = await look(await createTestContext({ directory, home }))
      expect(wrong).toMatchObject([{ name: 'home', fix: expect.stringContaining('KOKO_HOME') as unknown }])
    }
  })

  test('a home without an agent', async () => {
    const home = await freshFolder()
    await mkdir(home, { mode: 0o700 })
    const { wrong } = await look(await createTestContext({ directory, home }))
    expect(wrong).toMatchObject([{ name: 'agent.json', fix: expect.stringContaining('koko init') as unknown }])
  })

  test('files that others can read, until they are taken from them; a folder is closed by the look itself', async () => {
    const { context } = await createRegistered({ directory })
    await chmod(join(context.home.path, 'agent.json'), 0o644)
    expect((await look(context)).wrong).toMatchObject([
      { name: 'owner', fix: expect.stringContaining('chmod -R go-rwx') as unknown },
    ])
    await chmod(join(context.home.path, 'agent.json'), 0o600)
    await chmod(context.home.path, 0o750)
    expect((await look(context)).wrong).toEqual([])
    expect((await stat(context.home.path)).mode & 0o777).toBe(0o700)
  })

  test.each(homeFiles.map(({ name }) => name))('a damaged %s is named, with what writes it anew', async (name) => {
    const { context } = await createListed({ directory })
    const path = join(context.home.path, name)
    await writeFile(path, '{"version":1,"handle":"+12025550123"', { mode: 0o600 })
    const { wrong, text } = await look(context)
    const keeps = name === 'agent.json' ? '`koko restore`' : `mv '${path}' '${path}.damaged'`
    expect(wrong[0]).toMatchObject({ name, fix: expect.stringContaining(keeps) as unknown })
    expect(text).not.toMatch(/\brm\b/)
    expect(text).not.toContain('+12025550123')
  })

  test('the hidden peers of a damaged peers.json are not called unimportant', async () => {
    const { context } = await createListed({ directory })
    await writeFile(join(context.home.path, 'peers.json'), '{')
    const { text } = await look(context)
    expect(text).toContain('koko peers hide <peer>')
    expect(text).not.toContain('nothing important')
  })

  test('the damaged file that may hold the only copy of the secret stays where it is', async () => {
    const { context } = await createListed({ directory })
    const path = join(context.home.path, 'agent.json')
    await writeFile(path, '{"version":1,', { mode: 0o600 })
    const [check] = (await look(context)).wrong
    expect(check).toMatchObject({ fix: expect.stringContaining('may contain the only copy') as unknown })
    expect(check).toMatchObject({ fix: expect.not.stringMatching(/`(rm|mv)/) as unknown })
  })

  test('a folder in the place of a file', async () => {
    const { context } = await createRegistered({ directory })
    await mkdir(join(context.home.path, 'published.json'), { mode: 0o700 })
    expect((await look(context)).wrong).toMatchObject([{ name: 'published.json' }])
  })

  test('a file of a newer koko is not to be deleted', async () => {
    const { context } = await createListed({ directory })
    await writeFile(join(context.home.path, 'profile.json'), '{"version":99}')
    const [check] = (await look(context)).wrong
    expect(check).toMatchObject({ name: 'profile.json', fix: expect.not.stringContaining('rm ') as unknown })
  })

  test('a running daemon, and what does not succeed for it', async () => {
    const { context, agent } = await createListed({ directory })
    await context.home.locked('daemon', 0, async () => {
      expect((await look(context)).text).toContain(`running as process ${process.pid}`)
      await context.home.change((files) =>
        files.write(daemonFile, {
          agentId: agent.agentId,
          onlineUntilMs: null,
          discoveredAtMs: null,
          discoveredOn: [],
          failures: [{ action: 'publish', atMs: 1, message: 'The handle is refused.', next: 'Run `koko link`.' }],
        }),
      )
      expect((await look(context)).wrong).toMatchObject([{ name: 'daemon', fix: 'Run `koko link`.' }])
    })
  })
})

describe('at the directory', () => {
  test('one that is down', async () => {
    const { context } = await createListed({ directory })
    directory.isDown = true
    expect((await look(context)).wrong).toMatchObject([{ name: 'directory' }])
  })

  test('another one at the same address never hears the secret', async () => {
    const { context } = await createListed({ directory })
    directory = await createTestDirectory({ projectId: 'demo-other' })
    context.fetch = (url, init) => directory.fetch(url, init)
    expect((await look(context)).wrong).toMatchObject([{ name: 'project' }])
    expect(directory.requests.map(({ name }) => name)).toEqual(['config'])
  })

  test('terms that changed since they were consented to', async () => {
    const { context, agent } = await createListed({ directory })
    await context.home.change((files) => files.write(agentFile, { ...agent, termsVersion: '2020-01-01' }))
    expect((await look(context)).wrong).toMatchObject([
      { name: 'terms', fix: expect.stringContaining('koko init') as unknown },
    ])
  })

  test.each([
    [-3, 'behind'],
    [3, 'ahead of'],
  ])("this machine's clock %i minutes away", async (minutes, where) => {
    const { context } = await createListed({ directory })
    const { nowMs } = context
    context.nowMs = () => nowMs() + minutes * 60_000
    const { wrong } = await look(context)
    expect(wrong).toMatchObject([{ name: 'clock', problem: expect.stringContaining(where) as unknown }])
  })

  test('a clock that is two minutes away is let pass', () => {
    expect([-120_000, 0, 120_000].map((skewMs) => checkClock(skewMs).ok)).toEqual([true, true, true])
    expect([-120_001, 120_001].map((skewMs) => checkClock(skewMs).ok)).toEqual([false, false])
  })

  test('discovery that is not brought up to date', async () => {
    const { context } = await createListed({ directory })
    directory.clock.advance(hour)
    expect((await look(context)).wrong).toMatchObject([
      { name: 'discovery', problem: expect.stringContaining('the last time was 2100-') as unknown },
    ])
  })

  test('a secret that was replaced', async () => {
    const { context, agent } = await createListed({ directory })
    await replaceSecret(context, agent)
    expect((await look(context)).wrong).toMatchObject([
      { name: 'secret', fix: expect.stringContaining('koko restore') as unknown },
    ])
  })

  test('an answer that is not understood', async () => {
    const { context } = await createListed({ directory })
    directory.intercept = ({ name }, answer) =>
      name === 'exportAgent' ? Promise.resolve(Response.json({ result: {} })) : answer()
    expect((await look(context)).wrong).toMatchObject([{ name: 'listing' }])
  })
})

describe('the listing', () => {
  test('that differs from what is kept here is told by its fields, not by their values', async () => {
    const { context } = await createListed({ directory })
    await context.home.change(async (files) => {
      const kept = await files.read(profileFile)
      if (kept !== undefined) await files.write(profileFile, { ...kept, profile: { ...kept.profile, age: 31 } })
    })
    expect((await look(context)).wrong).toEqual([
      {
        name: 'listing',
        ok: false,
        problem: 'Your listing differs from what is saved here: profile.age.',
        fix: '`koko publish`',
      },
    ])
  })

  test('that was removed', async () => {
    const { context, agent } = await createListed({ directory })
    directory.world.store.put([[`mcpDirectory/dating/agents/${agent.agentId}`, null]])
    expect((await look(context)).wrong).toMatchObject([{ name: 'listing', fix: '`koko publish`' }])
  })

  test('of a channel that was unlinked elsewhere: out of date here, and fine once that is known', async () => {
    const { context, agent } = await createListed(
      { directory },
      { telegram: 'a_fictional_name', whatsapp: '+447700900123' },
    )
    await directoryOf(context, agent).client.call('unlinkChannel', { channel: 'telegram' })
    const { wrong, text } = await look(context)
    expect(wrong).toMatchObject([{ name: 'listing', problem: expect.stringContaining('out of date') as unknown }])
    expect(text).toContain('To allow it again, open the settings page with `koko settings`')
  })

  test('that is offline, or soon will be with no daemon', async () => {
    const { context } = await createListed({ directory })
    await directory.pass(30 * hour)
    expect((await look(context)).wrong).toMatchObject([{ name: 'listing', fix: '`koko run`' }])
    await context.home.locked('daemon', 0, async () => {
      expect((await look(context)).wrong).toEqual([])
    })
    await directory.pass(30 * hour)
    expect((await look(context)).wrong).toMatchObject([
      { name: 'listing', problem: expect.stringContaining('offline') as unknown },
    ])
  })

  test('whose profile is not here', async () => {
    const { context } = await createListed({ directory })
    await rm(join(context.home.path, 'profile.json'))
    expect((await look(context)).wrong).toMatchObject([
      { name: 'listing', fix: expect.stringContaining('koko restore') as unknown },
    ])
  })
})

test('a handle that was never agreed to waits for a publish', async () => {
  const { context } = await createRegistered({ directory })
  await context.home.change((files) => files.write(handlesFile, { slack: { handle: 'U012AB3CD', agreedAtMs: null } }))
  expect((await look(context)).wrong).toMatchObject([
    { name: 'slack', fix: expect.stringContaining('koko publish') as unknown },
  ])
})
