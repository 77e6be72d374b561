import { Channel, DirectoryError, type RoomName } from '@koko/contract'
import { paths, Removal, RemovalNumbers, unnumbered } from '../documents.ts'
import { minute, removalLimits, second, type RemovalLimits } from '../limits.ts'
import type { Ports, Stored } from '../ports.ts'

/** What must not be shown of a room's agents, as one reading found it. */
export interface RemovalsRead {
  removals: ReadonlyMap<string, Removal>
  /** When the reading that made it whole began, on the monotonic clock. */
  readAtMs: number
}

/**
 * The removals of a room, as one instance keeps them. Few are read whole. Of many, it asks only for those that are new
 * to it, which their numbers tell: a removal is written without one, which sorts above all, and gets the next when an
 * instance has found too many without (`number`), in a transaction through one counter.
 *
 * So at each query: whatever is stored has no number, and is found; or a number above the last one seen, and is found; or
 * one up to that. That was given before the query that saw the last, which found it or had found it before: a removal
 * that is written anew loses its number. No clock is in this. What the republish has settled meanwhile stays in mind,
 * and hides nothing: by then the agent's entry is as new as the removal.
 */
export interface RemovalsView {
  /** Never two at once. Throws `unavailable` where more are new than can be read in time. */
  read: () => Promise<RemovalsRead>
  /** Numbers removals, if the last reading found too many without, so that the next is short. */
  number: (now: Date) => Promise<void>
}

export function createRemovalsView(
  { store, monotonicMs }: Pick<Ports, 'store' | 'monotonicMs'>,
  room: RoomName,
  limits: RemovalLimits = removalLimits,
): RemovalsView {
  /** The last number seen, and what is known; null while there are few. */
  let many: { last: number; known: ReadonlyMap<string, Removal>; countedAtMs: number } | null = null
  let withoutNumber: string[] = []
  let isNumbering = false

  const add = (known: Map<string, Removal>, { path, fields }: Stored) => {
    const removal = Removal.safeParse(fields).data ?? { room, ...everything }
    const of: string = removal.room
    if (of === room) known.set(idOf(path), removal)
    return removal.number
  }

  async function readFew(): Promise<Map<string, Removal> | null> {
    const found = await store.query({ collection: 'removals', limit: limits.few })
    if (found.length >= limits.few) return null
    const known = new Map<string, Removal>()
    for (const each of found) add(known, each)
    return known
  }

  /** Reads all there is, in as many queries as it takes. Whatever changes meanwhile is above the number read first. */
  async function readAll(): Promise<NonNullable<typeof many>> {
    const [fields] = await store.get([paths.removalNumbers])
    const last = RemovalNumbers.safeParse(fields).data?.last ?? 0
    const known = new Map<string, Removal>()
    let afterId: string | undefined
    for (;;) {
      const after = afterId === undefined ? {} : { afterId }
      const page = await store.query({ collection: 'removals', limit: limits.page, ...after })
      for (const each of page) add(known, each)
      const end = page.at(-1)
      if (end === undefined) return { last, known, countedAtMs: monotonicMs() }
      if (known.size > limits.most) throw tooMany()
      afterId = idOf(end.path)
    }
  }

  /** After a while, what was settled is let go of. */
  async function trim(): Promise<void> {
    if (many === null || monotonicMs() - many.countedAtMs < minute) return
    const count = await store.count('removals')
    many =
      count < limits.few / 2 || many.known.size > 2 * count + limits.few
        ? null
        : { ...many, countedAtMs: monotonicMs() }
  }

  return {
    async read() {
      await trim()
      let readAtMs = monotonicMs()
      if (many === null) {
        withoutNumber = []
        const few = await readFew()
        if (few !== null) return { removals: few, readAtMs }
        many = await readAll()
      }
      readAtMs = monotonicMs()
      const where = { field: 'number', above: many.last }
      const found = await store.query({ collection: 'removals', where, limit: limits.mostUnnumbered })
      withoutNumber = found.filter(({ fields }) => fields.number === unnumbered).map(({ path }) => idOf(path))
      if (found.length > 0) {
        const known = new Map(many.known)
        const numbers = found.map((each) => add(known, each)).filter((number) => number < unnumbered)
        many = { ...many, known, last: Math.max(many.last, ...numbers) }
      }
      if (found.length >= limits.mostUnnumbered || many.known.size > limits.most) throw tooMany()
      return { removals: many.known, readAtMs }
    },

    async number(now) {
      if (isNumbering) return
      isNumbering = true
      const startedMs = monotonicMs()
      try {
        while (withoutNumber.length >= limits.numberedFrom && monotonicMs() - startedMs < second) {
          const ids = withoutNumber.splice(0, limits.numberedAtOnce)
          await store.transaction(async (transaction) => {
            const [counter, ...stored] = await transaction.get([paths.removalNumbers, ...ids.map(paths.removal)])
            // Should the counter be lost, it goes on above all that were ever given.
            let last = RemovalNumbers.safeParse(counter).data?.last ?? now.getTime()
            ids.forEach((id, index) => {
              const removal = Removal.safeParse(stored[index])
              if (!removal.success || removal.data.number !== unnumbered) return
              last += 1
              transaction.set(paths.removal(id), { ...removal.data, number: last } satisfies Removal)
            })
            transaction.set(paths.removalNumbers, { last } satisfies RemovalNumbers)
          })
        }
      } finally {
        isNumbering = false
      }
    },
  }
}

/** A removal in some other form than ours hides all there is of the agent. */
const everything = { revision: Infinity, channels: [...Channel.options], number: unnumbered }

function tooMany(): DirectoryError {
  return new DirectoryError('unavailable', 'There are more removals than an instance reads.')
}

function idOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
