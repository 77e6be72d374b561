import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as z from 'zod'

/** The content of a claim file, which is emptied on release. */
const Claim = z.strictObject({
  id: z.uuid(),
  pid: z.int32().positive(),
  /** The boot of the machine and the start of the process: they distinguish it from a later one with the same id. */
  boot: z.string(),
  began: z.string(),
  /** The device and inode of the claim file itself: a copy of the file is no claim. */
  file: z.string(),
})
type Claim = z.infer<typeof Claim>

/**
 * Locks between the processes of one machine. A crash releases them.
 *
 * A process claims a lock by creating a hard link named with the next number; only one process can create it. The
 * highest claim holds the lock, unless it was released or its process has ended: then the next number can be claimed.
 * The highest claim is never removed. A lower number can be removed and claimed again by a process that listed the claims
 * long ago, so each process lists them again after its claim and gives up a claim that is not the highest.
 */
export function openLocks(folder: string) {
  /** Claims of this process whose release could not be written. */
  const lapsed = new Set<string>()

  async function claimant(name: string, number: number | undefined): Promise<Claim | undefined> {
    const claim = number === undefined ? undefined : await readClaim(claimPath(folder, name, number))
    return claim !== undefined && !lapsed.has(claim.id) && (await isRunning(claim)) ? claim : undefined
  }

  /**
   * The lock, or the id of the process that holds it. A release never fails: if it cannot be written, others can take the
   * lock after this process ends.
   */
  async function take(name: string): Promise<AsyncDisposable | { heldBy: number }> {
    await mkdir(folder, 0o700).catch(unless('EEXIST', undefined))
    for (;;) {
      const last = (await claimsOf(folder, name)).at(-1)
      const holder = await claimant(name, last)
      if (holder !== undefined) return { heldBy: holder.pid }
      const number = (last ?? 0) + 1
      const path = claimPath(folder, name, number)
      const id = await claim(folder, path)
      if (id === undefined) continue
      const release = () => truncate(path).catch(() => void lapsed.add(id))
      try {
        const claims = await claimsOf(folder, name)
        if (claims.at(-1) === number) {
          await tidy(folder, name, claims)
          return { [Symbol.asyncDispose]: release }
        }
        await rm(path, { force: true })
      } catch (error) {
        await release()
        throw error
      }
    }
  }

  /** The id of the process that holds a lock. Writes nothing. */
  async function holder(name: string): Promise<number | undefined> {
    return (await claimant(name, (await claimsOf(folder, name)).at(-1)))?.pid
  }

  return { take, holder }
}

function claimPath(folder: string, name: string, number: number): string {
  return join(folder, `${name}.${number}`)
}

/** The claimed numbers, in ascending order. */
async function claimsOf(folder: string, name: string): Promise<number[]> {
  // So few names are read in one system call, during which none is created or removed.
  const files = await readdir(folder).catch(unless('ENOENT', []))
  return files
    .filter((file) => file.startsWith(`${name}.`))
    .map((file) => file.slice(name.length + 1))
    .filter((number) => /^[1-9]\d{0,14}$/.test(number))
    .map(Number)
    .sort((a, b) => a - b)
}

/** Links a draft that is already complete. Returns the claim's id, or undefined if another process was first. */
async function claim(folder: string, path: string): Promise<string | undefined> {
  const id = randomUUID()
  const draft = join(folder, `.${process.pid}.${id}`)
  try {
    const handle = await open(draft, 'wx', 0o600)
    try {
      const mine: Claim = {
        id,
        pid: process.pid,
        boot: await bootId(),
        began: (await beganAt(process.pid)) ?? '',
        file: fileId(await handle.stat({ bigint: true })),
      }
      await handle.writeFile(JSON.stringify(mine))
    } finally {
      await handle.close()
    }
    return await link(draft, path).then(() => id, unless('EEXIST', undefined))
  } finally {
    await rm(draft, { force: true }).catch(() => undefined)
  }
}

/** Undefined if there is no claim, if it was released, and if the file is a copy. */
async function readClaim(path: string): Promise<Claim | undefined> {
  const handle = await open(path, 'r').catch(unless('ENOENT', undefined))
  if (handle === undefined) return undefined
  try {
    const { success, data } = Claim.safeParse(parseJson(await handle.readFile('utf8')))
    return success && data.file === fileId(await handle.stat({ bigint: true })) ? data : undefined
  } finally {
    await handle.close()
  }
}

/** Removes the claims below the highest, and the drafts of processes that ended before they linked them. */
async function tidy(folder: string, name: string, claims: readonly number[]): Promise<void> {
  const outnumbered = claims.slice(0, -1).map((number) => claimPath(folder, name, number))
  const drafts = (await readdir(folder)).filter((file) => {
    const pid = /^\.([1-9]\d{0,8})\.[0-9a-f-]{36}$/.exec(file)?.[1]
    return pid !== undefined && !exists(Number(pid))
  })
  const leftovers = [...outnumbered, ...drafts.map((file) => join(folder, file))]
  await Promise.all(leftovers.map((path) => rm(path, { force: true })))
}

async function isRunning({ pid, boot, began }: Claim): Promise<boolean> {
  if (boot !== (await bootId())) return false
  const running = await beganAt(pid)
  // If the system does not say when it started, assume that a process with this id is the same one.
  return running !== undefined && (running === began || running === '' || began === '')
}

/** Empty on systems without one. */
async function bootId(): Promise<string> {
  if (process.platform !== 'linux') return ''
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim()
}

/** When a process started, as the system writes it; empty if it does not say; undefined if there is no such process. */
async function beganAt(pid: number): Promise<string | undefined> {
  if (!exists(pid)) return undefined
  if (process.platform === 'linux') {
    // proc_pid_stat(5): field 3 is the state, and field 22 the clock ticks from boot to the start.
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie has ended; its parent has not collected its exit code yet.
    return fields?.[0] === 'Z' || fields?.[0] === 'X' ? undefined : (fields?.[19] ?? '')
  }
  if (process.platform === 'win32') return ''
  // The same text whatever the terminal's language and time zone.
  const env = { LC_ALL: 'C', TZ: 'UTC' }
  const ps = promisify(execFile)('/bin/ps', ['-o', 'stat=', '-o', 'lstart=', '-p', String(pid)], { env })
  const [state, ...start] = (await ps.catch(() => ({ stdout: '' }))).stdout.trim().split(/\s+/)
  return state?.startsWith('Z') ? undefined : start.join(' ')
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return errnoOf(error) !== 'ESRCH'
  }
}

function fileId({ dev, ino }: { dev: bigint; ino: bigint }): string {
  return `${dev}:${ino}`
}

/** Undefined if the text is not JSON. The error is dropped, because it quotes the text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** For `catch`: a value for the errors with this code. */
export function unless<T>(code: string, instead: T): (error: unknown) => T {
  return (error) => {
    if (errnoOf(error) === code) return instead
    throw error
  }
}

/** The code of a system error, such as `ENOENT`. */
export function errnoOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
