import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, open, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A disk that takes nothing more. */
export interface BadDisk extends AsyncDisposable {
  /** A folder on it; made only if `prepare` made it. */
  path: string
  /** The command that runs another one so that it finds the disk as it is. */
  command: (command: readonly [string, ...string[]]) => [string, ...string[]]
  /** Makes it take what is written again. */
  mend: () => Promise<void>
}

type Prepare = (path: string) => Promise<void>
type Release = () => Promise<void>

/** The error codes that tell of a read-only disk: the second where nothing can be mounted. */
export const readOnlyCodes = ['EROFS', 'EACCES']

/** A disk that was made read-only once `prepare` had written to it. */
export async function readOnlyDisk(prepare: Prepare = () => Promise.resolve()): Promise<BadDisk> {
  const mounted = await mountDisk('16m')
  if (mounted === undefined) return closedFolder(prepare)
  try {
    await prepare(mounted.path)
    await mounted.remount('ro')
  } catch (error) {
    await mounted.unmount()
    throw error
  }
  return {
    path: mounted.path,
    command: ([...command]) => command,
    mend: () => mounted.remount('rw'),
    [Symbol.asyncDispose]: mounted.unmount,
  }
}

/** A disk that was filled to the last byte once `prepare` had written to it. */
export async function fullDisk(prepare: Prepare = () => Promise.resolve()): Promise<BadDisk> {
  const disk = (await mountDisk('16m')) ?? (await smallDisk())
  const ballast = join(disk.path, '..', `ballast-${process.pid}`)
  const release = async () => {
    await rm(ballast, { force: true })
    await disk.unmount()
  }
  try {
    await prepare(disk.path)
    await fill(ballast)
  } catch (error) {
    await release()
    throw error
  }
  return {
    path: disk.path,
    command: ([...command]) => command,
    mend: () => rm(ballast),
    [Symbol.asyncDispose]: release,
  }
}

/**
 * Mounts a disk of its own in the memory, visible to a process of its own, with which it goes away; others reach it
 * through that process. Undefined where nothing may be mounted, as in most containers.
 */
async function mountDisk(
  size: string,
): Promise<{ path: string; remount: (mode: 'ro' | 'rw') => Promise<void>; unmount: Release } | undefined> {
  if (process.platform !== 'linux') return undefined
  const folder = await mkdtemp(join(tmpdir(), 'koko-disk-'))
  const script = `
    mount -t tmpfs -o size=${size},mode=700 koko "$0" && cd "$0" && echo mounted || exit
    while read -r mode; do mount -o "remount,$mode" "$0" && echo "$mode" || exit; done`
  for (const unshare of [['--mount'], ['--user', '--map-root-user', '--mount']]) {
    const process = spawn('unshare', [...unshare, 'sh', '-c', script, folder], { stdio: ['pipe', 'pipe', 'ignore'] })
    const ended = once(process, 'close').catch(() => undefined)
    const answered = async (answer: string) => {
      const [line] = await Promise.race([once(process.stdout, 'data'), ended.then(() => [''])])
      return String(line).trim() === answer
    }
    if (process.pid === undefined || !(await answered('mounted'))) {
      await ended
      continue
    }
    return {
      path: `/proc/${process.pid}/cwd/home`,
      async remount(mode) {
        process.stdin.write(`${mode}\n`)
        if (!(await answered(mode))) throw new Error(`The disk could not be made ${mode}.`)
      },
      async unmount() {
        process.stdin.end()
        await ended
        await rm(folder, { recursive: true })
      },
    }
  }
  await rm(folder, { recursive: true })
  return undefined
}

/** A folder of a small disk that is there anyhow: containers have one at /dev, and one at /dev/shm. */
async function smallDisk(): Promise<{ path: string; unmount: Release }> {
  for (const disk of ['/dev', '/dev/shm', '/run']) {
    const stats = await statfs(disk).catch(() => undefined)
    if (stats === undefined || stats.blocks === 0 || stats.blocks * stats.bsize > 256 * 1024 * 1024) continue
    const folder = await mkdtemp(join(disk, 'koko-disk-')).catch(() => undefined)
    if (folder !== undefined) return { path: join(folder, 'home'), unmount: () => rm(folder, { recursive: true }) }
  }
  throw new Error('Nothing may be mounted here, and no disk is small enough to be filled.')
}

/** A folder that lets nobody write; root only once its capabilities are dropped. */
async function closedFolder(prepare: Prepare): Promise<BadDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'koko-disk-'))
  const path = join(folder, 'home')
  const setMode = async (mode: number) => {
    await chmod(path, mode).catch(() => undefined)
    await chmod(join(path, 'locks'), mode).catch(() => undefined)
    await chmod(folder, mode)
  }
  await prepare(path)
  await setMode(0o500)
  const withoutCapabilities = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : []
  return {
    path,
    command: ([program, ...rest]) => {
      const [first = program, ...more] = [...withoutCapabilities, program, ...rest]
      return [first, ...more]
    },
    mend: () => setMode(0o700),
    async [Symbol.asyncDispose]() {
      await setMode(0o700)
      await rm(folder, { recursive: true })
    },
  }
}

async function fill(path: string): Promise<void> {
  const handle = await open(path, 'wx')
  try {
    for (let bytes = 1 << 20; bytes >= 1;) {
      try {
        await handle.write(Buffer.alloc(bytes))
      } catch (error) {
        if (!(typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOSPC')) throw error
        bytes >>= 1
      }
    }
  } finally {
    await handle.close()
  }
}
