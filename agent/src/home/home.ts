import { randomBytes, randomInt } from 'node:crypto'
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type * as z from 'zod'
import { UserError } from '../errors.ts'
import { errnoOf, openLocks, parseJson, unless } from './lock.ts'

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
  /** Does `work` while holding a lock. Throws `UserError` if another process holds it for longer than the wait. */
  locked: <T>(name: LockName, wait: Wait, work: () => Promise<T>) => Promise<T>
  /** The id of the process that holds a lock. */
  lockedBy: (name: LockName) => Promise<number | undefined>
  /** Throws `UserError` if nothing can be written. */
  assertWritable: () => Promise<void>
}

/** In milliseconds; a signal ends the wait too, by throwing its reason. */
export type Wait = number | { ms: number; signal: AbortSignal }

export interface Files {
  read: Home['read']
  write: <T extends object>(file: HomeFile<T>, value: T) => Promise<void>
  remove: (file: { name: string }) => Promise<void>
  /** Renames a file to `name.suffix`, or `name.suffix-2` and so on if that is taken. Returns the new name. */
  setAside: (file: { name: string }, suffix: string) => Promise<string>
}

/** A file that does not hold what koko writes. */
export class DamagedFile extends UserError {}

/** Other writers hold the lock briefly. */
const filesWaitMs = 10_000
/** Another koko that changes the listing holds the lock during a request to the directory. */
export const listingWaitMs = 30_000
/** The average pause before the next try to take a lock. It is random, so that no process is too late every time. */
const lockPollMs = 15
/** The usual size of a home's files. */
const probeBytes = 65_536
/** The largest file, peers.json, has a few megabytes at most. */
const maxBytes = 64 * 1024 * 1024
const lockFolder = 'locks'

export function openHome(path: string): Home {
  const locks = openLocks(join(path, lockFolder))

  async function read<T extends object>(file: HomeFile<T>): Promise<T | undefined> {
    const filePath = join(path, file.name)
    const text = await onDisk(`read ${filePath}`, async () => {
      // Reading from a pipe or a device can block forever.
      const found = await stat(filePath).catch(unless('ENOENT', undefined))
      if (found === undefined) return undefined
      if (!found.isFile() && !found.isDirectory()) throw damaged(filePath, 'it is not a file')
      if (found.size > maxBytes) throw damaged(filePath, 'it is larger than any file that koko writes')
      return readFile(filePath, 'utf8').catch(unless('ENOENT', undefined))
    })
    return text === undefined ? undefined : parseFile(filePath, file, text)
  }

  async function write<T extends object>(file: HomeFile<T>, value: T): Promise<void> {
    const fields = { version: file.migrations.length + 1, ...file.schema.parse(value) }
    const text = `${JSON.stringify(fields, null, 2)}\n`
    const filePath = join(path, file.name)
    // The old file stays until the new one is on disk. A crash leaves one of them, and at worst a draft beside it.
    await onDisk(`write ${filePath}`, () =>
      withDraft(path, file.name, text, async (draft) => {
        await rename(draft, filePath)
        await syncFolder(path)
      }),
    )
  }

  async function locked<T>(name: LockName, wait: Wait, work: () => Promise<T>): Promise<T> {
    await using _lock = await waitForLock(name, wait)
    return await work()
  }

  async function waitForLock(name: LockName, wait: Wait): Promise<AsyncDisposable> {
    const { ms: waitMs, signal } = typeof wait === 'number' ? { ms: wait, signal: undefined } : wait
    await onDisk(`write in ${path}`, () => makeFolder(path))
    for (let waitedMs = 0; ; waitedMs += lockPollMs) {
      const lock = await onDisk(`write in ${path}`, () => locks.take(name))
      if (!('heldBy' in lock)) return lock
      signal?.throwIfAborted()
      if (waitedMs >= waitMs) {
        throw new UserError(
          `Another koko (process ${lock.heldBy}) is using ${path}.`,
          name === 'daemon' ? 'Leave it running, or stop it first.' : 'Wait until it has finished, then try again.',
        )
      }
      await new Promise((resolve) => setTimeout(resolve, randomInt(1, 2 * lockPollMs)))
    }
  }

  function change<T>(work: (files: Files) => Promise<T>): Promise<T> {
    return locked('files', filesWaitMs, async () => {
      // The lock is held, so no draft is in use: crashes left them.
      await onDisk(`write in ${path}`, () => removeDrafts(path))
      return work({
        read,
        write,
        remove: ({ name }) => removeFile(path, name),
        setAside: ({ name }, suffix) => setAside(path, name, suffix),
      })
    })
  }

  return {
    path,
    read,
    locked,
    lockedBy: (name) => onDisk(`read ${path}`, () => locks.holder(name)),
    change,
    assertWritable: () =>
      change(() => onDisk(`write in ${path}`, () => withDraft(path, 'probe', ' '.repeat(probeBytes)))),
  }
}

/** Creates the folder. If others may read an existing one, as after restoring a backup, makes it private. */
async function makeFolder(path: string): Promise<void> {
  await makeFolders(path)
  // Windows has no such modes; there, the folder is as private as the user's own.
  if (process.platform === 'win32' || ((await stat(path)).mode & 0o077) === 0) return
  const names = await readdir(path)
  if (!names.includes(lockFolder) && !names.every((name) => name.startsWith('.') || name.endsWith('.json'))) {
    throw new UserError(
      `${path} contains other files, and other users may be able to read it.`,
      'Set KOKO_HOME to a folder that only koko uses.',
    )
  }
  await chmod(path, 0o700)
}

/** Creates parent folders too. Node's recursive `mkdir` reports a read-only disk as a missing folder. */
async function makeFolders(path: string): Promise<void> {
  const make = () =>
    mkdir(path, 0o700).catch(async (error: unknown) => {
      if (errnoOf(error) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error
    })
  try {
    await make()
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error
    await makeFolders(dirname(path))
    await make()
  }
}

function parseFile<T extends object>(path: string, file: HomeFile<T>, text: string): T {
  const current = file.migrations.length + 1
  const json = parseJson(text)
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw damaged(path, 'it is not a JSON object')
  const { version, ...fields }: { version?: unknown } = json
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
    throw damaged(path, 'version must be a whole number from 1')
  }
  if (version > current) {
    throw new UserError(`${path} was written by a newer koko.`, 'Update koko.')
  }
  let migrated: Record<string, unknown> = fields
  for (const [index, migrate] of file.migrations.slice(version - 1).entries()) {
    try {
      migrated = migrate(migrated)
    } catch {
      throw damaged(path, `it is not valid as version ${version + index}`)
    }
  }
  const result = file.schema.safeParse(migrated)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const where = issue?.path.join('.') ?? ''
  // The name of an unknown field can be anything, so the message does not contain it.
  const isUnknownField = issue === undefined || issue.code === 'unrecognized_keys'
  const rule = isUnknownField ? 'must have no other fields' : issue.message
  throw damaged(path, `${where === '' ? 'the file' : where} ${rule}`)
}

function damaged(path: string, why: string): DamagedFile {
  return new DamagedFile(`${path} is damaged: ${why}.`, 'Run `koko doctor`.', { code: 'data-loss' })
}

/** Does work with a draft that is on disk. Removes the draft unless the work renamed it. */
async function withDraft(folder: string, name: string, text: string, work?: (path: string) => Promise<void>) {
  const draft = join(folder, `.${name}.${randomBytes(6).toString('hex')}.draft`)
  try {
    const handle = await open(draft, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await work?.(draft)
  } finally {
    await rm(draft, { force: true }).catch(() => undefined)
  }
}

async function removeFile(folder: string, name: string): Promise<void> {
  await onDisk(`remove ${join(folder, name)}`, async () => {
    await rm(join(folder, name), { force: true })
    await syncFolder(folder)
  })
}

async function setAside(folder: string, name: string, suffix: string): Promise<string> {
  return onDisk(`rename ${join(folder, name)}`, async () => {
    const taken = new Set(await readdir(folder))
    let aside = `${name}.${suffix}`
    for (let number = 2; taken.has(aside); number += 1) aside = `${name}.${suffix}-${number}`
    await rename(join(folder, name), join(folder, aside))
    await syncFolder(folder)
    return aside
  })
}

async function removeDrafts(folder: string): Promise<void> {
  const drafts = (await readdir(folder)).filter((name) => name.startsWith('.') && name.endsWith('.draft'))
  await Promise.all(drafts.map((name) => rm(join(folder, name), { force: true })))
}

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    // Some network file systems cannot sync folders.
    await handle.sync().catch(unless('EINVAL', undefined))
  } finally {
    await handle.close()
  }
}

const diskFaults: Record<string, [what: string, hint: string]> = {
  ENOSPC: ['the disk is full', 'Free some space on the disk, then try again.'],
  EDQUOT: ['the disk quota is used up', 'Free some space on the disk, then try again.'],
  EROFS: ['the disk is read-only', 'Make it writable, or set KOKO_HOME to a folder that is.'],
  EACCES: ['access is denied', 'Make your user the owner of the folder, or set KOKO_HOME to another folder.'],
  EPERM: ['access is denied', 'Make your user the owner of the folder, or set KOKO_HOME to another folder.'],
  EIO: ['the disk reports an error', 'Back up what can be read, and set KOKO_HOME to a folder on another disk.'],
  EFBIG: ['the file exceeds the limit on file sizes', 'Raise that limit, then try again.'],
  EISDIR: ['it is a folder', 'Move it away, then try again.'],
  ENAMETOOLONG: ['the path is too long', 'Set KOKO_HOME to a shorter path.'],
  ELOOP: ['its symbolic links form a loop', 'Set KOKO_HOME to a folder.'],
  ENOENT: ['a part of the path does not exist and cannot be created', 'Set KOKO_HOME to a folder that can be created.'],
  ENOTDIR: ['a part of the path is not a folder', 'Set KOKO_HOME to a folder.'],
  EEXIST: ['a part of the path is not a folder', 'Set KOKO_HOME to a folder.'],
}

/** Whether a failure means that nothing can be written at the moment. */
export function isUnwritable(error: unknown): boolean {
  const cause = error instanceof UserError ? error.cause : undefined
  return ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM'].includes(String(errnoOf(cause)))
}

/** Does work on the disk. Throws `UserError` if the disk refuses it. */
async function onDisk<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const fault = error instanceof UserError ? undefined : diskFaults[String(errnoOf(error))]
    if (fault === undefined) throw error
    throw new UserError(`Cannot ${what}: ${fault[0]}.`, fault[1], { cause: error })
  }
}
