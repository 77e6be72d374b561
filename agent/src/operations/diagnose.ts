import {
  Channel,
  dayMs,
  DirectoryError,
  endpoints,
  Health,
  isOnline,
  rooms,
  type Config,
  type Listing,
} from '@koko/contract'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError, userErrorOf } from '../errors.ts'
import type { Context } from '../context.ts'
import { codeOf, directoryOf } from '../directory/session.ts'
import {
  agentFile,
  daemonFile,
  handlesFile,
  homeFiles,
  peersFile,
  profileFile,
  publishedFile,
  type Agent,
  type Daemon,
  type Handles,
  type Profile,
  type Published,
} from '../home/files.ts'
import type { HomeFile } from '../home/home.ts'
import { networkOf } from '../directory/network.ts'
import { configAt } from '../directory/origin.ts'
import { isoTime } from '../output.ts'
import { planPublish } from './publish.ts'
import { readStored, unlinkedIn, type Stored } from './listing.ts'

/** The result of one check. Holds no handle and no secret. */
export type Check = { name: string } & ({ ok: true; detail: string } | { ok: false; problem: string; fix: string })

/** What can be read of a home. */
interface Kept {
  agent: Agent | undefined
  profile: Profile | undefined
  handles: Handles | undefined
  published: Published | undefined
  daemon: Daemon | undefined
  daemonPid: number | undefined
}

const good = (name: string, detail: string): Check => ({ name, ok: true, detail })
const bad = (name: string, problem: string, fix: string): Check => ({ name, ok: false, problem, fix })

/** Runs every check. One that fails does not stop the others. */
export async function diagnose(context: Context, nodeVersion: string): Promise<Check[]> {
  const { home } = context
  const folder = await checkFolder(home.path)
  const checks = [good('node', nodeVersion), folder.check]
  if (!folder.check.ok) return checks
  // Writing closes a folder that others could read, so the owner is checked after it.
  const writable = await checkWritable(context)
  const { files, ...read } = await checkFiles(context)
  checks.push(await checkOwner(folder.paths, home.path), writable, ...files)
  const kept: Kept = { ...read, daemonPid: await home.lockedBy('daemon').catch(() => undefined) }
  checks.push(checkDaemon(kept))
  const stored = kept.agent === undefined ? undefined : await checkDirectory(context, kept.agent, kept, checks)
  checks.push(...checkHandles(kept, stored))
  return checks
}

const noAgent = (path: string) => `No agent lives in ${path} yet.`
const firstSteps = '`koko init`, or `koko restore` with a recovery key.'

async function checkFolder(path: string): Promise<{ check: Check; paths: string[] }> {
  const refused = (problem: string, fix: string) => ({ check: bad('home', problem, fix), paths: [] })
  let folder: Awaited<ReturnType<typeof stat>>
  try {
    folder = await stat(path)
  } catch (error) {
    const isThere = typeof error !== 'object' || error === null || !('code' in error) || error.code !== 'ENOENT'
    return isThere
      ? refused(`${path} cannot be read.`, 'Give it back to your user, or set KOKO_HOME to another folder.')
      : refused(noAgent(path), firstSteps)
  }
  if (!folder.isDirectory()) return refused(`${path} is no folder.`, 'Set KOKO_HOME to a folder.')
  const names = await readdir(path).catch(() => undefined)
  if (names === undefined) return refused(`${path} cannot be read.`, `\`sudo chown -R "$(id -un)" ${quoted(path)}\``)
  const own = names.filter((name) => homeFiles.some((file) => file.name === name)).map((name) => join(path, name))
  return { check: good('home', path), paths: [path, ...own] }
}

/** POSIX permissions. Windows protects a user's folder by itself. */
async function checkOwner(paths: readonly string[], path: string): Promise<Check> {
  if (process.platform === 'win32') return good('owner', 'as Windows keeps it')
  const stats = await Promise.all(paths.map((each) => stat(each)))
  if (stats.some(({ uid }) => uid !== process.getuid?.())) {
    return bad('owner', `${path} belongs to another user.`, `\`sudo chown -R "$(id -un)" ${quoted(path)}\``)
  }
  if (stats.some(({ mode }) => (mode & 0o077) !== 0)) {
    return bad('owner', `Others on this machine can read ${path}.`, `\`chmod -R go-rwx ${quoted(path)}\``)
  }
  return good('owner', 'open to your user only')
}

async function checkWritable({ home }: Context): Promise<Check> {
  try {
    await home.assertWritable()
    return good('disk', 'can be written')
  } catch (error) {
    if (error instanceof UserError) return failed('disk', error)
    return bad('disk', `${home.path} cannot be written.`, 'Look at its disk, or set KOKO_HOME to another folder.')
  }
}

/** What writes a file again once the damaged one is removed. */
const rewrites: Record<string, string> = {
  [agentFile.name]: '`koko restore` with the agent id and the recovery key',
  [profileFile.name]: '`koko profile edit`',
  [handlesFile.name]: '`koko link <channel> <handle>` for each',
  [publishedFile.name]: '`koko publish`',
}

async function checkFiles(context: Context) {
  const files: Check[] = []
  async function read<T extends object>(file: HomeFile<T>): Promise<T | undefined> {
    const { check, value } = await checkFile(context, file)
    files.push(check)
    return value
  }
  const agent = await read(agentFile)
  const profile = await read(profileFile)
  const handles = await read(handlesFile)
  const published = await read(publishedFile)
  await read(peersFile)
  const daemon = await read(daemonFile)
  return { files, agent, profile, handles, published, daemon }
}

async function checkFile<T extends object>(
  { home }: Context,
  file: HomeFile<T>,
): Promise<{ check: Check; value: T | undefined }> {
  const { name } = file
  try {
    const value = await home.read(file)
    if (value !== undefined) return { check: good(name, 'is whole'), value }
    const isNeeded = name === agentFile.name
    const check = isNeeded ? bad(name, noAgent(home.path), firstSteps) : good(name, 'is not there yet')
    return { check, value }
  } catch (error) {
    const path = join(home.path, name)
    const then = rewrites[name]
    const fix = `\`rm -r ${quoted(path)}\`${then === undefined ? '. It holds nothing important.' : `, then ${then}.`}`
    const check =
      error instanceof UserError
        ? bad(name, error.message, error.hint.includes('koko doctor') ? fix : error.hint)
        : bad(name, `${path} cannot be read.`, fix)
    return { check, value: undefined }
  }
}

function checkDaemon({ agent, daemon, daemonPid }: Kept): Check {
  const failure = daemon?.agentId === agent?.agentId ? daemon?.failures[0] : undefined
  if (daemonPid !== undefined && failure !== undefined) {
    return bad('daemon', `Its ${failure.action} does not succeed: ${failure.message}`, failure.next)
  }
  return good('daemon', daemonPid === undefined ? 'does not run' : `runs as process ${daemonPid}`)
}

/** The checks that need the network. Returns what the directory stores, where it answers. */
async function checkDirectory(
  context: Context,
  agent: Agent,
  kept: Kept,
  checks: Check[],
): Promise<Stored | undefined> {
  let config: Config
  try {
    config = await configAt(context, agent.origin)
  } catch (error) {
    if (context.signal.aborted) throw error
    checks.push(failed('directory', error))
    return undefined
  }
  checks.push(good('directory', agent.isEmulated ? `${agent.origin}, under emulators` : agent.origin))
  if (config.projectId !== agent.projectId) {
    checks.push(
      bad(
        'project',
        `${agent.origin} is another directory now (${config.projectId}, not ${agent.projectId}).`,
        'Ask its host. For an agent there set KOKO_HOME to another folder and run `koko init`.',
      ),
    )
    return undefined
  }
  checks.push(good('project', config.projectId), checkTerms(agent, config))
  const health = await readHealth(context, agent.origin)
  checks.push(...(health.skewMs === null ? [] : [checkClock(health.skewMs)]), checkHealth(health.health))

  const directory = directoryOf(context, agent)
  try {
    await directory.signIn()
    checks.push(good('secret', 'is accepted'))
    const stored = await readStored(directory)
    const nowMs = context.nowMs() + (health.skewMs ?? 0)
    checks.push(checkListing(kept, stored, nowMs))
    return stored
  } catch (error) {
    if (context.signal.aborted) throw error
    checks.push(failed(codeOf(error) === 'unauthenticated' ? 'secret' : 'listing', error))
    return undefined
  }
}

function checkTerms({ origin, termsVersion }: Agent, config: Config): Check {
  if (termsVersion === null || termsVersion === config.termsVersion) return good('terms', config.termsVersion)
  return bad(
    'terms',
    `The terms or the disclaimer changed since you consented: ${termsVersion} is ${config.termsVersion} now.`,
    `Read ${origin}/terms and ${origin}/disclaimer. \`koko init\` asks for your consent again; \`koko unregister\` leaves.`,
  )
}

interface HealthSeen {
  /** Null without a valid answer. */
  health: Health | null
  /** How far the directory's clock is ahead of this machine's; null where it is unknown. */
  skewMs: number | null
}

async function readHealth(context: Context, origin: string): Promise<HealthSeen> {
  const sentAtMs = context.nowMs()
  try {
    const url = `${origin}${endpoints.health.path}`
    const response = await networkOf(context, { origin })(url, { method: endpoints.health.method })
    const body: unknown = await response.json().catch(() => null)
    const dateMs = Date.parse(response.headers.get('date') ?? '')
    return {
      health: Health.safeParse(body).data ?? null,
      // The header counts whole seconds (RFC 9110, section 6.6.1).
      skewMs: Number.isNaN(dateMs) ? null : dateMs + 500 - (sentAtMs + context.nowMs()) / 2,
    }
  } catch (error) {
    if (context.signal.aborted) throw error
    return { health: null, skewMs: null }
  }
}

const maxSkewMs = 120_000

export function checkClock(skewMs: number): Check {
  if (Math.abs(skewMs) <= maxSkewMs) return good('clock', 'agrees with the directory')
  const minutes = Math.round(Math.abs(skewMs) / 60_000)
  return bad(
    'clock',
    `This machine's clock is ${minutes} minutes ${skewMs > 0 ? 'behind' : 'ahead of'} the directory's.`,
    "Set it by the network: `sudo timedatectl set-ntp true` on Linux, or the system's date settings.",
  )
}

function checkHealth(health: Health | null): Check {
  if (health !== null && !health.late) return good('discovery', 'is up to date')
  const fix = 'You cannot fix this here: the host checks with `npm run schedule -- status`.'
  if (health === null) return bad('discovery', 'The directory does not say whether discovery is up to date.', fix)
  const { lastRepublishAtMs } = health
  const since = lastRepublishAtMs === null ? 'never yet' : `last at ${isoTime(lastRepublishAtMs)}`
  return bad('discovery', `The directory updates discovery too late: ${since}.`, fix)
}

/** Compares what is listed with what this home would publish, and with what it remembers as published. */
function checkListing(
  { profile, handles, published, daemonPid }: Omit<Kept, 'agent' | 'daemon'>,
  stored: Stored,
  nowMs: number,
): Check {
  const name = 'listing'
  const { listing } = stored
  if (listing === undefined) {
    return bad(
      name,
      'What is listed cannot be read by this version of koko.',
      'Install the newest koko, or `koko publish`.',
    )
  }
  if (profile === undefined) {
    if (listing === null) return good(name, 'nothing is listed, and there is no profile yet: `koko profile edit`')
    return bad(
      name,
      'A listing exists, but its profile is not here.',
      '`koko restore` fetches it, or `koko profile edit`.',
    )
  }
  const plan = planPublish(
    { profile: profile.profile, handles: handles ?? {} },
    { listing, unlinked: unlinkedIn(stored) },
    {},
  )
  if (!plan.isUnchanged) {
    if (listing === null) return bad(name, 'Nothing is listed, although you agreed to publish.', '`koko publish`')
    const fields = plan.changes.map(({ at }) => at).join(', ')
    return bad(name, `What is listed differs from what is kept here: ${fields}.`, '`koko publish`')
  }
  if (!isSameListing(published?.listing ?? null, listing)) {
    return bad(name, 'What this home remembers as listed is out of date.', '`koko publish`')
  }
  if (listing === null) return good(name, 'nothing is listed, as it should be')
  if (!isOnline(listing, nowMs)) return bad(name, 'It is offline: nobody finds it.', '`koko run`')
  const onlineUntilMs = listing.presence.lastSeenAtMs + rooms[listing.category].onlineWindowMs
  const until = isoTime(onlineUntilMs)
  if (daemonPid === undefined && onlineUntilMs - nowMs < dayMs) {
    return bad(name, `It goes offline at ${until}, and no daemon keeps it online.`, '`koko run`')
  }
  return good(name, `is as it is kept here, and online until ${until}`)
}

function isSameListing(one: Listing | null, other: Listing | null): boolean {
  const shown = (listing: Listing | null) =>
    listing === null
      ? null
      : [Channel.options.map((channel) => listing.channels[channel]), Object.entries(listing.profile).sort()]
  return JSON.stringify(shown(one)) === JSON.stringify(shown(other))
}

function checkHandles({ handles, profile, published }: Kept, stored: Stored | undefined): Check[] {
  if (handles === undefined) return []
  const unlinked = stored === undefined ? (published?.withheld ?? []) : unlinkedIn(stored)
  const isUnlinked = (channel: Channel) => unlinked.some((each) => each.channel === channel)
  return Channel.options.flatMap((channel): Check[] => {
    const handle = handles[channel]
    if (handle === undefined) return []
    if (isUnlinked(channel)) {
      return [good(channel, 'is unlinked, and withheld until you allow it again: `koko settings`')]
    }
    if (handle.agreedAtMs !== null) return [good(channel, 'is agreed to')]
    const first = profile === undefined ? '`koko profile edit`, then ' : ''
    return [bad(channel, 'Its handle waits for your agreement, and is not published.', `${first}\`koko publish\``)]
  })
}

/** A failure as a check. Throws a defect on. */
function failed(name: string, error: unknown): Check {
  const expected = userErrorOf(error)
  if (expected !== null) {
    // Advising to run `koko doctor` is no help in its own report.
    const isCircular = !(error instanceof UserError) && expected.hint.includes('koko doctor')
    return bad(name, expected.message, isCircular ? 'Try again later; if it stays, ask its host.' : expected.hint)
  }
  if (!(error instanceof DirectoryError)) throw error
  return bad(
    name,
    'The directory gave an answer that koko does not understand.',
    'Install the newest koko, or ask its host.',
  )
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`
}
