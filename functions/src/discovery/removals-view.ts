import { minuteMs, secondMs, Channel, DirectoryError, type RoomName } from '@koko/contract'
import { idOf, pagesOf, paths, Removal, RemovalNumbers, unassignedNumber } from '../documents.ts'
import { removalLimits, type RemovalLimits } from '../limits.ts'
import type { Ports, Stored } from '../ports.ts'

/** The removals of a room, as one read found them. */
export interface RemovalsRead {
  removals: ReadonlyMap<string, Removal>
  /** When the read that completed the view began, on the monotonic clock. */
  readAtMs: number
}

/**
 * The removals of a room in one instance. While they are few, each read reads all of them. When they are many, it reads
 * only those above its cursor, a sequence number. A removal is written with `unassignedNumber`, which is above every
 * cursor. An instance that finds a backlog of those assigns numbers (`assignNumbers`), in transactions on one counter.
 *
 * No removal is missed: at each query a stored removal has either no number, or a number above the cursor, or one up to
 * the cursor. The first two are found. The third was assigned before the query that set the cursor, and that query or
 * an earlier one found it; a removal that is written again loses its number. This depends on no clock. A removal that
 * the republish has deleted stays known and hides nothing, because the agent's entry is by then at least as new.
 */
export interface RemovalsView {
  /** Throws `unavailable` if more removals are new than it can read in time. */
  read: () => Promise<RemovalsRead>
  /** Assigns sequence numbers if the last read found a backlog, so that the next read is short. */
  assignNumbers: (now: Date) => Promise<void>
}

interface Seen {
  cursor: number
  known: ReadonlyMap<string, Removal>
  /** When the removals were last counted. */
  countedAtMs: number
}

export function createRemovalsView(
  { store, monotonicMs }: Pick<Ports, 'store' | 'monotonicMs'>,
  room: RoomName,
  limits: RemovalLimits = removalLimits,
): RemovalsView {
  /**
   * The removals up to the cursor; null while each read is of all removals. Never changed in place, so that a read that
   * ends late can at most replace it by an older one.
   */
  let seen: Seen | null = null
  let backlog: string[] = []
  let isAssigning = false

  const add = (known: Map<string, Removal>, { path, fields }: Stored) => {
    // A removal that does not parse hides the whole agent.
    const removal = Removal.safeParse(fields).data ?? { ...unreadable, room }
    const of: string = removal.room
    if (of === room) known.set(idOf(path), removal)
    return removal.number
  }

  /** Reads all removals in one query; null if they are too many for that. */
  async function readWhole(): Promise<Map<string, Removal> | null> {
    const found = await store.query({ collection: 'removals', limit: limits.readWholeBelow })
    if (found.length >= limits.readWholeBelow) return null
    const known = new Map<string, Removal>()
    for (const each of found) add(known, each)
    return known
  }

  /** Reads all removals in many queries. What changes meanwhile gets a number above the cursor, which is read first. */
  async function readInPages(): Promise<Seen> {
    const [fields] = await store.get([paths.removalNumbers])
    const cursor = RemovalNumbers.safeParse(fields).data?.last ?? 0
    const known = new Map<string, Removal>()
    for await (const page of pagesOf(store, { collection: 'removals', limit: limits.pageSize })) {
      for (const each of page) add(known, each)
      if (known.size > limits.maxTotal) throw tooMany()
    }
    return { cursor, known, countedAtMs: monotonicMs() }
  }

  /** What is still worth keeping: once a minute, nothing if most known removals have been deleted. */
  async function withoutDeleted(before: Seen | null): Promise<Seen | null> {
    if (before === null || monotonicMs() - before.countedAtMs < minuteMs) return before
    const count = await store.count('removals')
    const isOutgrown = count < limits.readWholeBelow / 2 || before.known.size > 2 * count + limits.readWholeBelow
    return isOutgrown ? null : { ...before, countedAtMs: monotonicMs() }
  }

  return {
    async read() {
      const kept = await withoutDeleted(seen)
      const beganAtMs = monotonicMs()
      if (kept === null) {
        const removals = await readWhole()
        if (removals !== null) {
          seen = null
          backlog = []
          return { removals, readAtMs: beganAtMs }
        }
      }
      const before = kept ?? (await readInPages())
      const readAtMs = monotonicMs()
      const where = { field: 'number', above: before.cursor }
      const found = await store.query({ collection: 'removals', where, limit: limits.maxNewPerRead })
      backlog = found.filter(({ fields }) => fields.number === unassignedNumber).map(({ path }) => idOf(path))
      let after = before
      if (found.length > 0) {
        const known = new Map(before.known)
        const numbers = found.map((each) => add(known, each)).filter((number) => number < unassignedNumber)
        after = { ...before, known, cursor: Math.max(before.cursor, ...numbers) }
      }
      seen = after
      if (found.length >= limits.maxNewPerRead || after.known.size > limits.maxTotal) throw tooMany()
      return { removals: after.known, readAtMs }
    },

    async assignNumbers(now) {
      if (isAssigning) return
      isAssigning = true
      const startedMs = monotonicMs()
      try {
        while (backlog.length >= limits.minBacklog && monotonicMs() - startedMs < secondMs) {
          const ids = backlog.splice(0, limits.numberBatch)
          await store.transaction(async (transaction) => {
            const [counter, ...stored] = await transaction.get([paths.removalNumbers, ...ids.map(paths.removal)])
            // If the counter is lost, the time is above every number assigned so far.
            let last = RemovalNumbers.safeParse(counter).data?.last ?? now.getTime()
            ids.forEach((id, index) => {
              const removal = Removal.safeParse(stored[index])
              if (!removal.success || removal.data.number !== unassignedNumber) return
              last += 1
              transaction.set(paths.removal(id), { ...removal.data, number: last } satisfies Removal)
            })
            transaction.set(paths.removalNumbers, { last } satisfies RemovalNumbers)
          })
        }
      } finally {
        isAssigning = false
      }
    },
  }
}

const unreadable = { revision: Infinity, channels: [...Channel.options], number: unassignedNumber }

function tooMany(): DirectoryError {
  return new DirectoryError(
    'unavailable',
    'More handles were removed lately than this instance can check, so it shows none. Try again in a minute.',
  )
}
