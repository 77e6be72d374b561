import { DirectoryError } from '@koko/contract'
import {
  FieldPath,
  Firestore,
  Timestamp,
  type DocumentSnapshot,
  type Transaction as FirestoreTransaction,
} from '@google-cloud/firestore'
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomInt } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import {
  OutcomeUnknown,
  within,
  type Deadlines,
  type Fields,
  type Query,
  type Store,
  type TextRange,
  type Transaction,
  type TransactionOptions,
} from '../ports.ts'

/** What the gRPC calls of one operation share. */
interface Operation {
  endsAtMs: number
  /** How much longer than the operation its calls may take. */
  lingerMs: number
  isOver: boolean
  /** A commit was sent, and Firestore has not refused it. */
  mayBeStored: boolean
}

/** A client with a connection of its own, and how many operations use it. */
interface Connection {
  firestore: Firestore
  running: number
  isRetired: boolean
  closed: PromiseWithResolvers<undefined>
}

/**
 * The store on Cloud Firestore. Left alone, the client waits for minutes and repeats calls that took too long, so each
 * operation has a deadline that its gRPC calls share. A connection on which an operation passed its deadline gets no
 * new ones: it may never answer again.
 */
export function createFirestoreStore(projectId: string, deadlines: Deadlines): Store & AsyncDisposable {
  const operations = new AsyncLocalStorage<Operation>()
  const open = new Set<Connection>()
  const held = { connection: connect() }

  function connect(): Connection {
    const firestore = new Firestore({
      projectId,
      ignoreUndefinedProperties: true,
      'grpc.callInvocationTransformer': (call: GrpcCall) => limitCall(call, operations.getStore()),
      // The default grows to two minutes. A shorter one lets a read reach a database that is back.
      'grpc.max_reconnect_backoff_ms': 1_000,
    })
    const connection = { firestore, running: 0, isRetired: false, closed: Promise.withResolvers<undefined>() }
    open.add(connection)
    return connection
  }

  /** Closes a connection when no operation uses it any more: a closed client fails in ways that nobody can catch. */
  function retire(connection: Connection): void {
    connection.isRetired = true
    if (connection.running > 0) return
    open.delete(connection)
    connection.firestore.terminate().then(() => connection.closed.resolve(undefined), connection.closed.reject)
  }

  function release(connection: Connection): void {
    connection.running -= 1
    if (connection.isRetired) retire(connection)
  }

  /** What `work` returns or throws, or `unavailable` after this time. */
  async function limit<T>(
    { connection, operation, timeoutMs }: { connection: Connection; operation: Operation; timeoutMs: number },
    work: (fail: (error: unknown) => void) => Promise<T>,
  ): Promise<T> {
    connection.running += 1
    const settle = (fail: (error: unknown) => void) =>
      operations.run(operation, async () => work(fail)).finally(() => release(connection))
    try {
      return await within(timeoutMs, settle, () => {
        if (connection === held.connection) {
          held.connection = connect()
          retire(connection)
        }
        return noAnswer()
      })
    } finally {
      operation.isOver = true
    }
  }

  async function read<T>(work: (firestore: Firestore) => Promise<T>): Promise<T> {
    const { connection } = held
    const limits = { connection, operation: startOperation(deadlines.readMs, 0), timeoutMs: deadlines.readMs }
    return limit(limits, () => work(connection.firestore)).catch(throwNamed)
  }

  return {
    async get(paths) {
      if (paths.length === 0) return []
      return read(async (firestore) =>
        (await firestore.getAll(...paths.map((path) => firestore.doc(path)))).map(fieldsOf),
      )
    },

    query({ collection, where, between, afterId, idsOnly, limit }: Query) {
      return read(async (firestore) => {
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
        const { docs } = await query.get()
        return docs.map((document) => ({ path: document.ref.path, fields: plain(document.data()) }))
      })
    },

    count: (collection) =>
      read(async (firestore) => (await firestore.collection(collection).count().get()).data().count),

    async transaction<T>(
      work: (transaction: Transaction) => Promise<T>,
      { isPatient = false }: TransactionOptions = {},
    ): Promise<T> {
      const { connection } = held
      const { firestore } = connection
      const timeoutMs = isPatient ? deadlines.patientTransactionMs : deadlines.transactionMs
      const operation = startOperation(timeoutMs, transactionLingerMs)
      try {
        return await limit({ connection, operation, timeoutMs }, (fail) => {
          const attempt = async (transaction: FirestoreTransaction) => {
            assertOpen(operation)
            let readTime: Timestamp | undefined
            const result = await work({
              async get(paths) {
                if (paths.length === 0) return []
                const timeoutMs = Math.max(0, Math.min(deadlines.readMs, operation.endsAtMs - Date.now()))
                const limits = { connection, operation: startOperation(timeoutMs, transactionLingerMs), timeoutMs }
                try {
                  const read = () => transaction.getAll(...paths.map((path) => firestore.doc(path)))
                  const snapshots = await limit(limits, read)
                  readTime = snapshots[0]?.readTime
                  return snapshots.map(fieldsOf)
                } catch (error) {
                  // Before the client rejects, it waits for its own attempts at this read.
                  if (error instanceof DirectoryError) fail(error)
                  throw error
                }
              },
              set: (path, fields) => void transaction.set(firestore.doc(path), fields),
              delete: (path) => void transaction.delete(firestore.doc(path)),
              readTime() {
                if (readTime === undefined) throw new Error('a transaction knows the time of its reads only')
                return readTime.toDate()
              },
            })
            assertOpen(operation)
            return result
          }
          if (!isPatient) return firestore.runTransaction(attempt)
          const run = () => firestore.runTransaction(attempt, { maxAttempts: 1 })
          return persist(run, operation.endsAtMs - lastAttemptMs)
        })
      } catch (cause) {
        if (operation.mayBeStored) throw new OutcomeUnknown('Firestore did not confirm a commit.', { cause })
        throwNamed(cause)
      }
    },

    async [Symbol.asyncDispose]() {
      const left = [...open]
      left.forEach(retire)
      await Promise.all(left.map(({ closed }) => closed.promise))
    },
  }
}

function startOperation(timeoutMs: number, lingerMs: number): Operation {
  return { endsAtMs: Date.now() + timeoutMs, lingerMs, isOver: false, mayBeStored: false }
}

/**
 * A read that starts a transaction locks what it reads, for a minute or more if nobody ends the transaction. The client
 * can roll it back only when the answer says which one it is, so it goes on waiting after our caller has got an error.
 */
const transactionLingerMs = 60_000

/** A commit waits this long for the locks of others, and some more. An attempt that starts later may be cut off. */
const lastAttemptMs = 5_000
/** The client's own pauses grow with each attempt, and would miss the moment when a lock is free. */
const minPauseMs = 100
const maxPauseMs = 1_000

/** Repeats a transaction that others prevent, until this time. The pauses are random, so that two do not meet again. */
async function persist<T>(run: () => Promise<T>, untilMs: number): Promise<T> {
  for (;;) {
    try {
      return await run()
    } catch (error) {
      const pauseMs = randomInt(minPauseMs, maxPauseMs)
      const isTemporary = [aborted, ...unavailable].some((each) => each === codeOf(error))
      if (!isTemporary || Date.now() + pauseMs > untilMs) throw error
      await setTimeout(pauseMs)
    }
  }
}

/** Throws if a transaction must not commit: its caller has an answer, or an earlier attempt may have been stored. */
function assertOpen({ isOver, mayBeStored }: Operation): void {
  if (isOver || mayBeStored) throw noAnswer()
}

/** What gRPC passes to a `callInvocationTransformer` (@grpc/grpc-js, `CallProperties`), as far as it is used here. */
interface GrpcCall {
  methodDefinition: { path: string }
  callOptions: { deadline?: Date | number }
  callback?: (error: { code?: number } | null, value?: unknown) => void
}

/** Ends a call with its operation, and notes whether a commit may have been stored. */
function limitCall(call: GrpcCall, operation: Operation | undefined): GrpcCall {
  const { methodDefinition, callOptions, callback } = call
  const method = methodDefinition.path.slice(methodDefinition.path.lastIndexOf('/') + 1)
  if (operation === undefined) return call
  // A rollback begins when the operation is over.
  const mayBegin = !operation.isOver || method === 'Rollback'
  const deadline = mayBegin ? Math.max(operation.endsAtMs, Date.now()) + operation.lingerMs : 0
  const limited = { ...call, callOptions: { ...callOptions, deadline } }
  if (method !== 'Commit' || callback === undefined || operation.isOver) return limited
  const { mayBeStored } = operation
  operation.mayBeStored = true
  return {
    ...limited,
    callback(error, value) {
      if (error === null || isRefusal(error.code)) operation.mayBeStored = mayBeStored
      callback(error, value)
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
/** Cancelled, unknown, deadline exceeded, internal, unavailable: the call may have taken effect. */
const ambiguous = [1, 2, 4, 13, 14]

function isRefusal(code: number | undefined): boolean {
  return code !== undefined && !ambiguous.includes(code)
}

function noAnswer(cause?: unknown): DirectoryError {
  return new DirectoryError('unavailable', 'The database does not answer. Try again in a minute.', { cause })
}

/** Firestore's errors with the contract's codes. Their own messages name documents. */
function throwNamed(cause: unknown): never {
  const code = codeOf(cause)
  if (code === invalidArgument) throw new DirectoryError('internal', 'The database refuses this.', { cause })
  if (code === aborted) throw new DirectoryError('aborted', 'Another call changed the same data. Try again.', { cause })
  if (unavailable.some((each) => each === code)) throw noAnswer(cause)
  throw cause
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
