import { DirectoryError } from '@koko/contract'
import { idOf } from '../functions/src/documents.ts'
import type {
  Fields,
  Query,
  Store,
  Stored,
  TextRange,
  Transaction,
  TransactionOptions,
} from '../functions/src/ports.ts'

/** How often a transaction begins anew before it gives up, as Firestore's client does by default. */
const attempts = 5
const patientAttempts = 100

/** A store in memory with serializable transactions, its own clock, and without rules. */
export interface MemoryStore extends Store {
  /** Every document, by its path. */
  all: () => Map<string, Fields>
  /** Sets documents at once, beside every rule; null deletes. */
  put: (changes: readonly (readonly [path: string, fields: Fields | null])[]) => void
  /** The same documents, with another `onAwait`. */
  through: (onAwait: OnAwait) => Store
}

/**
 * Runs before and after every read and every commit. What it throws is thrown there, so that a test can stop the work at
 * any of them, or let others in between: what was read is old by the time it is used, and a commit may stand that the
 * caller never hears of.
 */
export type OnAwait = () => Promise<void>

export function createMemoryStore(
  onEveryAwait: OnAwait = () => Promise.resolve(),
  initial: ReadonlyMap<string, Fields> = new Map(),
  now: () => Date = () => new Date(),
): MemoryStore {
  const documents = new Map<string, { fields: Fields; version: number }>()
  let version = 0

  const versionOf = (path: string) => documents.get(path)?.version ?? 0

  const write = (changes: Iterable<readonly [string, Fields | null]>) => {
    version += 1
    for (const [path, fields] of changes) {
      if (fields === null) documents.delete(path)
      else documents.set(path, { fields: copy(fields), version })
    }
  }
  write(initial)

  const read = (path: string): Fields | null => {
    const document = documents.get(path)
    return document === undefined ? null : copy(document.fields)
  }

  const pathsIn = (collection: string) =>
    [...documents.keys()]
      .filter((path) => path.startsWith(`${collection}/`) && !path.slice(collection.length + 1).includes('/'))
      .sort((a, b) => (a < b ? -1 : 1))

  const through = (onAwait: OnAwait): Store => ({
    async get(paths) {
      await onAwait()
      const found = paths.map(read)
      await onAwait()
      return found
    },

    async query({ collection, where, between, afterId, idsOnly, limit }: Query) {
      await onAwait()
      const all: Stored[] = pathsIn(collection).flatMap((path) => {
        const fields = read(path)
        return fields === null ? [] : [{ path, fields }]
      })
      const found = between === undefined ? all : inRange(all, between)
      const matching =
        where === undefined
          ? found
          : found
              .filter(({ fields }) => isWithin(at(fields, where.field), where))
              .sort((a, b) => Number(at(a.fields, where.field)) - Number(at(b.fields, where.field)))
      const after = afterId === undefined ? matching : matching.filter(({ path }) => path > `${collection}/${afterId}`)
      await onAwait()
      return after.slice(0, limit).map(({ path, fields }) => ({ path, fields: idsOnly === true ? {} : fields }))
    },

    async count(collection) {
      await onAwait()
      const { length } = pathsIn(collection)
      await onAwait()
      return length
    },

    async transaction<T>(
      work: (transaction: Transaction) => Promise<T>,
      { isPatient = false }: TransactionOptions = {},
    ): Promise<T> {
      for (let attempt = 0; attempt < (isPatient ? patientAttempts : attempts); attempt += 1) {
        const seen = new Map<string, number>()
        let readTime: Date | undefined
        const writes = new Map<string, Fields | null>()
        const isStale = () => [...seen].some(([path, version]) => versionOf(path) !== version)
        let result: T
        try {
          result = await work({
            async get(paths) {
              if (writes.size > 0) throw new Error('a transaction reads before it writes')
              await onAwait()
              for (const path of paths) seen.set(path, seen.get(path) ?? versionOf(path))
              const found = paths.map(read)
              if (paths.length > 0) readTime = now()
              await onAwait()
              return found
            },
            set: (path, fields) => void writes.set(path, copy(fields)),
            delete: (path) => void writes.set(path, null),
            readTime() {
              if (readTime === undefined) throw new Error('a transaction knows the time of its reads only')
              return readTime
            },
          })
        } catch (error) {
          // What was decided from reads that do not belong together was never decided.
          if (isStale()) continue
          throw error
        }
        await onAwait()
        if (isStale()) continue
        write(writes)
        await onAwait()
        return result
      }
      throw new DirectoryError('aborted', 'Another call changed the same data. Try again.')
    },
  })

  return {
    ...through(onEveryAwait),
    all: () => new Map([...documents].map(([path, { fields }]) => [path, copy(fields)])),
    put: write,
    through,
  }
}

/** A deep copy in this realm: `structuredClone` makes the Dates of another one under Jest. */
function copy(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, copyValue(value)]))
}

function copyValue(value: unknown): unknown {
  if (value instanceof Date) return new Date(value)
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (Array.isArray(value)) return value.map(copyValue)
  return typeof value === 'object' && value !== null ? copy({ ...value }) : value
}

function at(fields: Fields, dotted: string): unknown {
  return dotted
    .split('.')
    .reduce<unknown>(
      (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
      fields,
    )
}

/** Firestore compares within a type only. */
function isWithin(value: unknown, where: NonNullable<Query['where']>): boolean {
  if ('above' in where) return typeof value === 'number' && value > where.above
  const { atMost } = where
  if (typeof atMost === 'number') return typeof value === 'number' && value <= atMost
  return value instanceof Date && value <= atMost
}

function inRange(stored: readonly Stored[], { field, from, to }: TextRange): Stored[] {
  const placed = stored.flatMap(({ path, fields }) => {
    const text = at(fields, field)
    return typeof text === 'string' ? [{ text, id: idOf(path), stored: { path, fields } }] : []
  })
  const isBefore = (a: TextRange['from'], b: TextRange['from']) => a.text < b.text || (a.text === b.text && a.id < b.id)
  return placed
    .filter((each) => !isBefore(each, from) && (to === null || isBefore(each, to)))
    .sort((a, b) => (isBefore(a, b) ? -1 : 1))
    .map((each) => each.stored)
}
