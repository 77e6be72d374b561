import type { Channel, Unlink } from '@koko/contract'
import type { Handles, Published } from '../home/files.ts'
import type * as z from 'zod'

/** What the directory acknowledged: the moments are its own. */
export interface Acknowledged {
  channel: Channel
  unlinkedAtMs: number
  /** No answer that starts later holds the handle. */
  goneByMs: number
}

/** How far a channel that was taken back is gone. It is out of the listing with the acknowledgement. */
export interface UnlinkProgress {
  isOutOfAnswers: boolean
  /** When no discovery shard held the handle any more; null until then. */
  goneAtMs: number | null
}

/** Where an unlink stands, from what the directory stores and from the time that went by since it acknowledged. */
export function progressOf(
  { unlinkedAtMs, goneByMs }: Acknowledged,
  { goneAtMs }: Pick<z.infer<typeof Unlink>, 'goneAtMs'>,
  elapsedMs: number,
): UnlinkProgress {
  // Two moments of the directory's clock, or a span of this one's: the two clocks are never compared.
  const isLongGone = goneAtMs !== null && goneAtMs >= goneByMs
  return { isOutOfAnswers: isLongGone || elapsedMs >= goneByMs - unlinkedAtMs, goneAtMs }
}

/** The handles, with the agreement to one withdrawn. The handle stays, for the day that the channel is allowed again. */
export function withoutAgreement(handles: Handles, channel: Channel): Handles {
  const kept = handles[channel]
  return kept === undefined ? handles : { ...handles, [channel]: { ...kept, agreedAtMs: null } }
}

/** What is published once a channel was taken back. */
export function withoutChannel(
  { publishedAtMs, listing, withheld }: Published,
  { channel, unlinkedAtMs }: Acknowledged,
): Published {
  const { [channel]: _taken, ...channels } = listing?.channels ?? {}
  return {
    publishedAtMs,
    listing: listing === null || Object.keys(channels).length === 0 ? null : { ...listing, channels },
    withheld: [...withheld.filter((each) => each.channel !== channel), { channel, unlinkedAtMs }],
  }
}
