import { describe, expect, jest, test } from '@jest/globals'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { openHome } from '../src/home/home.ts'
import { fullDisk, readOnlyDisk } from './disks.ts'
import { counterFile } from './home-values.ts'

jest.setTimeout(60_000)

const program = join(import.meta.dirname, 'home-process.ts')

const countOne = (path: string) => openHome(path).change((files) => files.write(counterFile, { count: 1 }))

/** Every file below a folder, by its path from there. */
async function filesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map(({ parentPath, name }) => relative(path, join(parentPath, name))).sort()
}

describe('on a read-only disk', () => {
  test('reads a home, and says why it cannot write', async () => {
    await using disk = await readOnlyDisk(countOne)
    const [first, ...rest] = disk.command([process.execPath, program, 'try', disk.path])
    const { stdout } = await promisify(execFile)(first, rest)
    const outcomes: unknown = JSON.parse(`[${stdout.trim().split('\n').join(',')}]`)

    const refused = {
      advice: expect.stringMatching(/^Cannot write in .*: (the disk is read-only|access is denied)\.$/),
    }
    expect(outcomes).toEqual([
      { read: { count: 1 } },
      { lockedBy: 'done' },
      { assertWritable: refused },
      { write: refused },
      { remove: refused },
    ])
    expect(await openHome(disk.path).read(counterFile)).toEqual({ count: 1 })
  })

  test('cannot create a home', async () => {
    await using disk = await readOnlyDisk()
    const [first, ...rest] = disk.command([process.execPath, program, 'try', disk.path])
    const { stdout } = await promisify(execFile)(first, rest)
    expect(stdout).toContain('{"read":"done"}\n{"lockedBy":"done"}\n')
    expect(stdout).toMatch(/"assertWritable":.*(the disk is read-only|access is denied)/)
  })

  test('lets a process take a lock again that it released there', async () => {
    await using disk = await readOnlyDisk(countOne)
    await disk.repair()
    const home = openHome(disk.path)
    await home.locked('daemon', 0, () => disk.spoil())
    expect(await home.lockedBy('daemon')).toBeUndefined()
    await disk.repair()
    expect(await home.locked('daemon', 0, () => Promise.resolve('has it'))).toBe('has it')
  })
})

describe('on a full disk', () => {
  const full = /^Cannot write .*: the disk is full\.$/

  test('reads a home, and says why it cannot write', async () => {
    await using disk = await fullDisk(countOne)
    const home = openHome(disk.path)
    expect(await home.read(counterFile)).toEqual({ count: 1 })
    expect(await home.lockedBy('files')).toBeUndefined()
    await expect(home.assertWritable()).rejects.toThrow(full)
    await expect(home.change((files) => files.write(counterFile, { count: 2 }))).rejects.toThrow(full)
    expect(await filesIn(disk.path)).toEqual(['counter.json', 'locks/files.1'])
    await disk.repair()
    await home.change((files) => files.write(counterFile, { count: 2 }))
    expect(await home.read(counterFile)).toEqual({ count: 2 })
  })

  test('keeps the old file, and nothing else, when the disk fills up in the middle of a write', async () => {
    await using disk = await fullDisk(countOne, 32_768)
    const home = openHome(disk.path)
    const filler = 'x'.repeat(50_000)
    await expect(home.change((files) => files.write(counterFile, { count: 2, filler }))).rejects.toThrow(full)
    expect(await home.read(counterFile)).toEqual({ count: 1 })
    expect(await filesIn(disk.path)).toEqual(['counter.json', 'locks/files.2'])
    await expect(home.assertWritable()).rejects.toThrow(full)
    expect(await filesIn(disk.path)).toEqual(['counter.json', 'locks/files.3'])
  })

  test('removes a file while there is room for a lock', async () => {
    await using disk = await fullDisk(countOne, 8_192)
    const home = openHome(disk.path)
    await home.change((files) => files.remove(counterFile))
    expect(await home.read(counterFile)).toBeUndefined()
  })

  test('cannot create a home', async () => {
    await using disk = await fullDisk()
    await expect(openHome(disk.path).assertWritable()).rejects.toThrow(full)
  })

  test('releases a lock of a process that keeps running', async () => {
    await using disk = await fullDisk(countOne)
    await disk.repair()
    const holder = spawn(process.execPath, [program, 'hold', disk.path], { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(holder.stdout, 'data')
    const home = openHome(disk.path)
    expect(await home.lockedBy('daemon')).toBe(holder.pid)
    await disk.spoil()
    holder.stdin.write('\n')
    await once(holder.stdout, 'data')
    expect(await home.lockedBy('daemon')).toBeUndefined()
    expect(holder.exitCode).toBeNull()
    holder.stdin.end()
    await once(holder, 'close')
  })
})
