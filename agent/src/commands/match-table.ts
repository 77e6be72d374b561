import { distanceWords, summaryFields, summaryWords } from '../labels.ts'
import type { PeerMatch } from '../operations/discover.ts'
import type { Style } from '../output.ts'

/** Matches in columns, the last two of which the command gives: how a peer is reached, and a note. */
export function matchTable<Match extends PeerMatch>(
  matches: readonly Match[],
  { contact, note }: { contact: (match: Match) => string; note: { title: string; cell: (match: Match) => string } },
  short: (agentId: string) => string,
  style: Style,
): string {
  // A narrow terminal loses the columns with the highest `spare` first; those with 0 always stay.
  const titled: { title: string; cell: (match: Match) => string; spare: number }[] = [
    { title: 'id', cell: ({ agentId }) => short(agentId), spare: 0 },
    ...summaryFields(matches).map(({ name, heading }, index) => ({
      title: heading,
      cell: (match: Match) => summaryWords(match, name),
      // The first stays longest; the distance goes before the others.
      spare: index === 0 ? 1 : Math.min(index + 2, 4),
    })),
    { title: 'distance', cell: ({ distanceKm }) => distanceWords(distanceKm), spare: 2 },
    { title: 'reached by', cell: contact, spare: 0 },
    { ...note, spare: 5 },
  ]
  const all = titled.map((column) => {
    const cells = matches.map(column.cell)
    return { ...column, cells, width: Math.max(column.title.length, ...cells.map((cell) => cell.length)) }
  })
  const widthOf = (of: typeof all) => of.reduce((sum, { width }) => sum + width + 2, 0)
  let kept = all
  for (const spare of [5, 4, 3, 2, 1]) {
    if (widthOf(kept) > style.width) kept = kept.filter((column) => column.spare !== spare)
  }
  const line = (cells: readonly string[]) =>
    `  ${kept.map(({ width }, index) => (cells[index] ?? '').padEnd(width)).join('  ')}`.trimEnd()
  return [
    style.dim(line(kept.map(({ title }) => title))),
    ...matches.map((_, row) => line(kept.map(({ cells }) => cells[row] ?? ''))),
  ].join('\n')
}

/** Shortens ids to a common length, at least eight characters, at which each stays unique. */
export function shortIds(agentIds: readonly string[]): (agentId: string) => string {
  let length = 8
  while (length < 36 && new Set(agentIds.map((agentId) => agentId.slice(0, length))).size < agentIds.length) length += 1
  return (agentId) => agentId.slice(0, length)
}
