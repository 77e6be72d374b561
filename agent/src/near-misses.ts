/** The candidates that begin with what was typed or differ from it by few letters, the nearest first. */
export function nearMisses<T>(
  typed: string,
  candidates: readonly T[],
  namesOf: (candidate: T) => readonly string[],
): T[] {
  // One slip in a short word, up to three in a long one.
  const maxDistance = Math.min(3, Math.max(1, Math.floor(typed.length / 3)))
  const distanceTo = (name: string) => (typed.length >= 3 && name.startsWith(typed) ? 0.5 : slips(typed, name))
  return candidates
    .map((candidate) => ({ candidate, distance: Math.min(...namesOf(candidate).map(distanceTo)) }))
    .filter(({ distance }) => distance <= maxDistance)
    .sort((a, b) => a.distance - b.distance)
    .map(({ candidate }) => candidate)
}

/** How many letters were left out, added, mistaken or swapped with their neighbour (optimal string alignment). */
function slips(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= b.length; column += 1) {
      const isSame = a[row - 1] === b[column - 1]
      const isSwapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      current[column] = Math.min(
        (last[column] ?? Infinity) + 1,
        (current[column - 1] ?? Infinity) + 1,
        (last[column - 1] ?? Infinity) + (isSame ? 0 : 1),
        isSwapped ? (before[column - 2] ?? Infinity) + 1 : Infinity,
      )
    }
    before = last
    last = current
  }
  return last[b.length] ?? Infinity
}
