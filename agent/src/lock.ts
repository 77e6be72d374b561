import { randomUUID } from 'node:crypto'
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as z from 'zod'

/**
 * A lock that a crash does not leave behind. Each holder claims the next number, by a hard link, which exactly one can
 * make; a claim whose process is gone, or that was given back, is open to the next. A number is never claimed twice while
 * a higher one stands, because whoever holds looks again after claiming.
 */
export interface Lock extends AsyncDisposable {
  release: () => Promise<void>
}

/** Who holds a lock: a process, told apart from a later one with the same id by when it began. */
const Claim = z.strictObject({ pid: z.int(), beganAt: z.string(), isReleased: z.boolean() })
type Claim = z.infer<typeof Claim>

/** The lock, or the id of the process that holds it. */
export async function tryLock(folder: string, name: string): Promise<Lock | { heldBy: number }> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const mine: Claim = { pid: process.pid, beganAt: (await beganAt(process.pid)) ?? '', isReleased: false }
  for (;;) {
    const last = (await claimsOf(folder, name)).at(-1) ?? 0
    const holder = last === 0 ? undefined : await holderOf(folder, name, last)
    if (holder !== undefined) return { heldBy: holder.pid }
    const number = last + 1
    if (!(await claim(folder, name, number, mine))) continue
    const claims = await claimsOf(folder, name)
    if (claims.at(-1) !== number) {
      // Somebody came and went in between, and the number that was free is below a newer one.
      await rm(claimPath(folder, name, number), { force: true })
      continue
    }
    await Promise.all(claims.slice(0, -1).map((old) => rm(claimPath(folder, name, old), { force: true })))
    const release = () => replace(folder, name, number, { ...mine, isReleased: true })
    return { release, [Symbol.asyncDispose]: release }
  }
}

/** The process that holds a lock now. */
export async function lockHolder(folder: string, name: string): Promise<number | undefined> {
  const last = (await claimsOf(folder, name)).at(-1)
  return last === undefined ? undefined : (await holderOf(folder, name, last))?.pid
}

function claimPath(folder: string, name: string, number: number): string {
  return join(folder, `${name}.${number}`)
}

/** The numbers claimed, the last one last. */
async function claimsOf(folder: string, name: string): Promise<number[]> {
  const files = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
  return files
    .flatMap((file) => {
      const number = file.startsWith(`${name}.`) ? Number(file.slice(name.length + 1)) : Number.NaN
      return Number.isInteger(number) ? [number] : []
    })
    .sort((a, b) => a - b)
}

/** Whoever holds a claim, unless it was given back or its process is gone. */
async function holderOf(folder: string, name: string, number: number): Promise<Claim | undefined> {
  const text = await readFile(claimPath(folder, name, number), 'utf8').catch(() => undefined)
  const claim = Claim.safeParse(jsonOf(text))
  if (!claim.success || claim.data.isReleased) return undefined
  const began = await beganAt(claim.data.pid)
  return began === claim.data.beganAt ? claim.data : undefined
}

/** False where another was first. A claim appears whole, because its file is written before it gets its name. */
async function claim(folder: string, name: string, number: number, mine: Claim): Promise<boolean> {
  const draft = join(folder, `.${randomUUID()}`)
  try {
    await writeFile(draft, JSON.stringify(mine), { mode: 0o600, flag: 'wx' })
    await link(draft, claimPath(folder, name, number))
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

async function replace(folder: string, name: string, number: number, claim: Claim): Promise<void> {
  const draft = join(folder, `.${randomUUID()}`)
  try {
    await writeFile(draft, JSON.stringify(claim), { mode: 0o600, flag: 'wx' })
    await rename(draft, claimPath(folder, name, number))
  } catch {
    // A disk that takes no more: the claim lapses with the process.
    await rm(draft, { force: true })
  }
}

/** When a process began, as its system tells it; undefined where there is none with that id. */
async function beganAt(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    // Field 22 of proc_pid_stat(5), in clock ticks since the boot that boot_id names.
    const [stat, boot] = await Promise.all(
      [`/proc/${pid}/stat`, '/proc/sys/kernel/random/boot_id'].map((path) =>
        readFile(path, 'utf8').catch(() => undefined),
      ),
    )
    if (stat === undefined) return undefined
    return `${boot?.trim()} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
  }
  const listed = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)]).catch(() => undefined)
  return listed?.stdout.trim() === '' ? undefined : listed?.stdout.trim()
}

function jsonOf(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
