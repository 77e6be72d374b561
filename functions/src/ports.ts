import type { Challenge, Solution } from '@koko/contract'

/** The fields of a stored document. A Date is a Firestore Timestamp, a Uint8Array is bytes. */
export type Fields = Record<string, unknown>

export interface Stored {
  path: string
  fields: Fields
}

export interface Query {
  collection: string
  /** Only documents whose field, by its dotted path, is at most, or above, this; smallest first. */
  where?: { field: string; atMost: number | Date } | { field: string; above: number }
  /** Only documents whose field is text in this stretch, in the order of the text, then of ids. */
  between?: Stretch
  /** Only documents after this id; in the order of ids unless `where` orders them. */
  afterId?: string
  /** Documents without their fields. */
  idsOnly?: boolean
  limit: number
}

/** Texts of a field, and below a text the ids: `from` is in the stretch, `to` is not; null is the end. */
export interface Stretch {
  field: string
  from: { text: string; id: string }
  to: { text: string; id: string } | null
}

export interface Reader {
  /** The documents at these paths, in this order; null where there is none. */
  get: (paths: readonly string[]) => Promise<(Fields | null)[]>
}

/** Reads first, then writes; all of it takes place, or none. */
export interface Transaction extends Reader {
  /** Creates or replaces. */
  set: (path: string, fields: Fields) => void
  delete: (path: string) => void
}

export interface Store extends Reader {
  query: (query: Query) => Promise<Stored[]>
  /** How many documents a collection has. */
  count: (collection: string) => Promise<number>
  /**
   * Runs `work` in a serializable transaction, again when it lost a race; throws `aborted` when it lost too often.
   * What `work` returns or throws is passed on; a throw writes nothing.
   */
  transaction: <T>(work: (transaction: Transaction) => Promise<T>) => Promise<T>
}

/** Firebase Authentication. */
export interface SignIns {
  /** A custom token for the agent with these claims, good for an hour. */
  mint: (agentId: string, claims: Record<string, unknown>) => Promise<string>
  /** The claims of a valid ID token; null for any other. */
  verify: (idToken: string) => Promise<Record<string, unknown> | null>
  /** The sign-in record as it is kept; empty where there is none. */
  record: (agentId: string) => Promise<Fields>
  /** Ends the refresh tokens of the agent. */
  revoke: (agentId: string) => Promise<void>
  /** Deletes the sign-in; fine where there is none. */
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
  /** SHA-256 in base64url, for what is itself random. */
  hash: (text: string) => string
  /** HMAC-SHA-256 in hex, for what could be guessed: under the server's key, then under each former one. */
  keyedHashes: (purpose: string, text: string) => [current: string, ...former: string[]]
  /** A number of at least 0 and below 1, by a keyed hash. */
  fraction: (purpose: string, text: string) => number
  /** Encrypts and authenticates under the server's key. */
  seal: (purpose: string, text: string) => string
  /** What was sealed for this purpose; null for anything else. */
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
  /** Milliseconds that pass at the rate of real time and never jump. */
  monotonicMs: () => number
  /** Where the web pages are, such as `https://example-project.web.app`. */
  webOrigin: string
}
