import type { Channel } from '@koko/contract'
import type { StoredUnlink } from './known.ts'
import type { Session } from './session.ts'

/** What the parts of the page share. */
export interface Page {
  session: Session
  /** The last read began then; null before the first. */
  readAtMs: number | null
  /** Shows a change that the directory acknowledged, and reads again. */
  acknowledge: (channel: Channel, change: StoredUnlink | null) => void
  readNow: () => Promise<void>
  /** Reads often until the returned function is called: a change was sent, and its outcome is not known. */
  awaitOutcome: () => () => void
  /** True if the failure shows that the session is over; the page then says so. */
  endsWith: (error: unknown) => boolean
}
