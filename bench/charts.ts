import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../scripts/stack/addresses.ts'
import { formatNumber, markdownTables, type Figure, type Result } from './figures.ts'

/** Pairs of bars, ours above the baseline's. */
export interface Chart {
  title: string
  unit: string
  bars: readonly { label: string; ours: number | null; baseline: number | null }[]
}

const width = 720
const labelWidth = 250
const barWidth = 360
const barHeight = 14
const rowHeight = 42
const top = 56

/** A chart for light and dark backgrounds, logarithmic if the values are far apart. */
export function drawChart({ title, unit, bars }: Chart): string {
  const values = bars.flatMap(({ ours, baseline }) => [ours, baseline]).filter((value) => value !== null)
  const max = Math.max(...values, 0)
  const min = Math.min(...values.filter((value) => value > 0))
  const isWide = max / min > 50
  const length = (value: number) => {
    if (value <= 0) return 1
    const share = isWide ? (Math.log(value / min) + 0.5) / (Math.log(max / min) + 0.5) : value / max
    return Math.max(2, Math.round(share * barWidth))
  }
  const bar = (value: number | null, y: number, name: string) =>
    value === null
      ? ''
      : `<rect class="${name}" x="${labelWidth}" y="${y}" width="${length(value)}" height="${barHeight}" rx="2"/>` +
        `<text class="value" x="${labelWidth + length(value) + 6}" y="${y + 11}">${formatNumber(value)}</text>`
  const rows = bars.map(({ label, ours, baseline }, index) => {
    const y = top + index * rowHeight
    return [
      `<text class="label" x="${labelWidth - 10}" y="${y + 19}">${escaped(label)}</text>`,
      bar(ours, y, 'ours'),
      bar(baseline, y + barHeight + 2, 'baseline'),
    ].join('')
  })
  const height = top + bars.length * rowHeight + 8
  const scale = isWide ? `${unit}, logarithmic` : unit
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.label { text-anchor: end }
.ours { fill: #0a6e5c }
.baseline { fill: #a8642a }
.ground { fill: #ffffff }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.ours { fill: #3fbfa4 }
.baseline { fill: #e0995c }
.ground { fill: #0d1117 }
}
</style>
<rect class="ground" width="${width}" height="${height}" rx="6"/>
<text class="title" x="12" y="22">${escaped(title)}</text>
<rect class="ours" x="12" y="34" width="10" height="10"/><text x="28" y="43">ours</text>
<rect class="baseline" x="72" y="34" width="10" height="10"/><text x="88" y="43">baseline (${escaped(scale)})</text>
${rows.join('\n')}
</svg>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

/** The charts of a run, by the names of their files. */
export function chartsOf(figures: readonly Figure[]): Record<string, Chart> {
  const bars = (pattern: RegExp, label: (figure: Figure) => string) =>
    figures
      .filter(({ group, what }) => pattern.test(`${group}: ${what}`))
      .map((figure) => ({ label: label(figure), ours: figure.ours, baseline: figure.baseline }))
  const room = ({ group }: Figure) => (/room of ([\d,]+)/.exec(group)?.[1] ?? group) + ' agents'
  const dollars = 'US$'
  const largest = Math.max(
    ...figures.flatMap(({ group }) => Number(/room of ([\d,]+)/.exec(group)?.[1]?.replaceAll(',', '') ?? [])),
  )
  const ofLargest = `room of ${largest.toLocaleString('en-US')}`
  return {
    'price-of-pages': {
      title: `Firestore for a million calls, ${ofLargest}`,
      unit: dollars,
      bars: bars(new RegExp(`Documents per call, ${ofLargest}: .*Firestore`), ({ what }) =>
        what.replace(/: Firestore.*/, ''),
      ),
    },
    'later-pages': {
      title: 'Later pages of 50, 1 connection, p50',
      unit: "ms; above 1,000 agents the emulator's scan decides the baseline's",
      bars: bars(/Speed.*later pages, 1 connection, p50/, room),
    },
    throughput: {
      title: 'Walks of five pages of 50, 8 connections',
      unit: "calls a second; above 1,000 agents the emulator's scan decides the baseline's",
      bars: bars(/Speed.*walks of 5 pages, 8 connections/, room),
    },
    'republish-reads': {
      title: 'Documents read by a republish after one change',
      unit: 'the baseline reads the room',
      bars: bars(/Republish.*after 1 change: read/, room),
    },
    'cost-of-a-day': {
      title: 'A day, all in',
      unit: dollars,
      bars: bars(/Costs.*all in/, ({ what }) => what.replace(/: all in/, '')),
    },
  }
}

const measured = /<!-- measured -->[^]*<!-- \/measured -->/

/** Draws the charts of the full run, and puts its tables into the page about performance. */
export async function writeReport(): Promise<void> {
  const folder = join(root, 'bench', 'results')
  const result = JSON.parse(await readFile(join(folder, 'full.json'), 'utf8')) as Result
  await mkdir(folder, { recursive: true })
  const charts = Object.entries(chartsOf(result.figures))
  for (const [name, chart] of charts) await writeFile(join(folder, `${name}.svg`), drawChart(chart))
  const machine = Object.entries(result.machine).map(([name, value]) => `${name} ${String(value)}`)
  const [head = [], ...rows] = result.tables.collusion ?? []
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const text = [
    '<!-- measured -->',
    '',
    `Run of ${result.date}, ${result.seconds} s: ${machine.join(' · ')}.`,
    '',
    ...charts.map(([name, { title }]) => `![${title}](../bench/results/${name}.svg)\n`),
    markdownTables(result.figures),
    '',
    '### Colluding identities',
    '',
    line(head),
    line(head.map(() => '---')),
    ...rows.map(line),
    '',
    '<!-- /measured -->',
  ].join('\n')
  const page = join(root, 'docs', 'performance.md')
  await writeFile(
    page,
    (await readFile(page, 'utf8')).replace(measured, () => text),
  )
}

if (import.meta.main) await writeReport()
