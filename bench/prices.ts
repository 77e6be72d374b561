import { prices, type Operations } from '../scripts/costs.ts'

/** What Firestore charges for a million of these, in US dollars. */
export function pricePerMillion({ reads, writes, deletes }: Operations): number {
  return 1_000_000 * (reads * prices.read + writes * prices.write + deletes * prices.delete)
}
