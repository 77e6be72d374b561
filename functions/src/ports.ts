import { DirectoryError, type Challenge, type Solution } from '@koko/contract'
import type { Allowances } from './allowances.ts'

/** The fields of a stored document. A Date is a Firestore Timestamp, a Uint8Array is bytes. */
export type Fields = Record<string, unknown>

export interface Stored {
  path: string
  fields: Fields
}

export interface Query {
  collection: string
  /** Only documents whose field (a dotted path) is at most, or above, this value; the smallest first. */
  where?: { field: string; atMost: number | Date } | { field: string; above: number }
  /** Only documents whose field is a text in this range, in the order of the texts, then of ids. */
  between?: TextRange
  /** Only documents after this id; in the order of ids unless `where` orders them. */
  afterId?: string
  /** Leaves out the fields. */
  idsOnly?: boolean
  limit: number
}

/** A range over a field's texts, then over ids. `from` is included, `to` is not; null means no end. */
export interface TextRange {
  field: string
  from: { text: string; id: string }
  to: { text: string; id: string } | null
}

export interface Reader {
  /** The documents at these paths, in this order; null for one that does not exist. */
  get: (paths: readonly string[]) => Promise<(Fields | null)[]>
}

/** Reads first, then writes. All writes take place, or none. */
export interface Transaction extends Reader {
  /** Creates or replaces. */
  set: (path: string, fields: Fields) => void
  delete: (path: string) => void
  /** The database's own time of the last read. Throws before the first. */
  readTime: () => Date
}

/** How long one operation of a store may take. After that it throws `unavailable`, or `OutcomeUnknown`. */
export interface Deadlines {
  /** Also of each read in a transaction. */
  readMs: number
  /** All attempts of a transaction together. */
  transactionMs: number
  /** The same of a patient transaction. */
  patientTransactionMs: number
}

/** A commit was sent, but its outcome did not arrive: it may or may not have been stored. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown'
}

/** Tells a caller what to do about an `OutcomeUnknown`; returns any other error as it is. */
export function adviseOn(error: unknown, advice: string): unknown {
  if (!(error instanceof OutcomeUnknown)) return error
  const message = 'The database did not confirm this call in time, so it may or may not have taken effect.'
  return new DirectoryError('unavailable', `${message} ${advice}`, { cause: error })
}

/**
 * The result of `work`, or the error of `late` if there is none within this time. `fail` ends the wait early with an
 * error. Work that goes on afterwards is ignored.
 */
export async function within<T>(
  timeoutMs: number,
  work: (fail: (error: unknown) => void) => Promise<T>,
  late: () => Error,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(late()), timeoutMs)
  try {
    return await Promise.race([work(reject), promise])
  } finally {
    clearTimeout(timer)
  }
}

export interface Store extends Reader {
  query: (query: Query) => Promise<Stored[]>
  /** How many documents a collection has. */
  count: (collection: string) => Promise<number>
  /**
   * Runs `work` in a serializable transaction. Retries it when it loses a race, and throws `aborted` after too many
   * attempts. Passes on what `work` returns or throws; a throw writes nothing. Throws `OutcomeUnknown` if a commit was
   * not confirmed, and makes no further attempt: `work` would meet its own writes.
   */
  transaction: <T>(work: (transaction: Transaction) => Promise<T>, options?: TransactionOptions) => Promise<T>
}

export interface TransactionOptions {
  /** Keeps trying for as long as a caller waits: it outlasts the locks of others. */
  isPatient?: boolean
  /** Stores only times of the database's own clock, so that it does not matter if the machine's is wrong. */
  usesDatabaseTime?: boolean
}

/** Firebase Authentication. */
export interface SignIns {
  /** A custom token for the agent with these claims, valid for an hour. */
  mint: (agentId: string, claims: Record<string, unknown>) => Promise<string>
  /** The claims of a valid ID token; null for any other. */
  verify: (idToken: string) => Promise<Record<string, unknown> | null>
  /** The stored sign-in record; empty if there is none. */
  record: (agentId: string) => Promise<Fields>
  revoke: (agentId: string) => Promise<void>
  /** Deletes the sign-in, if there is one. */
  remove: (agentId: string) => Promise<void>
}

/** Proof of work (ALTCHA). */
export interface Proofs {
  create: (expiresAtMs: number) => Promise<Challenge>
  /** When the challenge expires, if this directory signed it and the solution solves it. */
  verify: (
    challenge: { parameters: Record<string, unknown>; signature: string },
    solution: Solution,
  ) => Promise<{ expiresAtMs: number } | 'expired' | 'invalid'>
}

/** Randomness, hashes and keys. A purpose separates one use of the server's key from another. */
export interface Vault {
  uuid: () => string
  /** 32 random bytes as 43 characters of base64url. */
  code: () => string
  /** SHA-256 in base64url, for values that are random. */
  hash: (text: string) => string
  /** HMAC-SHA-256 in hex, for values that can be guessed: under the server's key, then under each former one. */
  keyedHashes: (purpose: string, text: string) => [current: string, ...former: string[]]
  /** A number from 0 up to, not including, 1, from a keyed hash. */
  fraction: (purpose: string, text: string) => number
  /** Encrypts and authenticates a text under the server's key. */
  seal: (purpose: string, text: string) => string
  /** The text that was sealed for this purpose; null for anything else. */
  open: (purpose: string, sealed: string) => string | null
}

export interface Codec {
  pack: (text: string) => Uint8Array
  unpack: (bytes: Uint8Array) => string
}

export interface Ports {
  store: Store
  signIns: SignIns
  proofs: Proofs
  vault: Vault
  codec: Codec
  allowances: Allowances
  /** Milliseconds of a clock that never jumps. */
  monotonicMs: () => number
  /** Where the web pages are, such as `https://example-project.web.app`. */
  webOrigin: string
}
