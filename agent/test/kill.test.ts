import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import * as esbuild from 'esbuild'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { homeFiles } from '../src/home/files.ts'
import { openHome } from '../src/home/home.ts'
import { numbersIn } from './home-numbers.ts'
import { counterFile } from './home-values.ts'
import { killAgainAndAgain } from './killing.ts'

jest.setTimeout(900_000)

let folder: string
let program: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'koko-kill-'))
  program = join(folder, 'home-process.mjs')
  // In one file, because a thousand processes load it.
  await esbuild.build({
    entryPoints: [join(import.meta.dirname, 'home-process.ts')],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    logLevel: 'silent',
  })
  // A process that ends by itself leaves its compiled code for those that are killed.
  await once(start('count', join(folder, 'first'), 0), 'close')
})

afterAll(() => rm(folder, { recursive: true, force: true }))

function start(task: string, path: string, amount: number) {
  return spawn(process.execPath, [program, task, path, String(amount)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { NODE_COMPILE_CACHE: join(folder, 'compiled') },
  })
}

test('no file is damaged when processes are killed while they write, a thousand times', async () => {
  const lanes = Array.from({ length: 3 }, (_, lane) => ({
    home: openHome(join(folder, `home-${lane}`)),
    numbers: [0, 0, 0, 0, 0, 0, 0],
  }))
  let amidFile = 0
  let betweenFiles = 0

  await killAgainAndAgain({
    times: 1_000,
    lanes,
    seed: 'a thousand times',
    withinMs: 30,
    start: ({ home, numbers }) => start('write', home.path, Math.max(...numbers)),
    isAtWork: (line) => line === 'at work',
    async afterwards(lane, lines) {
      expect(await lane.home.lockedBy('files')).toBeUndefined()
      await lane.home.locked('files', 0, () => Promise.resolve())

      const numbers = await numbersIn(lane.home)
      const last = lines.findLast((line) => line.startsWith('wrote '))?.slice('wrote '.length)
      const before = last === undefined ? lane.numbers : lane.numbers.map(() => Number(last))
      const next = Math.max(...before) + 1
      // Files are written in order: the first ones hold the next value, the others the value before.
      const written = numbers.filter((number) => number === next).length
      expect(numbers).toEqual(before.map((number, index) => (index < written ? next : number)))

      const hasDraft = (await readdir(lane.home.path)).some((name) => name.endsWith('.draft'))
      if (hasDraft) amidFile += 1
      if (written > 0 && written < numbers.length) betweenFiles += 1
      lane.numbers = numbers
    },
  })

  expect(amidFile).toBeGreaterThan(100)
  expect(betweenFiles).toBeGreaterThan(100)
  for (const { home } of lanes) {
    await home.change(() => Promise.resolve())
    expect((await readdir(home.path)).sort()).toEqual([...homeFiles.map(({ name }) => name), 'locks'].sort())
    expect(await readdir(join(home.path, 'locks'))).toHaveLength(1)
  }
})

test('no count is lost when processes that count together are killed', async () => {
  const home = openHome(join(folder, 'counted'))
  let said = 0

  await killAgainAndAgain({
    times: 60,
    lanes: [1, 2, 3],
    seed: 'together',
    withinMs: 60,
    start: () => start('count', home.path, 1_000_000),
    isAtWork: (line) => line === 'counted',
    afterwards(_lane, lines) {
      said += lines.filter((line) => line === 'counted').length
      return Promise.resolve()
    },
  })

  const { count = 0 } = (await home.read(counterFile)) ?? {}
  // A killed process may not have printed its last count.
  expect(count - said).toBeGreaterThanOrEqual(0)
  expect(count - said).toBeLessThanOrEqual(60)
})
