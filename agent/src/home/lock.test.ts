import { afterAll, describe, expect, jest, test } from '@jest/globals'
import * as fc from 'fast-check'
import { execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { openLocks } from './lock.ts'

jest.setTimeout(60_000)

const folder = await mkdtemp(join(tmpdir(), 'koko-lock-'))
afterAll(() => rm(folder, { recursive: true }))

const freshFolder = () => join(folder, randomUUID())

async function takeNow(path: string, name = 'files'): Promise<AsyncDisposable> {
  const lock = await openLocks(path).take(name)
  if ('heldBy' in lock) throw new Error(`It is held by ${lock.heldBy}.`)
  return lock
}

describe('a lock', () => {
  test('is got by exactly one of many, and the others are told by whom', async () => {
    const path = freshFolder()
    const taken = await Promise.all(Array.from({ length: 20 }, () => openLocks(path).take('files')))
    expect(taken.filter((lock) => !('heldBy' in lock))).toHaveLength(1)
    expect(taken.filter((lock) => 'heldBy' in lock && lock.heldBy === process.pid)).toHaveLength(19)
  })

  test('is never held twice, however those who want it interleave', async () => {
    const path = freshFolder()
    let inside = 0
    let most = 0
    const wanting = Array.from({ length: 6 }, async () => {
      const locks = openLocks(path)
      for (let round = 0; round < 10;) {
        const lock = await locks.take('files')
        if ('heldBy' in lock) {
          await setTimeout(1)
          continue
        }
        inside += 1
        most = Math.max(most, inside)
        await readdir(path)
        inside -= 1
        await lock[Symbol.asyncDispose]()
        round += 1
      }
    })
    await Promise.all(wanting)
    expect(most).toBe(1)
    expect(await readdir(path)).toEqual(['files.60'])
  })

  test('is not got by who found it free long ago, whatever came and went since', async () => {
    const path = freshFolder()
    await mkdir(path)
    // A claim that is not read before somebody writes it: the process that looks at it is late.
    await promisify(execFile)('mkfifo', [join(path, 'files.5')])
    const late = openLocks(path).take('files')
    const slow = await open(join(path, 'files.5'), 'w')
    await writeFile(join(path, 'files.6'), '')
    await takeNow(path)
    await slow.close()
    expect(await late).toEqual({ heldBy: process.pid })
    expect(await readdir(path)).toEqual(['files.7'])
  })

  test('is one of several by their names', async () => {
    const path = freshFolder()
    await takeNow(path, 'files')
    await takeNow(path, 'daemon')
    expect(await openLocks(path).take('files')).toEqual({ heldBy: process.pid })
  })

  test('that is given back is free, and tells of nobody', async () => {
    const path = freshFolder()
    for (let round = 0; round < 3; round += 1) {
      await using _lock = await takeNow(path)
      expect(await openLocks(path).holder('files')).toBe(process.pid)
    }
    expect(await openLocks(path).holder('files')).toBeUndefined()
  })

  test('is looked at without a trace', async () => {
    const path = freshFolder()
    expect(await openLocks(path).holder('files')).toBeUndefined()
    await expect(readdir(path)).rejects.toThrow('ENOENT')
  })

  test('is free where what claims were left are of nobody who lives', async () => {
    const number = fc.integer({ min: 1, max: 50 }).map(String)
    const junk = fc.constantFrom('files.', 'files.x', 'files.0', 'files.1e3', 'files.9 copy', 'daemon.3', '.DS_Store')
    const leftovers = fc.dictionary(
      fc.oneof(
        number.map((text) => `files.${text}`),
        junk,
      ),
      fc.constantFrom('', '{', '{"pid":1}', 'null'),
    )
    await fc.assert(
      fc.asyncProperty(leftovers, async (files) => {
        const path = freshFolder()
        await mkdir(path)
        for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
        await using _lock = await takeNow(path)
        expect(await openLocks(path).take('files')).toEqual({ heldBy: process.pid })
        const claims = (await readdir(path)).filter((name) => /^files\.[1-9]\d*$/.test(name))
        expect(claims).toHaveLength(1)
      }),
      { numRuns: 30 },
    )
  })
})

describe('a claim', () => {
  async function claimed(change: (claim: Record<string, unknown>) => object) {
    const path = freshFolder()
    await takeNow(path)
    const file = join(path, 'files.1')
    const claim = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
    await writeFile(file, JSON.stringify(change(claim)))
    return openLocks(path).holder('files')
  }

  test('of a process that runs holds', async () => {
    expect(await claimed((claim) => claim)).toBe(process.pid)
  })

  test('of a process whose id another has now does not hold', async () => {
    expect(await claimed((claim) => ({ ...claim, began: '1' }))).toBeUndefined()
  })

  test('of an earlier boot, or of another machine, does not hold', async () => {
    expect(await claimed((claim) => ({ ...claim, boot: randomUUID() }))).toBeUndefined()
  })

  test('of nobody, or of all, does not hold', async () => {
    expect(await claimed((claim) => ({ ...claim, pid: 0 }))).toBeUndefined()
    expect(await claimed((claim) => ({ ...claim, pid: -1 }))).toBeUndefined()
    expect(await claimed((claim) => ({ ...claim, pid: 2 ** 31 - 1 }))).toBeUndefined()
  })

  test('that was copied does not hold, and the original does', async () => {
    const [path, copy] = [freshFolder(), freshFolder()]
    await takeNow(path)
    await cp(path, copy, { recursive: true, preserveTimestamps: true })
    expect(await openLocks(copy).holder('files')).toBeUndefined()
    expect(await openLocks(path).holder('files')).toBe(process.pid)
  })

  test('of a process that is over does not hold, even while nobody asked how it ended', async () => {
    const path = freshFolder()
    const program = join(import.meta.dirname, '..', '..', 'test', 'home-process.ts')
    // The shell becomes a program that never asks after its children.
    const script = 'exec 3<&0; "$0" "$1" hold "$2" <&3 & echo $!; exec sleep 60'
    const parent = spawn('sh', ['-c', script, process.execPath, program, path], { stdio: ['pipe', 'pipe', 'inherit'] })
    const ended = once(parent, 'close')
    try {
      let said = ''
      for await (const text of parent.stdout) {
        said += String(text)
        if (said.includes('holds')) break
      }
      const pid = Number.parseInt(said)
      const locks = openLocks(join(path, 'locks'))
      expect(await locks.holder('daemon')).toBe(pid)
      process.kill(pid, 'SIGKILL')
      while ((await locks.holder('daemon')) !== undefined) await setTimeout(5)
      expect(process.kill(pid, 0)).toBe(true)
    } finally {
      parent.kill('SIGKILL')
      await ended
    }
  })
})

test('drafts of processes that are gone are removed, those of others stay', async () => {
  const path = freshFolder()
  await mkdir(path)
  const gone = spawn(process.execPath, ['-e', '0'])
  await once(gone, 'close')
  const [theirs, ours] = [`.${gone.pid ?? 0}.${randomUUID()}`, `.${process.pid}.${randomUUID()}`]
  await writeFile(join(path, theirs), '')
  await writeFile(join(path, ours), '')
  await takeNow(path)
  expect((await readdir(path)).sort()).toEqual([ours, 'files.1'])
})
