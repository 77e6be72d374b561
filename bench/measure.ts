import type { Firestore } from '@google-cloud/firestore'
import { paths } from '../functions/src/documents.ts'
import type { Fields } from '../functions/src/ports.ts'
import { countsBetween, readsOf, type Counts } from './counts.ts'
import type { KeyServer } from './keys.ts'
import { discoverPage, openConnections, runFor } from './load.ts'
import type { Agent } from './room.ts'
import { accountOf, writeAll } from './seed.ts'
import type { RunningArm } from './arms.ts'
import { summarize, type Summary } from './statistics.ts'

const pageSize = 50
/** A first page and four later ones. */
const pagesOfWalk = 5

/** A room on the emulator, and its callers. */
export interface Stage {
  projectId: string
  size: number
  firestore: Firestore
  keys: KeyServer
  callers: Callers
}

/** Agents in turn, each with a genuine token. */
export interface Callers {
  next: () => { agentId: string; idToken: string }
  count: number
  /** Gives every caller a new daily budget. Call it outside the measurement. */
  refill: () => Promise<void>
}

export function createCallers(
  firestore: Firestore,
  projectId: string,
  keys: KeyServer,
  agents: readonly Agent[],
): Callers {
  const tokens = new Map<string, string>()
  let turn = 0
  return {
    count: agents.length,
    next() {
      const agent = agents[turn % agents.length]
      turn += 1
      if (agent === undefined) throw new Error('there are no callers')
      const { agentId } = agent.badge
      const idToken = tokens.get(agentId) ?? keys.idToken(projectId, agentId)
      tokens.set(agentId, idToken)
      return { agentId, idToken }
    },
    async refill() {
      for (const { badge } of agents) {
        if (!tokens.has(badge.agentId)) tokens.set(badge.agentId, keys.idToken(projectId, badge.agentId))
      }
      await writeAll(
        firestore,
        agents.map(({ badge, listing }): [string, Fields] => [
          paths.account(badge.agentId),
          accountOf(listing.profile.area),
        ]),
      )
    },
  }
}

export interface Documents {
  reads: number
  writes: number
  deletes: number
  byKind: Record<string, number>
}

function perCall(counts: Counts, calls: number): Documents {
  return {
    reads: readsOf(counts) / calls,
    writes: counts.writes / calls,
    deletes: counts.deletes / calls,
    byKind: Object.fromEntries(Object.entries(counts.reads).map(([kind, count]) => [kind, count / calls])),
  }
}

/** The Firestore operations of one process during `work`. */
export async function countsDuring(served: RunningArm, work: () => Promise<void>): Promise<Counts> {
  const before = await served.counts()
  await work()
  return countsBetween(before, await served.counts())
}

/** Documents read and written by the first page of a walk, and by a later one. */
export async function countPages(
  served: RunningArm,
  { callers }: Stage,
  pageSize: number,
  walks: number,
): Promise<{ first: Documents; later: Documents }> {
  using connections = openConnections(1)
  const tokens: { idToken: string; pageToken: string }[] = []
  const first = await countsDuring(served, async () => {
    for (let walk = 0; walk < walks; walk += 1) {
      const { idToken } = callers.next()
      const page = await discoverPage(connections, served.origin, idToken, { pageSize })
      if (page.nextPageToken !== null) tokens.push({ idToken, pageToken: page.nextPageToken })
    }
  })
  const later = await countsDuring(served, async () => {
    for (const { idToken, pageToken } of tokens) {
      await discoverPage(connections, served.origin, idToken, { pageSize, pageToken })
    }
  })
  return { first: perCall(first, walks), later: perCall(later, Math.max(1, tokens.length)) }
}

/** Starts enough walks at different places that the instance has read every shard. */
export async function visitRoom(served: RunningArm, { callers, size }: Stage): Promise<void> {
  using connections = openConnections(8)
  let left = Math.ceil(size / 100)
  const visit = async () => {
    while (left > 0) {
      left -= 1
      await discoverPage(connections, served.origin, callers.next().idToken, { pageSize })
    }
  }
  await Promise.all(Array.from({ length: 8 }, visit))
}

export interface Speed extends Summary {
  callsPerSecond: number
}

/** First pages of walks, each by the next caller. */
export async function timeFirstPages(
  served: RunningArm,
  { callers }: Stage,
  workers: number,
  limitMs: number,
): Promise<Speed> {
  using connections = openConnections(workers)
  const times: number[] = []
  const seconds = await runFor(workers, limitMs, async () => {
    const { idToken } = callers.next()
    times.push((await discoverPage(connections, served.origin, idToken, { pageSize })).ms)
  })
  return { ...summarize(times), callsPerSecond: times.length / seconds }
}

/** Whole walks of five pages; `later` are the times of all but the first. */
export async function timeWalks(
  served: RunningArm,
  { callers }: Stage,
  workers: number,
  limitMs: number,
): Promise<{ all: Speed; later: Summary }> {
  using connections = openConnections(workers)
  const all: number[] = []
  const later: number[] = []
  const seconds = await runFor(workers, limitMs, async (isOver) => {
    const { idToken } = callers.next()
    let pageToken: string | null = null
    for (let page = 0; page < pagesOfWalk; page += 1) {
      const query = pageToken === null ? { pageSize } : { pageSize, pageToken }
      const answer = await discoverPage(connections, served.origin, idToken, query)
      all.push(answer.ms)
      if (page > 0) later.push(answer.ms)
      pageToken = answer.nextPageToken
      if (pageToken === null || isOver()) return
    }
  })
  return { all: { ...summarize(all), callsPerSecond: all.length / seconds }, later: summarize(later) }
}

export interface Republish {
  ms: number
  /** Without the emulator's scans, which production answers from an index. */
  msWithoutScans: number
  counts: Counts
  runs: number
}

/** Changes listings as `publishProfile` does, and republishes until no change is left. */
export async function measureRepublish(
  served: RunningArm,
  { firestore }: Stage,
  agents: readonly Agent[],
  revision: number,
): Promise<Republish> {
  await writeAll(firestore, changesOf(agents, revision))
  let ms = 0
  let runs = 0
  using connections = openConnections(1)
  const counts = await countsDuring(served, async () => {
    for (;;) {
      const answer = await connections.post(served.origin, 'scheduler', {})
      if (answer.status !== 200) throw new Error(`the republish answered ${answer.status}`)
      ms += answer.ms
      runs += 1
      const left = await firestore.collection('changes').limit(1).get()
      if (left.empty) return
    }
  })
  return { ms, msWithoutScans: ms - counts.scanMs, counts, runs }
}

function* changesOf(agents: readonly Agent[], revision: number): Generator<[string, Fields]> {
  for (const { badge, listing } of agents) {
    const { area } = listing.profile
    const profile = { ...listing.profile, maxDistanceKm: 1 + (revision % 20_000) }
    yield [paths.listing('dating', badge.agentId), { ...listing, profile }]
    yield [paths.change(badge.agentId), { room: 'dating', revision, from: area, to: area, unlinked: false }]
  }
}

/** Milliseconds from the start of a process to its first answered discovery. */
export async function timeStart(start: () => Promise<RunningArm>, { callers }: Stage): Promise<number> {
  using connections = openConnections(1)
  const { idToken } = callers.next()
  const startedMs = performance.now()
  await using served = await start()
  await discoverPage(connections, served.origin, idToken, {})
  return performance.now() - startedMs
}
