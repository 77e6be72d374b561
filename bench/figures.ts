/** One row of the table: ours, the baseline's in the same run, and the target. */
export interface Figure {
  group: string
  what: string
  unit: string
  ours: number | null
  /** Null if the baseline has no comparable figure; `note` says why. */
  baseline: number | null
  target?: Target
  note?: string
}

/** Creates the figures of a group. */
export function figuresOf(group: string) {
  return (
    what: string,
    unit: string,
    ours: number,
    baseline: number | null,
    rest: Pick<Figure, 'target' | 'note'> = {},
  ): Figure => ({ group, what, unit, ours, baseline, ...rest })
}

/** A run, as it is kept in `bench/results/`. */
export interface Result {
  date: string
  seconds: number
  machine: Record<string, unknown>
  figures: Figure[]
  tables: Record<string, string[][]>
}

type Target = { atMost: number } | { atLeast: number }

/** Whether a figure reaches its target, and if not, by how much it misses. */
export function verdict({ ours, target }: Pick<Figure, 'ours' | 'target'>): string {
  if (target === undefined || ours === null) return ''
  const [bound, isReached] =
    'atMost' in target ? [target.atMost, ours <= target.atMost] : [target.atLeast, ours >= target.atLeast]
  const sign = 'atMost' in target ? '≤' : '≥'
  if (isReached) return `${sign} ${formatNumber(bound)}: reached`
  const by =
    bound === 0
      ? formatNumber(Math.abs(ours - bound))
      : `${formatNumber(Number((Math.abs(ours / bound - 1) * 100).toFixed(1)))} %`
  return `${sign} ${formatNumber(bound)}: missed by ${by}`
}

export function formatNumber(value: number | null): string {
  if (value === null || Number.isNaN(value)) return '–'
  if (Number.isInteger(value)) return value.toLocaleString('en-US')
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { maximumFractionDigits: digits, minimumFractionDigits: digits })
}

const headings = ['', 'unit', 'ours', 'baseline', 'to reach', 'note']

function cellsOf(figure: Figure): string[] {
  const { what, unit, ours, baseline, note = '' } = figure
  return [what, unit, formatNumber(ours), formatNumber(baseline), verdict(figure), note]
}

function groupsOf(figures: readonly Figure[]): [string, Figure[]][] {
  return [...Map.groupBy(figures, ({ group }) => group)]
}

/** The table for a terminal. */
export function textTable(figures: readonly Figure[]): string {
  return groupsOf(figures)
    .map(([group, ofGroup]) => `${group}\n${textColumns([headings, ...ofGroup.map(cellsOf)])}`)
    .join('\n\n')
}

/** Rows in columns, with numbers aligned right. */
export function textColumns(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  const pad = (cell: string, column: number) =>
    /^[\d.,–]+( %)?$/.test(cell) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n')
}

/** The table for a page. */
export function markdownTables(figures: readonly Figure[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return groupsOf(figures)
    .map(([group, ofGroup]) =>
      [
        `### ${group}`,
        '',
        line(headings),
        line(['---', '---', '--:', '--:', '---', '---']),
        ...ofGroup.map((figure) => line(cellsOf(figure))),
      ].join('\n'),
    )
    .join('\n\n')
}
