/** Google's list prices for us-central1 in US dollars, November 2026, without the free quota. */
export const prices = {
  /** https://cloud.google.com/firestore/pricing, Standard edition: for one document. */
  read: 0.03 / 100_000,
  write: 0.09 / 100_000,
  delete: 0.01 / 100_000,
}

export interface Operations {
  reads: number
  writes: number
  deletes: number
}

/** What Firestore charges for a million of these. */
export function pricePerMillion({ reads, writes, deletes }: Operations): number {
  return 1_000_000 * (reads * prices.read + writes * prices.write + deletes * prices.delete)
}
