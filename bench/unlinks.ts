import { Unlinks, type Listing } from '@koko/contract'
import { setTimeout as delay } from 'node:timers/promises'
import { paths } from '../functions/src/documents.ts'
import type { Fields } from '../functions/src/ports.ts'
import { discoverPage, openConnections } from './load.ts'
import type { Stage } from './measure.ts'
import type { Agent } from './room.ts'
import { accountOf } from './seed.ts'
import type { RunningArm } from './arms.ts'
import { summarize, type Summary } from './statistics.ts'

export interface UnlinkTimes {
  count: number
  /** Seconds from the acknowledgement until no answer contained the handle. */
  ours: Summary
  baseline: Summary
  /** Seconds from the acknowledgement to `goneAtMs`, for the unlinks that have it. */
  gone: Summary
  answers: { ours: number; baseline: number; load: number }
}

/** Cells on the open sea, without other agents of the room. */
export const seaAreas = { running: 's01b', paused: '7zzz' }

const handlePattern = /bench_unlink_\d+x/g

/** Agents alone in a cell, each with a recognizable handle. */
export function* targetsOf(area: string, agents: readonly Agent[], revision: number): Generator<[string, Fields]> {
  for (const [index, { badge, listing }] of agents.entries()) {
    const moved: Listing = {
      ...listing,
      channels: { whatsapp: '+447700900000', telegram: handleOf(index) },
      profile: { ...listing.profile, area },
    }
    yield [paths.badge(badge.agentId), badge]
    yield [paths.account(badge.agentId), { ...accountOf(area), revision }]
    yield [paths.listing('dating', badge.agentId), moved]
    const change = { room: 'dating', revision, from: listing.profile.area, to: area, unlinked: false }
    yield [paths.change(badge.agentId), change]
  }
}

function handleOf(index: number): string {
  return `bench_unlink_${index}x`
}

/**
 * Unlinks each target over `overMs` while others walk the room, and repeatedly asks two instances of ours and one of the
 * baseline for the cell. The caller runs the republish.
 */
export async function timeUnlinks(
  { ours, baseline, unlink }: { ours: readonly RunningArm[]; baseline: RunningArm; unlink: RunningArm },
  { callers, keys, projectId, firestore }: Stage,
  area: string,
  targets: readonly Agent[],
  overMs: number,
  waitForGoneMs: number,
): Promise<UnlinkTimes> {
  const stopping = new AbortController()
  const acknowledged = new Map<string, number>()
  const probes = { ours: [] as Probe[], baseline: [] as Probe[] }
  let load = 0

  const probe = async (served: RunningArm, into: Probe[]) => {
    using connections = openConnections(1)
    while (!stopping.signal.aborted) {
      const { idToken } = callers.next()
      const page = await discoverPage(connections, served.origin, idToken, { pageSize: 200, near: area, withinKm: 1 })
      into.push({ sentAtMs: page.sentAtMs, handles: new Set(page.body.match(handlePattern)) })
      await delay(probePauseMs)
    }
  }
  const walk = async (served: RunningArm) => {
    using connections = openConnections(1)
    while (!stopping.signal.aborted) {
      const { idToken } = callers.next()
      const first = await discoverPage(connections, served.origin, idToken, { pageSize: 50 })
      if (first.nextPageToken === null) continue
      await discoverPage(connections, served.origin, idToken, { pageSize: 50, pageToken: first.nextPageToken })
      load += 2
      await delay(loadPauseMs)
    }
  }
  const unlinkAll = async () => {
    using connections = openConnections(1)
    const startedMs = performance.now()
    for (const [index, { badge }] of targets.entries()) {
      await delay(Math.max(0, startedMs + (index * overMs) / targets.length - performance.now()))
      const idToken = keys.idToken(projectId, badge.agentId)
      const answer = await connections.post(unlink.origin, idToken, { data: { channel: 'telegram' } })
      if (answer.status !== 200) throw new Error(`unlinkChannel answered ${answer.status}: ${answer.body}`)
      acknowledged.set(handleOf(index), Date.now())
    }
  }
  const allUnlinks = async () => {
    const stored = await firestore.getAll(...targets.map(({ badge }) => firestore.doc(paths.unlinks(badge.agentId))))
    return stored.map((snapshot) => Unlinks.safeParse(snapshot.data()).data?.telegram)
  }
  const under = [
    ...ours.map((served) => probe(served, probes.ours)),
    probe(baseline, probes.baseline),
    ...ours.map(walk),
  ]
  let unlinks: Awaited<ReturnType<typeof allUnlinks>> = []
  const course = async () => {
    await delay(settleMs)
    await unlinkAll()
    const late = Date.now() + waitForGoneMs
    // The probes go on for as long as the promise allows, and a little more.
    const promised = Date.now() + promiseMs
    for (;;) {
      unlinks = await allUnlinks()
      const isGone = unlinks.every((each) => each !== undefined && each.goneAtMs !== null)
      if (Date.now() > promised && (isGone || Date.now() > late)) break
      await delay(500)
    }
    stopping.abort()
  }
  try {
    await Promise.all([course(), ...under])
  } finally {
    stopping.abort()
  }

  const times = (of: readonly Probe[]) =>
    [...acknowledged].map(([handle, atMs]) => absentAfterMs(of, handle, atMs) / 1_000)
  return {
    count: acknowledged.size,
    ours: summarize(times(probes.ours)),
    baseline: summarize(times(probes.baseline)),
    gone: summarize(
      unlinks.flatMap((each) => (each?.goneAtMs == null ? [] : [(each.goneAtMs - each.unlinkedAtMs) / 1_000])),
    ),
    answers: { ours: probes.ours.length, baseline: probes.baseline.length, load },
  }
}

const probePauseMs = 20
const loadPauseMs = 50
const settleMs = 1_000
const promiseMs = 11_000

export interface Probe {
  sentAtMs: number
  handles: ReadonlySet<string>
}

/**
 * Milliseconds from the acknowledgement to the first request after which no answer contained the handle. 0 if no later answer
 * contained it, Infinity if the last one did.
 */
export function absentAfterMs(probes: readonly Probe[], handle: string, acknowledgedAtMs: number): number {
  const later = probes.filter(({ sentAtMs }) => sentAtMs > acknowledgedAtMs).sort((a, b) => a.sentAtMs - b.sentAtMs)
  const last = later.findLastIndex(({ handles }) => handles.has(handle))
  if (last === -1) return 0
  return (later[last + 1]?.sentAtMs ?? Infinity) - acknowledgedAtMs
}
