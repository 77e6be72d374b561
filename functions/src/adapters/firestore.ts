import { DirectoryError } from '@koko/contract'
import type { Firestore } from '@google-cloud/firestore'
import { FieldPath, Timestamp, type DocumentSnapshot } from '@google-cloud/firestore'
import type { Fields, Query, Store, TextRange, Transaction } from '../ports.ts'

/** The store on Cloud Firestore. */
export function createFirestoreStore(firestore: Firestore): Store {
  const reference = (path: string) => firestore.doc(path)

  return {
    async get(paths) {
      if (paths.length === 0) return []
      return (await named(() => firestore.getAll(...paths.map(reference)))).map(fieldsOf)
    },

    async query({ collection, where, between, afterId, idsOnly, limit }: Query) {
      let query = firestore.collection(collection).limit(limit)
      if (where !== undefined) {
        query =
          'above' in where ? query.where(where.field, '>', where.above) : query.where(where.field, '<=', where.atMost)
        query = query.orderBy(where.field)
      }
      if (between !== undefined) {
        query = query.orderBy(between.field).orderBy(FieldPath.documentId())
        query = query.startAt(...placeOf(between.from))
        if (between.to !== null) query = query.endBefore(...placeOf(between.to))
      }
      if (idsOnly === true) query = query.select()
      if (afterId !== undefined) query = query.orderBy(FieldPath.documentId()).startAfter(afterId)
      const { docs } = await named(() => query.get())
      return docs.map((document) => ({ path: document.ref.path, fields: plain(document.data()) }))
    },

    async count(collection) {
      return named(async () => (await firestore.collection(collection).count().get()).data().count)
    },

    async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
      return named(() =>
        firestore.runTransaction(async (transaction) => {
          let readTime: Timestamp | undefined
          return work({
            async get(paths) {
              if (paths.length === 0) return []
              const snapshots = await transaction.getAll(...paths.map(reference))
              readTime = snapshots[0]?.readTime
              return snapshots.map(fieldsOf)
            },
            set: (path, fields) => void transaction.set(reference(path), fields),
            delete: (path) => void transaction.delete(reference(path)),
            readTime() {
              if (readTime === undefined) throw new Error('a transaction knows the time of its reads only')
              return readTime.toDate()
            },
          })
        }),
      )
    },
  }
}

/** Firestore refuses an empty id. */
function placeOf({ text, id }: TextRange['from']): string[] {
  return id === '' ? [text] : [text, id]
}

function fieldsOf(snapshot: DocumentSnapshot): Fields | null {
  const fields = snapshot.data()
  return fields === undefined ? null : plain(fields)
}

/** Timestamps as Dates and bytes as Uint8Arrays, at any depth. */
function plain(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plainValue(value)]))
}

function plainValue(value: unknown): unknown {
  if (value instanceof Timestamp) return value.toDate()
  if (value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map(plainValue)
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return plain({ ...value })
  }
  return value
}

/** gRPC's status numbers, as https://grpc.io/docs/guides/status-codes/ names them. */
const invalidArgument = 3
const aborted = 10
const unavailable = [4, 8, 14]

/** Firestore's errors with the contract's codes. Their own messages name documents. */
async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
    if (code === invalidArgument) throw new DirectoryError('internal', 'The database refuses this.', { cause })
    if (code === aborted)
      throw new DirectoryError('aborted', 'Somebody else changed the same thing. Try again.', { cause })
    if (unavailable.some((each) => each === code)) {
      throw new DirectoryError('unavailable', 'The database does not answer. Try again later.', { cause })
    }
    throw cause
  }
}
