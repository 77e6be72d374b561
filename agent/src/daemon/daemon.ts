import { DirectoryError, rooms } from '@koko/contract'
import { isDeepStrictEqual } from 'node:util'
import { Advice } from '../errors.ts'
import { inWords } from '../labels.ts'
import { publish } from '../commands/publish.ts'
import type { Context } from '../context.ts'
import { adviceOf, codeOf, directoryOf, openDirectory, retryAfterSecondsOf } from '../directory/session.ts'
import { discover } from '../operations/discover.ts'
import {
  Action,
  agentFile,
  daemonFile,
  handlesFile,
  profileFile,
  publishedFile,
  type Agent,
  type Daemon,
} from '../home/files.ts'
import type { HomeFile } from '../home/home.ts'
import { planPublish } from '../operations/publish-plan.ts'
import {
  afterDiscovery,
  afterFailure,
  afterHeartbeat,
  afterPublish,
  createLocalClock,
  initialState,
  planRound,
  tickMs,
  type Standing,
} from './schedule.ts'

export interface DaemonOptions {
  /** When the daily look is due, in minutes after midnight on the wall's clock. */
  discoverAtMinutes: number
  /** Does what is due, then ends. */
  once: boolean
  /** This machine's unless given. */
  timeZone?: string
}

/** What a daemon has done from its start to its end. */
export interface DaemonRun {
  agentId: string
  /** By the signal. */
  isStopped: boolean
  heartbeats: number
  publishes: number
  discoveries: number
  /** What did not succeed when it ended. */
  failures: Daemon['failures']
}

/** A pause is no shorter, whatever the clock does. */
const leastPauseMs = 1_000

/**
 * Keeps this home's agent online, publishes what changes here and was agreed to, and looks for peers each day, until the
 * signal. Throws `Advice` where another does so already, and once the directory accepts the agent no longer.
 */
export async function runDaemon(context: Context, options: DaemonOptions): Promise<DaemonRun> {
  // Before the lock, which makes the folder.
  await openDirectory(context)
  return context.home.locked('daemon', 0, () => live(context, options))
}

async function live(outer: Context, options: DaemonOptions): Promise<DaemonRun> {
  const { home, signal, nowMs } = outer
  // Nobody answers a daemon, and the steps of what it calls are no lines of its log.
  const context: Context = { ...outer, ask: undefined, report: () => undefined }
  const localTime = createLocalClock(options.timeZone)
  const said = new Map<string, string>()

  let directory = await openDirectory(context)
  let kept = (await read(daemonFile)) ?? nothingDone(directory.agent)
  if (kept.agentId !== directory.agent.agentId) kept = nothingDone(directory.agent)
  let saved = kept
  let state = initialState(kept.discoveredOn)
  let isGone = false
  let isRefused = false
  const done = { heartbeat: 0, publish: 0, discovery: 0 }

  say(`Runs as process ${process.pid} for agent ${kept.agentId} in ${directory.agent.origin}.`)
  for (;;) {
    const wakeAtMs = await round()
    if (options.once || isStopping()) break
    await context.pause(Math.min(tickMs, Math.max(leastPauseMs, wakeAtMs - nowMs()))).catch((error: unknown) => {
      if (!isStopping()) throw error
    })
    if (isStopping()) break
  }
  await save()
  if (!options.once) say('Stopped.')
  const { agentId, failures } = kept
  return {
    agentId,
    isStopped: isStopping(),
    heartbeats: done.heartbeat,
    publishes: done.publish,
    discoveries: done.discovery,
    failures,
  }

  /** Does what is due, and tells when to look again. */
  async function round(): Promise<number> {
    const wasRefused = isRefused
    if (await followAgent()) {
      for (const action of Action.options) {
        if (!plan(await standing()).due.includes(action)) continue
        await attempt(action, wasRefused)
        await save()
        if (isStopping()) break
      }
      await save()
    }
    return plan(await standing()).wakeAtMs
  }

  function plan(standing: Standing) {
    const planned = planRound(state, standing, nowMs(), localTime(nowMs()), options.discoverAtMinutes)
    state = planned.state
    return planned
  }

  /** Takes up what a `koko restore` or `koko rotate` wrote meanwhile; false where no agent is here just now. */
  async function followAgent(): Promise<boolean> {
    const agent = await read(agentFile)
    if (agent === undefined) {
      if (said.has(agentFile.name)) return true
      // One moment without it is a `koko init --again` at work.
      if (isGone || options.once) {
        throw new Advice(`The agent of ${home.path} is gone.`, 'Run `koko init` or `koko restore`, then `koko run`.')
      }
      isGone = true
      return false
    }
    isGone = false
    if (isDeepStrictEqual(agent, directory.agent)) return true
    directory = directoryOf(context, agent)
    isRefused = false
    state = { ...state, failed: {} }
    if (agent.agentId !== kept.agentId) {
      kept = nothingDone(agent)
      state = initialState([])
    }
    say(`Goes on for agent ${agent.agentId} in ${agent.origin}, as this home has it now.`)
    return true
  }

  async function standing(): Promise<Standing> {
    const [profile, handles, published] = [await read(profileFile), await read(handlesFile), await read(publishedFile)]
    const isListed = published !== undefined && published.listing !== null
    const canMatch = profile !== undefined
    if (profile === undefined || handles === undefined) {
      return { canPublish: false, isChanged: false, isListed, withheldAtMs: null, canMatch }
    }
    const known = { listing: published?.listing, unlinked: published?.withheld ?? [] }
    const { input, newHandles, takesAway, withheld, isUnchanged } = planPublish(
      { profile: profile.profile, handles },
      known,
      {},
    )
    const isAskedFor = withheld.some(
      ({ channel, because }) => because === 'unlinked' && input?.channels[channel] !== undefined,
    )
    tell(
      'agreement',
      newHandles.length === 0
        ? undefined
        : `${inWords(newHandles)} ${newHandles.length === 1 ? 'waits' : 'wait'} for your yes: \`koko publish\` asks.`,
    )
    return {
      canPublish: input !== null && takesAway.length === 0,
      isChanged: !isUnchanged,
      isListed,
      withheldAtMs: isAskedFor && published !== undefined ? published.publishedAtMs : null,
      canMatch,
    }
  }

  async function attempt(action: Action, wasRefused: boolean): Promise<void> {
    try {
      await act(action)
    } catch (error) {
      if (isStopping()) return
      if (codeOf(error) === 'unauthenticated') {
        const advice = error instanceof DirectoryError ? adviceOf(error) : null
        // A secret that is being replaced here is on the disk by the next round, and a session may have been ended.
        if (advice !== null && (wasRefused || options.once)) throw advice
        isRefused = true
        directory = directoryOf(context, directory.agent)
      }
      fail(action, error)
      return
    }
    isRefused = false
    done[action] += 1
    said.delete(action)
    kept = { ...kept, failures: kept.failures.filter((failure) => failure.action !== action) }
  }

  async function act(action: Action): Promise<void> {
    switch (action) {
      case 'heartbeat': {
        const onlineUntilMs = await heartbeat()
        state = afterHeartbeat(state, onlineUntilMs !== null, nowMs())
        kept = { ...kept, onlineUntilMs }
        say(
          onlineUntilMs === null ? 'Not listed: peers cannot find this agent.' : `Online until ${when(onlineUntilMs)}.`,
        )
        return
      }
      case 'publish': {
        const outcome = await publish(context, { agree: () => Promise.resolve(false) })
        if (outcome.state !== 'published') {
          throw new Advice(`Publishing ${inWords(outcome.channels)} waits for your yes.`, 'Run `koko publish`.')
        }
        const { listing, withheld } = outcome
        const seenAtMs = listing?.presence.lastSeenAtMs
        const onlineUntilMs = seenAtMs === undefined ? null : seenAtMs + rooms[directory.agent.room].onlineWindowMs
        state = afterPublish(state, listing !== null, nowMs())
        kept = { ...kept, onlineUntilMs }
        const back = withheld.flatMap(({ channel, because }) => (because === 'unlinked' ? [channel] : []))
        const kind = listing === null ? 'Nothing is listed.' : 'Published.'
        say(back.length === 0 ? kind : `${kind} ${inWords(back)} is withheld: it was taken back.`)
        return
      }
      case 'discovery': {
        const startedAt = localTime(nowMs())
        // What a look learns, and what it takes of the day's budget, must be kept.
        await home.assertWritable()
        const maxDistanceKm = (await home.read(profileFile))?.profile.maxDistanceKm ?? null
        const { looked, matches } = await discover(context, { nearMe: maxDistanceKm !== null })
        const found = matches.filter(({ isNew }) => isNew).length
        state = afterDiscovery(state, startedAt)
        kept = { ...kept, discoveredAtMs: nowMs(), discoveredOn: [...state.discoveredOn] }
        const listings = looked === 1 ? 'listing' : 'listings'
        say(
          `Looked at ${looked} ${listings}: ${matches.length} ${matches.length === 1 ? 'match' : 'matches'}, ${found} new.`,
        )
      }
    }
  }

  /** Until when the agent counts as online; null where it has no listing. */
  async function heartbeat(): Promise<number | null> {
    try {
      return (await directory.client.call('heartbeat', {})).onlineUntilMs
    } catch (error) {
      if (codeOf(error) === 'failed-precondition') return null
      throw error
    }
  }

  function fail(action: Action, error: unknown): void {
    const { message, next } = failureOf(error)
    state = afterFailure(state, action, retryAfterMsOf(error), nowMs())
    const failure = { action, atMs: nowMs(), message, next }
    kept = { ...kept, failures: [...kept.failures.filter((other) => other.action !== action), failure] }
    const advice = error instanceof DirectoryError ? '' : ` ${next}`
    // A damaged file, or a full disk, is one trouble, however much stands still for it.
    if ([...said.values()].some((text) => text.includes(message))) return
    tell(action, `The ${action} did not succeed, and is tried again: ${message}${advice}`)
  }

  /** A file of the home; undefined also where it is damaged, which is said once. */
  async function read<T extends object>(file: HomeFile<T>): Promise<T | undefined> {
    try {
      const value = await home.read(file)
      tell(file.name, undefined)
      return value
    } catch (error) {
      const { message, next } = failureOf(error)
      tell(file.name, `${message} ${next}`)
      return undefined
    }
  }

  /** Writes what was done. Where the disk takes nothing, the daemon goes on with what it remembers. */
  async function save(): Promise<void> {
    if (kept === saved || said.has(agentFile.name)) return
    const writing = kept
    try {
      await home.change(async (files) => {
        // A damaged file is left to `koko doctor`, and an agent that is gone has nothing to keep.
        await files.read(daemonFile)
        if ((await files.read(agentFile))?.agentId === writing.agentId) await files.write(daemonFile, writing)
      })
      saved = writing
      tell(daemonFile.name, undefined)
      tell('save', undefined)
    } catch (error) {
      const { message, next } = failureOf(error)
      if (!said.has(daemonFile.name))
        tell('save', `${message} ${next} Until then nothing is kept of what is done here.`)
    }
  }

  function isStopping(): boolean {
    return signal.aborted
  }

  /** Says something once, until it is something else or is over. */
  function tell(about: string, text: string | undefined): void {
    if (said.get(about) === text) return
    if (text === undefined) {
      said.delete(about)
      return
    }
    said.set(about, text)
    say(text)
  }

  function say(text: string): void {
    outer.report({ text: `${when(nowMs())}  ${text}`, isLasting: true })
  }

  function when(ms: number): string {
    const { date, time } = localTime(ms)
    return `${date} ${time}`
  }
}

function nothingDone({ agentId }: Agent): Daemon {
  return { agentId, onlineUntilMs: null, discoveredAtMs: null, discoveredOn: [], failures: [] }
}

function failureOf(error: unknown): { message: string; next: string } {
  const advice = error instanceof DirectoryError ? adviceOf(error) : error
  if (advice instanceof Advice) return advice
  const name = error instanceof Error ? error.name : 'Error'
  return {
    message: `koko failed in a way that it should not (${name}).`,
    next: 'Run `koko doctor`, and report it if it stays.',
  }
}

function retryAfterMsOf(error: unknown): number {
  const cause = error instanceof Advice ? error.cause : error
  if (!(cause instanceof DirectoryError)) return 0
  return (retryAfterSecondsOf(cause) ?? 0) * 1_000
}
