import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildAgent } from '../../scripts/build-agent.ts'
import { serveTestDirectory, type ServedDirectory } from '../../testing/served-directory.ts'
import { directoryOf, openDirectory } from '../src/directory/session.ts'
import { rotate } from '../src/operations/rotate.ts'
import { createRegistered, keptAgent } from './agents.ts'

jest.setTimeout(120_000)

let folder: string
let served: ServedDirectory

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'koko-rotated-'))
  served = await serveTestDirectory()
  await buildAgent(folder)
})

afterAll(async () => {
  await served[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

function startRotation(home: string): ChildProcess {
  return spawn(process.execPath, [join(folder, 'koko.js'), 'rotate', '--yes'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { KOKO_HOME: home, NODE_COMPILE_CACHE: join(folder, 'compiled') },
  })
}

/** A home whose rotation is killed with SIGKILL before or after the directory does the nth request of that name. */
async function killed(name: string, nth: number, isDone: boolean) {
  const { directory } = served
  directory.intercept = (_request, answer) => answer()
  const { context, agent } = await createRegistered({ directory })
  const process = startRotation(context.home.path)
  const ended = once(process, 'close')
  let seen = 0
  directory.intercept = async (request, answer) => {
    if (request.name !== name || (seen += 1) !== nth) return answer()
    const response = isDone ? await answer() : null
    process.kill('SIGKILL')
    await ended
    return response ?? Response.error()
  }
  await ended
  expect(process.signalCode).toBe('SIGKILL')
  directory.intercept = (_request, answer) => answer()
  return { context, agent }
}

// The first sign-in is with the old secret, the second with the new one.
test.each([
  ['rotateSecret', 1, false],
  ['rotateSecret', 1, true],
  ['signInAgent', 2, false],
  ['signInAgent', 2, true],
  ['exchange', 2, false],
  ['exchange', 2, true],
] as const)('a rotation that is killed at %s %i, done %p, loses nothing', async (name, nth, isDone) => {
  const { context, agent } = await killed(name, nth, isDone)
  const { pendingSecret, ...kept } = await keptAgent(context)
  expect(kept).toEqual(agent)
  expect(pendingSecret === undefined).toBe(name === 'rotateSecret')

  await (await openDirectory(context)).client.call('exportAgent', {})
  expect(await keptAgent(context)).toEqual({ ...agent, secret: pendingSecret ?? agent.secret })
  const { secret } = await rotate(context, { yes: true })
  expect(await keptAgent(context)).toEqual({ ...agent, secret })
  await context.home.change(() => Promise.resolve())
  expect((await readdir(context.home.path)).sort()).toEqual(['agent.json', 'locks'])
})

test('a rotation whose reader has gone is complete', async () => {
  const { context, agent } = await createRegistered({ directory: served.directory })
  const process = startRotation(context.home.path)
  process.stdout?.destroy()
  process.stderr?.destroy()
  await once(process, 'close')
  const { pendingSecret, secret } = await keptAgent(context)
  expect(pendingSecret).toBeUndefined()
  expect(secret).not.toBe(agent.secret)
  await (await openDirectory(context)).client.call('exportAgent', {})
  await expect(directoryOf(context, agent).signIn()).rejects.toMatchObject({ code: 'unauthenticated' })
})
