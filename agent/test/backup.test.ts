import { expect, jest, test } from '@jest/globals'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openHome } from '../src/home/home.ts'
import { numbersIn } from './home-numbers.ts'
import { homeOf, writeHome } from './home-values.ts'

jest.setTimeout(120_000)

const program = join(import.meta.dirname, 'home-process.ts')

test('a home that is copied while a process writes to it opens elsewhere, with every file whole and no lock held', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'koko-backup-'))
  const home = openHome(join(folder, 'home'))
  await writeHome(home, homeOf(1))
  const writer = spawn(process.execPath, [program, 'write', home.path, '1'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(writer, 'close')
  try {
    await home.locked('daemon', 0, async () => {
      await once(writer.stdout, 'data')
      writer.stdout.resume()
      for (let number = 1; number <= 20; number += 1) {
        const copy = openHome(join(folder, `copy-${number}`))
        // It reports files that vanished before their turn: a draft, or a claim.
        await promisify(execFile)('cp', ['-a', home.path, copy.path]).catch(() => undefined)
        const numbers = await numbersIn(copy)
        expect(Math.min(...numbers)).toBeGreaterThan(0)

        expect([await copy.lockedBy('files'), await copy.lockedBy('daemon')]).toEqual([undefined, undefined])
        await copy.locked('daemon', 0, () => writeHome(copy, homeOf(number)))
        expect(new Set(await numbersIn(copy))).toEqual(new Set([number]))
        expect((await readdir(copy.path)).filter((name) => name.startsWith('.'))).toEqual([])
      }
      expect(await home.lockedBy('daemon')).toBe(process.pid)
    })
  } finally {
    writer.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true })
  }
})
