import { Channel, minuteMs, republishedWithinMs, type Listing, type Unlink, type Unlinks } from '@koko/contract'
import type * as z from 'zod'
import type { Snapshot, Stored } from './session.ts'

export type StoredUnlink = z.infer<typeof Unlink>

/** Changes that the directory acknowledged after the last read: an unlink, or null where the unlink was lifted. */
export type Acknowledged = Partial<Record<Channel, StoredUnlink | null>>

/** What the page knows: what it read last, and what was acknowledged since. */
export interface Known {
  listing: Stored<Listing> | { state: 'unknown' }
  unlinks: Unlinks
  isReadable: boolean
}

export function knownOf(snapshot: Snapshot | null, acknowledged: Acknowledged): Known {
  const unlinks: Unlinks = {}
  for (const channel of Channel.options) {
    const stored = snapshot?.unlinks[channel]
    const change = acknowledged[channel]
    // An unlink that was there before keeps its time, and what is known of it.
    const isStored = change === undefined || (change !== null && change.unlinkedAtMs === stored?.unlinkedAtMs)
    const unlink = isStored ? stored : change
    if (unlink) unlinks[channel] = unlink
  }
  if (snapshot === null) return { listing: { state: 'unknown' }, unlinks, isReadable: true }
  const isReadable = snapshot.listing.state !== 'unreadable' && snapshot.areUnlinksReadable
  return { listing: without(snapshot.listing, acknowledged), unlinks, isReadable }
}

function without(stored: Stored<Listing>, acknowledged: Acknowledged): Stored<Listing> {
  if (stored.state !== 'readable') return stored
  const left = Object.entries(stored.value.channels).filter(([name]) => {
    const channel = Channel.options.find((each) => each === name)
    return channel === undefined || (acknowledged[channel] ?? null) === null
  })
  if (left.length === 0) return { state: 'absent' }
  return { state: 'readable', value: { ...stored.value, channels: Object.fromEntries(left) } }
}

/** An unlink that takes longer waits for something else than the next republish. */
const heldAfterMs = republishedWithinMs + minuteMs

/** Whether an unlink takes longer than usual: the host may have paused the republish. */
export function isHeld({ unlinkedAtMs, goneAtMs }: StoredUnlink, nowMs: number): boolean {
  return goneAtMs === null && nowMs >= unlinkedAtMs + heldAfterMs
}

/** Whether an unlink will soon be finished. */
export function isUnderWay(unlink: StoredUnlink, nowMs: number): boolean {
  return unlink.goneAtMs === null && !isHeld(unlink, nowMs)
}
