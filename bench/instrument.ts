// Loaded first into each measured process of the functions framework, in either arm. Counts what Firestore bills in the
// Firestore client, and sends the counts to the parent process on request.
import '../testing/deployed/production-network.ts'
import { Firestore, Query, Transaction } from '@google-cloud/firestore'
import type { Counts } from './counts.ts'
import { peakBytes } from './peak.ts'

type Method = (this: object, ...args: unknown[]) => unknown

const counted = { reads: {} as Record<string, number>, writes: 0, deletes: 0, scanMs: 0 }
const pending = new WeakMap<object, { writes: number; deletes: number }>()

wrap(Firestore.prototype, 'getAll', countDocuments)
wrap(Transaction.prototype, 'getAll', countDocuments)
wrap(Query.prototype, 'get', async (get) => {
  const startedMs = performance.now()
  const found = (await get()) as { size: number; query: { _queryOptions: QueryOptions } }
  const { collectionId, fieldFilters, filters = fieldFilters } = found.query._queryOptions
  countRead(collectionId, Math.max(1, found.size))
  if (filters !== undefined && filters.length > 0) counted.scanMs += performance.now() - startedMs
  return found
})
wrap(Query.prototype, 'count', (count) => {
  // Billed as a read for each thousand documents, of which there are fewer here.
  countRead('counts', 1)
  return count()
})
for (const [name, kind] of [
  ['set', 'writes'],
  ['delete', 'deletes'],
] as const) {
  wrap(Transaction.prototype, name, (call, transaction) => {
    const counts = pending.get(transaction) ?? { writes: 0, deletes: 0 }
    counts[kind] += 1
    pending.set(transaction, counts)
    return call()
  })
}
wrap(Transaction.prototype, 'commit', async (commit, transaction) => {
  // A failed attempt writes nothing, and the next attempt sets the same documents again.
  const { writes, deletes } = pending.get(transaction) ?? { writes: 0, deletes: 0 }
  pending.delete(transaction)
  const done = await commit()
  counted.writes += writes
  counted.deletes += deletes
  return done
})

process.on('message', () => {
  const counts: Counts = {
    ...counted,
    rssBytes: process.memoryUsage.rss(),
    peakBytes: peakBytes(),
  }
  process.send?.(counts)
})

interface QueryOptions {
  collectionId: string
  filters?: unknown[]
  fieldFilters?: unknown[]
}

function countDocuments(getAll: () => unknown, _of: object, references: unknown[]): unknown {
  for (const reference of references as { path: string }[]) {
    // Counts the shards and their manifest separately from the listings.
    const parts = reference.path.split('/')
    countRead(parts.at(-2) === 'discovery' ? 'manifest' : (parts.at(-2) ?? ''), 1, parts[0])
  }
  return getAll()
}

/** Badges and listings share the name of their collection. */
function countRead(collection: string, count: number, root = ''): void {
  const kind = collection === 'agents' ? (root === 'agents' ? 'badges' : 'listings') : collection
  counted.reads[kind] = (counted.reads[kind] ?? 0) + count
}

function wrap(
  prototype: object,
  name: string,
  around: (call: () => unknown, receiver: object, args: unknown[]) => unknown,
): void {
  const methods = prototype as Record<string, Method>
  const original = methods[name]
  if (original === undefined) throw new Error(`the Firestore client has no method ${name}`)
  methods[name] = function (...args) {
    return around(() => original.apply(this, args), this, args)
  }
}
