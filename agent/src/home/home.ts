import { randomBytes, randomInt } from 'node:crypto'
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type * as z from 'zod'
import { UserError } from '../errors.ts'
import { openLocks, type Lock } from './lock.ts'

/** A file of the home: `{"version": n, …}`. */
export interface HomeFile<T extends object> {
  name: string
  schema: z.ZodType<T>
  /** Each turns the fields of one version into those of the next; the first starts from version 1. */
  migrations: readonly ((fields: Record<string, unknown>) => Record<string, unknown>)[]
}

/**
 * What each lock protects: `files` the files on disk, held briefly; `listing` the published listing, held during a
 * request to the directory; `daemon` a running daemon, held until it ends.
 */
export type LockName = 'files' | 'listing' | 'daemon'

/** The folder with all of an agent's files. Only its owner can read it. Each file is written completely or not at all. */
export interface Home {
  path: string
  /** Undefined if the file does not exist. Throws `UserError` if it cannot be read or is damaged. */
  read: <T extends object>(file: HomeFile<T>) => Promise<T | undefined>
  /** Reads and writes while no other process writes. Do slow work outside. */
  change: <T>(work: (files: Files) => Promise<T>) => Promise<T>
  /** Does `work` while holding a lock. Throws `UserError` if another process holds it for longer than `waitMs`. */
  locked: <T>(name: LockName, waitMs: number, work: () => Promise<T>) => Promise<T>
  /** The id of the process that holds a lock. */
  lockedBy: (name: LockName) => Promise<number | undefined>
  /** Throws `UserError` if nothing can be written. */
  assertWritable: () => Promise<void>
}

export interface Files {
  read: Home['read']
  write: <T extends object>(file: HomeFile<T>, value: T) => Promise<void>
  remove: (file: { name: string }) => Promise<void>
}

/** How long to wait for other writers, which hold the lock briefly. */
const filesWaitMs = 10_000
/** How long to wait for another koko that changes the listing: it asks the directory meanwhile. */
export const listingWaitMs = 30_000
/** The average pause between tries to take a lock. It is random, so that no process is too late every time. */
const lockPollMs = 15
/** As large as a home's usual files, so that a full disk shows before there is something to lose. */
const probeBytes = 65_536
/** The largest file, peers.json, has a few megabytes at most. */
const mostBytes = 64 * 1024 * 1024
const lockFolder = 'locks'

export function openHome(path: string): Home {
  const locks = openLocks(join(path, lockFolder))

  async function read<T extends object>(file: HomeFile<T>): Promise<T | undefined> {
    const filePath = join(path, file.name)
    let text: string
    try {
      // Reading from a pipe or a device can block forever.
      const found = await stat(filePath)
      if (!found.isFile() && !found.isDirectory()) throw damaged(filePath, 'it is no file')
      if (found.size > mostBytes) throw damaged(filePath, 'it is larger than koko writes any')
      text = await readFile(filePath, 'utf8')
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw diskError(error, `read ${filePath}`)
    }
    return parseFile(filePath, file, text)
  }

  async function write<T extends object>(file: HomeFile<T>, value: T): Promise<void> {
    const fields = { version: file.migrations.length + 1, ...file.schema.parse(value) }
    await writeWhole(path, file.name, `${JSON.stringify(fields, null, 2)}\n`)
  }

  async function locked<T>(name: LockName, waitMs: number, work: () => Promise<T>): Promise<T> {
    await using _lock = await waitForLock(name, waitMs)
    return await work()
  }

  async function waitForLock(name: LockName, waitMs: number): Promise<Lock> {
    await makeFolder(path)
    for (let waitedMs = 0; ; waitedMs += lockPollMs) {
      const lock = await locks.take(name).catch((error: unknown) => {
        throw diskError(error, `write in ${path}`)
      })
      if (!('heldBy' in lock)) return lock
      if (waitedMs >= waitMs) {
        throw new UserError(
          `Another koko (process ${lock.heldBy}) is at work in ${path}.`,
          name === 'daemon' ? 'Stop it first, or leave it running: one is enough.' : 'Wait for it, then try again.',
        )
      }
      await new Promise((resolve) => setTimeout(resolve, randomInt(1, 2 * lockPollMs)))
    }
  }

  return {
    path,
    read,
    locked,
    lockedBy: (name) =>
      locks.holder(name).catch((error: unknown) => {
        throw diskError(error, `read ${path}`)
      }),
    change: (work) =>
      locked('files', filesWaitMs, async () => {
        await removeDrafts(path)
        return work({ read, write, remove: ({ name }) => removeFile(path, name) })
      }),
    assertWritable: () =>
      locked('files', filesWaitMs, async () => {
        await removeDrafts(path)
        await probe(path)
      }),
  }
}

/** Creates the folder. If others may read an existing one, as after restoring a backup, makes it private. */
async function makeFolder(path: string): Promise<void> {
  try {
    await makeFolders(path)
    // Windows has no such modes; there, the folder is as private as the user's own.
    if (process.platform === 'win32' || ((await stat(path)).mode & 0o077) === 0) return
    const names = await readdir(path)
    if (!names.includes(lockFolder) && !names.every((name) => name.startsWith('.') || name.endsWith('.json'))) {
      throw new UserError(
        `${path} holds other things, and others may read it.`,
        'Set KOKO_HOME to a folder of its own.',
      )
    }
    await chmod(path, 0o700)
  } catch (error) {
    throw diskError(error, `write in ${path}`)
  }
}

/** Creates parent folders too. Node's recursive `mkdir` reports a read-only disk as a missing folder. */
async function makeFolders(path: string): Promise<void> {
  const make = () =>
    mkdir(path, 0o700).catch(async (error: unknown) => {
      if (codeOf(error) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error
    })
  try {
    await make()
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error
    await makeFolders(dirname(path))
    await make()
  }
}

function parseFile<T extends object>(path: string, file: HomeFile<T>, text: string): T {
  const current = file.migrations.length + 1
  const json = jsonOf(text)
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw damaged(path, 'it is not a JSON object')
  const { version, ...fields }: { version?: unknown } = json
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
    throw damaged(path, 'version must be a whole number from 1')
  }
  if (version > current) {
    throw new UserError(`${path} was written by a newer koko.`, 'Install that version of koko again.')
  }
  let migrated: Record<string, unknown> = fields
  for (const [index, migrate] of file.migrations.entries()) {
    if (index + 1 < version) continue
    try {
      migrated = migrate(migrated)
    } catch {
      throw damaged(path, `it does not hold what version ${index + 1} does`)
    }
  }
  const result = file.schema.safeParse(migrated)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const where = issue?.path.join('.') ?? ''
  throw damaged(path, `${where === '' ? 'the file' : where} ${ruleOf(issue)}`)
}

/** The rule that was broken, without the value that broke it or the name of an unknown field, which can be anything. */
function ruleOf(issue: z.core.$ZodIssue | undefined): string {
  return issue === undefined || issue.code === 'unrecognized_keys' ? 'must hold no other fields' : issue.message
}

/** Undefined if the text is not JSON. The error is dropped, because it quotes the text. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function damaged(path: string, why: string): UserError {
  return new UserError(`${path} is damaged: ${why}.`, 'Run `koko doctor`.')
}

/** The old file stays until the new one is on disk. A crash leaves one of them, and at worst a draft beside it. */
async function writeWhole(folder: string, name: string, text: string): Promise<void> {
  const draft = draftPath(folder, name)
  try {
    await writeDraft(draft, text)
    await rename(draft, join(folder, name))
    await syncFolder(folder)
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined)
    throw diskError(error, `write ${join(folder, name)}`)
  }
}

/** Throws if a file of the usual size cannot be written. */
async function probe(folder: string): Promise<void> {
  const draft = draftPath(folder, 'probe')
  try {
    await writeDraft(draft, ' '.repeat(probeBytes))
  } catch (error) {
    throw diskError(error, `write in ${folder}`)
  } finally {
    await rm(draft, { force: true }).catch(() => undefined)
  }
}

function draftPath(folder: string, name: string): string {
  return join(folder, `.${name}.${randomBytes(6).toString('hex')}.draft`)
}

async function writeDraft(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function removeFile(folder: string, name: string): Promise<void> {
  try {
    await rm(join(folder, name), { force: true })
    await syncFolder(folder)
  } catch (error) {
    throw diskError(error, `remove ${join(folder, name)}`)
  }
}

/** Removes what crashes left. The caller holds the lock on the files, so no draft is in use. */
async function removeDrafts(folder: string): Promise<void> {
  try {
    const drafts = (await readdir(folder)).filter((name) => name.startsWith('.') && name.endsWith('.draft'))
    await Promise.all(drafts.map((name) => rm(join(folder, name), { force: true })))
  } catch (error) {
    throw diskError(error, `write in ${folder}`)
  }
}

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    // Some network file systems cannot sync folders.
    await handle.sync().catch((error: unknown) => {
      if (codeOf(error) !== 'EINVAL') throw error
    })
  } finally {
    await handle.close()
  }
}

const diskFaults: Record<string, [what: string, hint: string]> = {
  ENOSPC: ['the disk is full', 'Make room on the disk, then try again.'],
  EDQUOT: ['the disk quota is used up', 'Make room on the disk, then try again.'],
  EROFS: ['the disk is read-only', 'Make it writable, or set KOKO_HOME to a folder that is.'],
  EACCES: ['access is denied', 'Give the folder back to your user, or set KOKO_HOME to another.'],
  EPERM: ['access is denied', 'Give the folder back to your user, or set KOKO_HOME to another.'],
  EIO: ['the disk fails', 'Back up what can be read, and set KOKO_HOME to a folder on another disk.'],
  EFBIG: ['files may not be so large', 'Raise the limit on file sizes, then try again.'],
  EISDIR: ['it is a folder', 'Move it away, then try again.'],
  ENAMETOOLONG: ['the path is too long', 'Set KOKO_HOME to a shorter one.'],
  ELOOP: ['its links lead in a circle', 'Set KOKO_HOME to a folder.'],
  ENOENT: ['a part of the path is gone, or cannot be made', 'Set KOKO_HOME to a folder that can be made.'],
  ENOTDIR: ['a part of the path is no folder', 'Set KOKO_HOME to a folder.'],
  EEXIST: ['a part of the path is no folder', 'Set KOKO_HOME to a folder.'],
}

function diskError(error: unknown, what: string): unknown {
  if (error instanceof UserError) return error
  const fault = diskFaults[String(codeOf(error))]
  if (fault === undefined) return error
  return new UserError(`Cannot ${what}: ${fault[0]}.`, fault[1], { cause: error })
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
