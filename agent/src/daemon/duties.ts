import { DirectoryError, rooms, utcDay } from '@koko/contract'
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Context } from '../context.ts'
import { pendingUnlinks, pendingWords } from '../directory/outbox.ts'
import { codeOf, directoryOf, openDirectory, type Directory } from '../directory/session.ts'
import { retryAfterSecondsOf, UserError, userErrorOf } from '../errors.ts'
import {
  Action,
  agentFile,
  daemonFile,
  handlesFile,
  outboxFile,
  peersFile,
  profileFile,
  publishedFile,
  type Daemon,
} from '../home/files.ts'
import type { HomeFile } from '../home/home.ts'
import { ignoreUserError } from '../home/read-if-whole.ts'
import { channelNames, inWords } from '../labels.ts'
import { withoutStale } from '../matching/peers.ts'
import { discover } from '../operations/discover.ts'
import { readProfile } from '../operations/profile.ts'
import { daemonTickMs } from '../operations/publish-outlook.ts'
import { knownHere, planPublish, publish } from '../operations/publish.ts'
import type { Problem } from '../problem.ts'
import type { Log } from './log.ts'
import {
  afterDiscovery,
  afterFailure,
  afterHeartbeat,
  afterPublish,
  afterUnlink,
  initialState,
  planRound,
  type Conditions,
  type LocalClock,
  type ScheduleState,
} from './schedule.ts'

/** Everything that the duties remember between rounds. */
interface Duties {
  readonly context: Context
  readonly log: Log
  readonly options: { discoverAtMinutes: number; once: boolean; localTime: LocalClock }
  directory: Directory
  schedule: ScheduleState
  /** What daemon.json should hold. */
  record: Daemon
  /** The record that was written last. */
  saved: Daemon
  counts: { heartbeats: number; publishes: number; discoveries: number }
  /** The UTC day on which stale peers were dropped last. */
  tidiedDayMs: number | null
  /** The last round found no agent in the home. */
  isAgentMissing: boolean
  /** The directory refused the credential, and has accepted it in no action since. */
  isRefused: boolean
}

/** Each changes the schedule, the record and the counts once it has succeeded, and returns its line in the log. */
const actions: Record<Action, (duties: Duties) => Promise<string>> = {
  unlink: sendUnlinks,
  heartbeat: sendHeartbeat,
  publish: publishChanges,
  discovery: discoverPeers,
}

/** The shortest pause, whatever the clock does. */
const minPauseMs = 1_000

/**
 * Keeps this home's agent online, publishes changes that the operator agreed to, and looks for peers each day, until
 * the signal aborts. Throws `UserError` once the agent is gone from the home or the directory no longer accepts it.
 */
export async function runDuties(context: Context, { log, ...options }: Duties['options'] & { log: Log }) {
  const directory = await openDirectory(context)
  const { agentId, origin } = directory.agent
  const kept = await read({ context, log }, daemonFile)
  const record = kept?.agentId === agentId ? kept : emptyRecord(agentId)
  const duties: Duties = {
    context,
    log,
    options,
    directory,
    schedule: initialState(record.discoveredOn),
    record,
    saved: record,
    counts: { heartbeats: 0, publishes: 0, discoveries: 0 },
    tidiedDayMs: null,
    isAgentMissing: false,
    isRefused: false,
  }
  log.line(`Running as process ${process.pid} for agent ${agentId} in ${origin}.`)
  const isDone = () => options.once || context.signal.aborted
  for (;;) {
    const wakeAtMs = await runRound(duties)
    if (isDone()) break
    const pauseMs = Math.min(daemonTickMs, Math.max(minPauseMs, wakeAtMs - context.nowMs()))
    await context.pause(pauseMs).catch((error: unknown) => {
      if (!isDone()) throw error
    })
    if (isDone()) break
  }
  await save(duties)
  return { agentId: duties.record.agentId, ...duties.counts, failures: duties.record.failures }
}

/** Does what is due. Returns when to wake for the next round. */
async function runRound(duties: Duties): Promise<number> {
  const wasRefused = duties.isRefused
  if (await followAgent(duties)) {
    for (const action of Action.options) {
      // Each action can make the next one possible.
      if (!(await plan(duties)).due.includes(action)) continue
      await attempt(duties, action, wasRefused)
      await save(duties)
      if (duties.context.signal.aborted) break
    }
    await dropStalePeers(duties)
    await save(duties)
  }
  return (await plan(duties)).wakeAtMs
}

/** A discovery drops them too, but a directory that does not answer must not keep their handles here. */
async function dropStalePeers(duties: Duties): Promise<void> {
  const { home, nowMs } = duties.context
  const today = utcDay(nowMs())
  if (duties.tidiedDayMs === today) return
  duties.tidiedDayMs = today
  const peers = await read(duties, peersFile)
  if (peers === undefined || withoutStale(peers, nowMs()) === null) return
  const drop = home.change(async (files) => {
    const current = await files.read(peersFile)
    const rest = current === undefined ? null : withoutStale(current, nowMs())
    if (rest !== null) await files.write(peersFile, rest)
  })
  await drop.catch(ignoreUserError)
}

async function plan(duties: Duties) {
  const conditions = await readConditions(duties)
  const { localTime, discoverAtMinutes } = duties.options
  const nowMs = duties.context.nowMs()
  const round = planRound(duties.schedule, conditions, nowMs, localTime(nowMs), discoverAtMinutes)
  duties.schedule = round.state
  return round
}

/** Switches to the credential that `koko restore` or `koko rotate` wrote. False while the home holds no agent. */
async function followAgent(duties: Duties): Promise<boolean> {
  const { context, log, options, directory } = duties
  // With a damaged file, the session continues.
  const agent = await read(duties, agentFile, directory.agent)
  if (agent === undefined) {
    // `koko init --again` removes the agent for a moment.
    if (duties.isAgentMissing || options.once) {
      throw new UserError(
        `There is no longer an agent in ${context.home.path}.`,
        'Run `koko init` or `koko restore`, then `koko run`.',
      )
    }
    duties.isAgentMissing = true
    return false
  }
  duties.isAgentMissing = false
  if (isDeepStrictEqual(agent, directory.agent)) return true
  duties.directory = directoryOf(context, agent)
  // A rotation has begun, and `secret` is still valid.
  if (isDeepStrictEqual({ ...agent, pendingSecret: undefined }, { ...directory.agent, pendingSecret: undefined })) {
    return true
  }
  duties.isRefused = false
  duties.schedule = { ...duties.schedule, retries: {} }
  if (agent.agentId !== duties.record.agentId) {
    duties.record = emptyRecord(agent.agentId)
    duties.schedule = initialState([])
  }
  log.line(`Continuing for agent ${agent.agentId} in ${agent.origin}, with the secret that is now saved here.`)
  return true
}

async function readConditions(duties: Duties): Promise<Conditions> {
  const { log, directory } = duties
  const own = await read(duties, profileFile)
  const profile = own?.room === duties.directory.agent.room ? own : undefined
  const handles = await read(duties, handlesFile)
  const published = await read(duties, publishedFile)
  const isListed = published !== undefined && published.listing !== null
  const pending = pendingUnlinks(await read(duties, outboxFile), published, directory.agent.agentId)
  const hasPendingUnlink = pending.size > 0
  if (hasPendingUnlink) {
    log.begin(
      'pending',
      [...pending].map(([channel, state]) => `${channelNames[channel]} ${pendingWords[state].is}`).join(' '),
    )
  } else log.end('pending')
  if (profile === undefined || handles === undefined) {
    return {
      hasPendingUnlink,
      canPublish: false,
      isChanged: false,
      isListed,
      withheldAtMs: null,
      hasProfile: profile !== undefined,
    }
  }
  const known = knownHere(published, pending)
  const kept = { profile: profile.profile, handles }
  const { input, newHandles, removes, withheld, isUnchanged } = planPublish(kept, known, {})
  const waits = newHandles.length === 1 ? 'waits' : 'wait'
  if (newHandles.length === 0) log.end('agreement')
  else log.begin('agreement', `${inWords(newHandles)} ${waits} for your yes: run \`koko publish\`.`)
  const isUnlinked = withheld.some(
    ({ channel, because }) => because === 'unlinked' && input?.channels[channel] !== undefined,
  )
  return {
    hasPendingUnlink,
    canPublish: input !== null && removes.length === 0,
    isChanged: !isUnchanged,
    isListed,
    withheldAtMs: isUnlinked ? (published?.publishedAtMs ?? null) : null,
    hasProfile: true,
  }
}

async function attempt(duties: Duties, action: Action, wasRefused: boolean): Promise<void> {
  const { context, log, options } = duties
  const otherFailures = duties.record.failures.filter((failure) => failure.action !== action)
  try {
    const line = await actions[action](duties)
    duties.isRefused = false
    duties.record = { ...duties.record, failures: otherFailures }
    log.end(action)
    log.line(line)
  } catch (error) {
    if (context.signal.aborted) return
    if (codeOf(error) === 'unauthenticated') {
      // Perhaps only the session ended, or the next round finds a new secret.
      if (wasRefused || options.once) throw userErrorOf(error) ?? error
      duties.isRefused = true
      duties.directory = directoryOf(context, duties.directory.agent)
    }
    const { message, next, retryAfterMs } = failureOf(error)
    const atMs = context.nowMs()
    const jitterOf = (failures: number) => fraction(`${duties.record.agentId} ${action} ${failures}`)
    duties.schedule = afterFailure(duties.schedule, action, { retryAfterMs, nowMs: atMs, jitterOf })
    duties.record = { ...duties.record, failures: [...otherFailures, { action, atMs, message, next }] }
    // The advice for a failure of the directory is to try again, which the daemon does.
    const hint = error instanceof DirectoryError ? '' : ` ${next}`
    log.begin(action, `The ${action} failed and will be retried: ${message}${hint}`, message)
  }
}

/** Sends the unlinks that the directory has not acknowledged. */
async function sendUnlinks(duties: Duties): Promise<string> {
  const { acknowledged, failures } = await duties.directory.sendOutbox()
  const [failure] = failures
  if (failure !== undefined) throw failure.error
  duties.schedule = afterUnlink(duties.schedule)
  const channels = acknowledged.map(({ channel }) => channel)
  return channels.length === 0 ? 'Every unlink is acknowledged.' : `Unlinked ${inWords(channels)}: out of the listing.`
}

async function sendHeartbeat(duties: Duties): Promise<string> {
  const { context, options, directory } = duties
  const onlineUntilMs = await directory.client.call('heartbeat', {}).then(
    (answer) => answer.onlineUntilMs,
    (error: unknown) => {
      if (codeOf(error) === 'failed-precondition') return null
      throw error
    },
  )
  duties.schedule = afterHeartbeat(duties.schedule, onlineUntilMs !== null, context.nowMs())
  duties.record = { ...duties.record, onlineUntilMs }
  duties.counts.heartbeats += 1
  if (onlineUntilMs === null) return 'Not listed: peers cannot find this agent.'
  return `Online until ${options.localTime(onlineUntilMs).text}.`
}

async function publishChanges(duties: Duties): Promise<string> {
  const { context, directory } = duties
  const publication = await publish(context, { agree: () => Promise.resolve(false) })
  if (publication.state !== 'published') {
    throw new UserError(`Publishing ${inWords(publication.channels)} waits for your yes.`, 'Run `koko publish`.')
  }
  const { listing, withheld } = publication
  const { onlineWindowMs } = rooms[directory.agent.room]
  const onlineUntilMs = listing === null ? null : listing.presence.lastSeenAtMs + onlineWindowMs
  duties.schedule = afterPublish(duties.schedule, listing !== null, context.nowMs())
  duties.record = { ...duties.record, onlineUntilMs }
  duties.counts.publishes += 1
  const unlinked = withheld.flatMap(({ channel, because }) => (because === 'unlinked' ? [channel] : []))
  const line = listing === null ? 'Nothing is listed.' : 'Published.'
  return unlinked.length === 0 ? line : `${line} ${inWords(unlinked)} is withheld because you unlinked it.`
}

async function discoverPeers(duties: Duties): Promise<string> {
  const { home, nowMs } = duties.context
  const startedAt = duties.options.localTime(nowMs())
  const { room } = duties.directory.agent
  const near = rooms[room].dealbreakers.find((each) => each.kind === 'near')
  const maxDistanceKm = near === undefined ? null : (await readProfile(home, room))?.profile[near.within]
  const { looked, matches } = await discover(duties.context, { nearMe: typeof maxDistanceKm === 'number' })
  duties.schedule = afterDiscovery(duties.schedule, startedAt)
  const discoveredOn = [...duties.schedule.discoveredOn]
  duties.record = { ...duties.record, discoveredAtMs: nowMs(), discoveredOn }
  duties.counts.discoveries += 1
  const found = `${matches.length} ${matches.length === 1 ? 'match' : 'matches'}`
  const newCount = matches.filter(({ isNew }) => isNew).length
  return `Looked at ${looked} ${looked === 1 ? 'listing' : 'listings'}: ${found}, ${newCount} new.`
}

/** A file of the home. If it cannot be read, logs that once and returns `otherwise`. */
async function read<T extends object>(
  { context, log }: Pick<Duties, 'context' | 'log'>,
  file: HomeFile<T>,
  otherwise?: T,
): Promise<T | undefined> {
  try {
    const value = await context.home.read(file)
    log.end(file.name)
    return value
  } catch (error) {
    const { message, next } = failureOf(error)
    log.begin(file.name, `${message} ${next}`, message)
    return otherwise
  }
}

/** Writes the record if it changed. If that fails, the daemon retries in the next round. */
async function save(duties: Duties): Promise<void> {
  const { context, log, record } = duties
  if (record === duties.saved) return
  try {
    await context.home.change(async (files) => {
      // `koko doctor` handles a damaged record, and an agent that is gone has none.
      await files.read(daemonFile)
      if ((await files.read(agentFile))?.agentId === record.agentId) await files.write(daemonFile, record)
    })
    duties.saved = record
    log.end(daemonFile.name)
  } catch (error) {
    const { message, next } = failureOf(error)
    log.begin(daemonFile.name, `${message} ${next} Until then, koko cannot save what the daemon did.`, message)
  }
}

/** A number from 0 to 1 that depends on the text alone. */
function fraction(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE() / 2 ** 32
}

function emptyRecord(agentId: string): Daemon {
  return { agentId, onlineUntilMs: null, discoveredAtMs: null, discoveredOn: [], failures: [] }
}

/** `retryAfterMs` is the wait that the directory asks for, or 0. */
function failureOf(error: unknown): Problem & { retryAfterMs: number } {
  const expected = userErrorOf(error)
  const cause = error instanceof UserError ? error.cause : error
  const retryAfterMs = cause instanceof DirectoryError ? (retryAfterSecondsOf(cause) ?? 0) * 1_000 : 0
  if (expected !== null) return { ...expected.problem, retryAfterMs }
  const name = error instanceof Error ? error.name : 'Error'
  return {
    message: `koko had an internal error (${name}).`,
    next: 'Run `koko doctor`. If it fails again, report it.',
    retryAfterMs,
  }
}
