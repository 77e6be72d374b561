import {
  Channel,
  dayMs,
  DirectoryError,
  endpoints,
  Health,
  isOnline,
  readAnswer,
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
  outboxFile,
  peersFile,
  profileFile,
  publishedFile,
  type Agent,
} from '../home/files.ts'
import type { HomeFile } from '../home/home.ts'
import { networkOf } from '../directory/network.ts'
import { pendingWords, readPending, unlinkAgain, type PendingState } from '../directory/outbox.ts'
import { configAt } from '../directory/origin.ts'
import { isoTime } from '../output.ts'
import { planPublish } from './publish.ts'
import { readStored, unlinkedIn, type Stored } from './listing.ts'

/** The result of one check. Holds no handle and no secret. */
export type Check = { name: string } & ({ ok: true; detail: string } | { ok: false; problem: string; fix: string })

/** What can be read of a home. */
type Kept = Omit<Awaited<ReturnType<typeof checkFiles>>, 'files'> & { daemonPid: number | undefined }

const good = (name: string, detail: string): Check => ({ name, ok: true, detail })
const bad = (name: string, problem: string, fix: string): Check => ({ name, ok: false, problem, fix })

/** Runs every check, also after one fails. */
export async function diagnose(context: Context, nodeVersion: string): Promise<Check[]> {
  const { home } = context
  const folder = await checkFolder(home.path)
  const checks = [good('node', nodeVersion), folder.check]
  if (!folder.check.ok) return checks
  // The write makes a folder private that others could read, so the owner is checked after it.
  const writable = await checkWritable(context)
  const { files, ...read } = await checkFiles(context)
  checks.push(await checkOwner(folder.paths, home.path), writable, ...files)
  const kept: Kept = { ...read, daemonPid: await home.lockedBy('daemon').catch(() => undefined) }
  checks.push(checkDaemon(kept))
  const stored = kept.agent === undefined ? undefined : await checkDirectory(context, kept.agent, kept, checks)
  // Signing in has sent what waited.
  const pending =
    kept.agent === undefined ? new Map<Channel, PendingState>() : await readPending(context, kept.agent.agentId)
  checks.push(...checkHandles(kept, stored, pending))
  return checks
}

const noAgent = (path: string) => `There is no agent in ${path} yet.`
const firstSteps = '`koko init`, or `koko restore` with an agent id and its secret.'

async function checkFolder(path: string): Promise<{ check: Check; paths: string[] }> {
  const refused = (problem: string, fix: string) => ({ check: bad('home', problem, fix), paths: [] })
  let folder: Awaited<ReturnType<typeof stat>>
  try {
    folder = await stat(path)
  } catch (error) {
    const isMissing = typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT'
    return isMissing
      ? refused(noAgent(path), firstSteps)
      : refused(`${path} cannot be read.`, 'Make your user its owner, or set KOKO_HOME to another folder.')
  }
  if (!folder.isDirectory()) return refused(`${path} is not a folder.`, 'Set KOKO_HOME to a folder.')
  const names = await readdir(path).catch(() => undefined)
  if (names === undefined) return refused(`${path} cannot be read.`, `\`sudo chown -R "$(id -un)" ${quoted(path)}\``)
  const own = names.filter((name) => homeFiles.some((file) => file.name === name)).map((name) => join(path, name))
  return { check: good('home', path), paths: [path, ...own] }
}

/** Checks POSIX permissions; on Windows, other users cannot read a user's folder. */
async function checkOwner(paths: readonly string[], path: string): Promise<Check> {
  if (process.platform === 'win32') return good('owner', 'not checked on Windows')
  const stats = await Promise.all(paths.map((each) => stat(each)))
  if (stats.some(({ uid }) => uid !== process.getuid?.())) {
    return bad('owner', `${path} belongs to another user.`, `\`sudo chown -R "$(id -un)" ${quoted(path)}\``)
  }
  if (stats.some(({ mode }) => (mode & 0o077) !== 0)) {
    return bad('owner', `Other users of this machine can read ${path}.`, `\`chmod -R go-rwx ${quoted(path)}\``)
  }
  return good('owner', 'readable by your user only')
}

async function checkWritable({ home }: Context): Promise<Check> {
  try {
    await home.assertWritable()
    return good('disk', 'can be written')
  } catch (error) {
    if (error instanceof UserError) return failed('disk', error)
    return bad('disk', `${home.path} cannot be written.`, 'Check its disk, or set KOKO_HOME to another folder.')
  }
}

/** How to write a file again after a damaged one is moved. */
const rewrites: Record<string, string> = {
  [profileFile.name]: '`koko profile edit`',
  [handlesFile.name]: '`koko link <channel>` for each',
  [publishedFile.name]: '`koko publish`',
  [outboxFile.name]: unlinkAgain,
  [peersFile.name]: '`koko peers hide <peer>` for each peer that you had hidden',
}

/** A damaged file is never deleted: it may hold what cannot be written again. */
function fixFor(path: string, name: string): string {
  if (name === agentFile.name) {
    return 'Run `koko restore` with the agent id and the secret: it writes the file again, and keeps the damaged one. If you have no copy of the secret, do not delete the file: it may contain the only copy, after the word "secret".'
  }
  const move = `\`mv ${quoted(path)} ${quoted(`${path}.damaged`)}\``
  const rewrite = rewrites[name]
  return rewrite === undefined ? `${move}. It contains nothing important.` : `${move}, then ${rewrite}.`
}

async function checkFiles({ home }: Context) {
  const files: Check[] = []
  async function read<T extends object>(file: HomeFile<T>): Promise<T | undefined> {
    const { name } = file
    try {
      const value = await home.read(file)
      if (value !== undefined) files.push(good(name, 'is not damaged'))
      else
        files.push(
          name === agentFile.name ? bad(name, noAgent(home.path), firstSteps) : good(name, 'does not exist yet'),
        )
      return value
    } catch (error) {
      const path = join(home.path, name)
      const fix = fixFor(path, name)
      const [problem, hint] =
        error instanceof UserError ? [error.message, error.hint] : [`${path} cannot be read.`, 'koko doctor']
      files.push(bad(name, problem, hint.includes('koko doctor') ? fix : hint))
      return undefined
    }
  }
  const agent = await read(agentFile)
  const kept = await read(profileFile)
  const profile = agent === undefined || kept?.room === agent.room ? kept : undefined
  const handles = await read(handlesFile)
  const published = await read(publishedFile)
  await read(outboxFile)
  await read(peersFile)
  return { files, agent, profile, handles, published, daemon: await read(daemonFile) }
}

function checkDaemon({ agent, daemon, daemonPid }: Kept): Check {
  const failure = daemon?.agentId === agent?.agentId ? daemon?.failures[0] : undefined
  if (daemonPid !== undefined && failure !== undefined) {
    return bad('daemon', `Its ${failure.action} fails: ${failure.message}`, failure.next)
  }
  return good('daemon', daemonPid === undefined ? 'not running' : `running as process ${daemonPid}`)
}

/** The checks that need the network. Returns what the directory stores, if it answers. */
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
    const problem = `${agent.origin} now belongs to another directory (${config.projectId}, not ${agent.projectId}).`
    const fix =
      'Ask the host of the directory. For an agent in the new one, set KOKO_HOME to another folder and run `koko init`.'
    checks.push(bad('project', problem, fix))
    return undefined
  }
  checks.push(good('project', config.projectId), checkTerms(agent, config))
  const { health, skewMs } = await readHealth(context, agent.origin)
  checks.push(...(skewMs === null ? [] : [checkClock(skewMs)]), checkHealth(health))

  const directory = directoryOf(context, agent)
  try {
    await directory.signIn()
    checks.push(good('secret', 'is accepted'))
    const stored = await readStored(directory)
    const pending = [...(await readPending(context, agent.agentId)).keys()]
    checks.push(checkListing(kept, stored, pending, context.nowMs() + (skewMs ?? 0)))
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
    `The terms or the disclaimer changed since you consented, from ${termsVersion} to ${config.termsVersion}.`,
    `Read ${origin}/terms and ${origin}/disclaimer. To consent again, run \`koko init\`. To leave, run \`koko unregister\`.`,
  )
}

/** The directory's health, and how far its clock is ahead of this machine's; each null if it is unknown. */
async function readHealth(context: Context, origin: string): Promise<{ health: Health | null; skewMs: number | null }> {
  const sentAtMs = context.nowMs()
  try {
    const url = `${origin}${endpoints.health.path}`
    const response = await networkOf(context, { origin })(url, { method: endpoints.health.method })
    const body: unknown = await response.json().catch(() => null)
    const dateMs = Date.parse(response.headers.get('date') ?? '')
    return {
      health: readAnswer(Health, body).data ?? null,
      // The header counts whole seconds (RFC 9110, section 6.6.1).
      skewMs: Number.isNaN(dateMs) ? null : dateMs + 500 - (sentAtMs + context.nowMs()) / 2,
    }
  } catch (error) {
    if (context.signal.aborted) throw error
    return { health: null, skewMs: null }
  }
}

export function checkClock(skewMs: number): Check {
  if (Math.abs(skewMs) <= 120_000) return good('clock', 'agrees with the directory')
  const distance = `${Math.round(Math.abs(skewMs) / 60_000)} minutes ${skewMs > 0 ? 'behind' : 'ahead of'}`
  const fix =
    "Synchronise it with the network: `sudo timedatectl set-ntp true` on Linux, or the system's date settings."
  return bad('clock', `This machine's clock is ${distance} the directory's.`, fix)
}

function checkHealth(health: Health | null): Check {
  if (health !== null && !health.late) return good('discovery', 'is up to date')
  const fix = 'You cannot fix this here: the host checks with `npm run schedule -- status`.'
  if (health === null) return bad('discovery', 'The directory does not say whether discovery is up to date.', fix)
  const { lastRepublishAtMs } = health
  const since = lastRepublishAtMs === null ? 'it never did' : `the last time was ${isoTime(lastRepublishAtMs)}`
  return bad('discovery', `The directory is late in updating discovery: ${since}.`, fix)
}

/** Compares what is listed with what this home would publish, and with what it remembers as published. */
function checkListing(
  { profile, handles, published, daemonPid }: Omit<Kept, 'agent' | 'daemon'>,
  stored: Stored,
  pending: readonly Channel[],
  nowMs: number,
): Check {
  const fine = (detail: string) => good('listing', detail)
  const wrong = (problem: string, fix = '`koko publish`') => bad('listing', problem, fix)
  const { listing } = stored
  if (listing === undefined) {
    return wrong(
      'This version of koko cannot read your listing.',
      'Update koko, or replace the listing with `koko publish`.',
    )
  }
  if (profile === undefined) {
    if (listing === null) return fine('nothing is listed, and there is no profile yet: run `koko profile edit`')
    return wrong(
      'You have a listing, but its profile is not saved here.',
      'Fetch it with `koko restore`, or write it with `koko profile edit`.',
    )
  }
  const kept = { profile: profile.profile, handles: handles ?? {} }
  // A listed handle without an agreement is named by the check of its channel, and is no reason to publish.
  const plan = planPublish(kept, { listing, unlinked: unlinkedIn(stored), pending }, listing?.channels ?? {})
  const others = plan.changes.filter(({ at }) => !pending.some((channel) => at === `channels.${channel}`))
  if (others.length > 0) {
    if (listing === null) return wrong('Nothing is listed, although you agreed to publish.')
    return wrong(`Your listing differs from what is saved here: ${others.map(({ at }) => at).join(', ')}.`)
  }
  if (pending.length === 0 && !isSameListing(published?.listing ?? null, listing)) {
    return wrong('The copy of your listing that is saved here is out of date.')
  }
  if (listing === null) return fine('nothing is listed, as expected')
  if (!isOnline(listing, nowMs)) return wrong('The agent is offline, so peers cannot find it.', '`koko run`')
  const onlineUntilMs = listing.presence.lastSeenAtMs + rooms[listing.category].onlineWindowMs
  const until = isoTime(onlineUntilMs)
  if (daemonPid === undefined && onlineUntilMs - nowMs < dayMs) {
    return wrong(`The agent goes offline at ${until}, because no daemon is running.`, '`koko run`')
  }
  return fine(`is up to date, and online until ${until}`)
}

function isSameListing(one: Listing | null, other: Listing | null): boolean {
  const shown = (listing: Listing | null) =>
    listing === null
      ? null
      : [Channel.options.map((channel) => listing.channels[channel]), Object.entries(listing.profile).sort()]
  return JSON.stringify(shown(one)) === JSON.stringify(shown(other))
}

function checkHandles(
  { handles = {}, profile, published }: Kept,
  stored: Stored | undefined,
  pending: ReadonlyMap<Channel, PendingState>,
): Check[] {
  const unlinked = stored === undefined ? (published?.withheld ?? []) : unlinkedIn(stored)
  const listed = stored === undefined ? published?.listing : stored.listing
  return Channel.options.flatMap((channel): Check[] => {
    const state = pending.get(channel)
    if (state !== undefined) {
      const { is, next } = pendingWords[state]
      return [bad(channel, `It ${is}`, next)]
    }
    const handle = handles[channel]
    if (handle === undefined) return []
    if (unlinked.some((each) => each.channel === channel)) {
      return [good(channel, 'is unlinked. To allow it again, open the settings page with `koko settings`')]
    }
    if (handle.agreedAtMs !== null) return [good(channel, 'is agreed to')]
    // Such as after its unlink was lost with a damaged outbox.
    if (listed?.channels[channel] === handle.handle) {
      const fix = `\`koko unlink ${channel}\``
      return [bad(channel, 'It is listed, and you do not agree to that now.', fix)]
    }
    const first = profile === undefined ? '`koko profile edit`, then ' : ''
    return [bad(channel, 'Its handle waits for your yes, so it is not published.', `${first}\`koko publish\``)]
  })
}

/** A failure as a check; rethrows a defect. */
function failed(name: string, error: unknown): Check {
  const expected = userErrorOf(error)
  if (expected !== null) {
    // The report of `koko doctor` must not advise to run it.
    const isCircular = !(error instanceof UserError) && expected.hint.includes('koko doctor')
    return bad(
      name,
      expected.message,
      isCircular ? 'Try again later. If it fails again, ask the host of the directory.' : expected.hint,
    )
  }
  if (!(error instanceof DirectoryError)) throw error
  const problem = 'koko does not understand the answer of the directory.'
  return bad(name, problem, 'Update koko, or ask the host of the directory.')
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`
}
