/** The Firestore operations of a process, as Firestore bills them, and its memory. */
export interface Counts {
  /** Documents read, by the collection they are in; a query that finds nothing is one. */
  reads: Record<string, number>
  writes: number
  deletes: number
  /** Milliseconds spent in queries with a condition, which the emulator answers by a scan of the collection. */
  scanMs: number
  rssBytes: number
  peakBytes: number
}

export function readsOf({ reads }: Pick<Counts, 'reads'>): number {
  return Object.values(reads).reduce((sum, count) => sum + count, 0)
}

/** The operations between two moments, with the memory of the later one. */
export function countsBetween(before: Counts, after: Counts): Counts {
  const reads = Object.fromEntries(
    Object.entries(after.reads)
      .map(([kind, count]): [string, number] => [kind, count - (before.reads[kind] ?? 0)])
      .filter(([, count]) => count > 0),
  )
  return {
    ...after,
    reads,
    writes: after.writes - before.writes,
    deletes: after.deletes - before.deletes,
    scanMs: after.scanMs - before.scanMs,
  }
}
