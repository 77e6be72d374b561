import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, open, rm, stat, statfs, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A disk that nothing can be written to. */
export interface BadDisk extends AsyncDisposable {
  /** A folder on it; made only if `prepare` made it. */
  path: string
  /** Wraps a command, so that the disk is unwritable for it too. */
  command: (command: readonly [string, ...string[]]) => [string, ...string[]]
  /** Lets processes write to it again. */
  repair: () => Promise<void>
  /** Undoes `repair`. */
  spoil: () => Promise<void>
}

const unchanged: BadDisk['command'] = ([...command]) => command

/** A disk that became read-only after `prepare`; if nothing can be mounted, a folder that denies access. */
export async function readOnlyDisk(prepare?: (path: string) => Promise<void>): Promise<BadDisk> {
  const mounted = await mountDisk()
  if (mounted === undefined) return spoilt(await closedFolder(), prepare)
  const { path, remount, release } = mounted
  const [repair, spoil] = [() => remount('rw'), () => remount('ro')]
  return spoilt({ path, command: unchanged, repair, spoil, [Symbol.asyncDispose]: release }, prepare)
}

/** A disk that was filled after `prepare`, except for `freeBytes`. */
export async function fullDisk(prepare?: (path: string) => Promise<void>, freeBytes = 0): Promise<BadDisk> {
  const { path, release } = (await mountDisk()) ?? (await smallDisk())
  const ballast = join(path, '..', 'ballast')
  const disk: BadDisk = {
    path,
    command: unchanged,
    repair: () => rm(ballast),
    async spoil() {
      await fill(ballast)
      await truncate(ballast, (await stat(ballast)).size - freeBytes)
    },
    async [Symbol.asyncDispose]() {
      await rm(ballast, { force: true })
      await release()
    },
  }
  return spoilt(disk, prepare)
}

async function spoilt(disk: BadDisk, prepare: (path: string) => Promise<void> = () => Promise.resolve()) {
  try {
    await prepare(disk.path)
    await disk.spoil()
    return disk
  } catch (error) {
    await disk[Symbol.asyncDispose]()
    throw error
  }
}

interface Place {
  path: string
  release: () => Promise<void>
}

/** Mounts a disk in memory, which others reach through the process that mounts it. Undefined in most containers. */
async function mountDisk(): Promise<(Place & { remount: (mode: 'ro' | 'rw') => Promise<void> }) | undefined> {
  if (process.platform !== 'linux') return undefined
  const folder = await mkdtemp(join(tmpdir(), 'koko-disk-'))
  const script = `
    mount -t tmpfs -o size=16m,mode=700 koko "$0" && cd "$0" && echo mounted || exit
    while read -r mode; do mount -o "remount,bind,$mode" "$0" && echo "$mode" || exit; done`
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
      async release() {
        process.stdin.end()
        await ended
        await rm(folder, { recursive: true })
      },
    }
  }
  await rm(folder, { recursive: true })
  return undefined
}

/** A folder on a small disk that exists anyway: containers have one at /dev, and one at /dev/shm. */
async function smallDisk(): Promise<Place> {
  for (const disk of ['/dev', '/dev/shm', '/run']) {
    const stats = await statfs(disk).catch(() => undefined)
    if (stats === undefined || stats.blocks === 0 || stats.blocks * stats.bsize > 256 * 1024 * 1024) continue
    const folder = await mkdtemp(join(disk, 'koko-disk-')).catch(() => undefined)
    if (folder !== undefined) return { path: join(folder, 'home'), release: () => rm(folder, { recursive: true }) }
  }
  throw new Error('Nothing may be mounted here, and no disk is small enough to be filled.')
}

/** A folder without write permission; root ignores that unless it drops its capabilities. */
async function closedFolder(): Promise<BadDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'koko-disk-'))
  const path = join(folder, 'home')
  const setMode = async (mode: number) => {
    for (const each of [folder, path, join(path, 'locks')]) if (existsSync(each)) await chmod(each, mode)
  }
  const withoutCapabilities = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : []
  return {
    path,
    command([program, ...rest]) {
      const [first = program, ...more] = [...withoutCapabilities, program, ...rest]
      return [first, ...more]
    },
    repair: () => setMode(0o700),
    spoil: () => setMode(0o500),
    async [Symbol.asyncDispose]() {
      await setMode(0o700)
      await rm(folder, { recursive: true })
    },
  }
}

async function fill(path: string): Promise<void> {
  const handle = await open(path, 'w')
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
