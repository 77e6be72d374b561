import { channelNames, distanceWords, share, summaryFields, summaryWords } from '../labels.ts'
import { distanceRules, ruleWords } from '../matching/engine.ts'
import type { Discovery } from '../operations/discover.ts'
import { DiscoverOptions } from '../operations/options.ts'
import { columns, counted, type Style } from '../output.ts'
import { defineCommand } from './define-command.ts'

/** People are shown this many matches; `--json` has all. */
const maxShown = 30

export const command = defineCommand({
  summary: 'Find peers, and match them here',
  examples: ['discover', 'discover --near-me', 'discover --explain --json'],
  options: DiscoverOptions,
  run: async (context, options) => (await import('../operations/discover.ts')).discover(context, options),
  show,
})

function show(discovery: Discovery, style: Style): string {
  const { looked, matches, leftOut, leftOutPeers, hasMore, budget, note } = discovery
  const shown = matches.slice(0, maxShown)
  const [best] = shown
  const tooFar = [...distanceRules].reduce((sum, rule) => sum + (leftOut[rule] ?? 0), 0)
  const short = shortIds([...matches, ...(leftOutPeers ?? [])].map(({ agentId }) => agentId))
  return [
    style.bold(`${counted(looked, 'listing', 'listings')} looked at, ${counted(matches.length, 'match', 'matches')}.`),
    shown.length === 0 ? '' : matchTable(shown, short, style),
    matches.length === shown.length ? '' : `${matches.length - shown.length} more matches: \`--json\` names all.`,
    best === undefined ? '' : `\`koko peer ${short(best.agentId)}\` asks again, and shows how to reach that peer.`,
    showLeftOut(leftOut, leftOutPeers, short),
    tooFar > looked / 2 ? 'Many are too far away: `--near-me` begins with the nearest.' : '',
    note === undefined ? '' : style.warn(note),
    style.dim(
      `Today ${share(budget.discover)} listings were discovered, and ${share(budget.batchGet)} peers asked for again. ` +
        (hasMore ? 'There are more.' : 'There are no more.'),
    ),
  ]
    .filter((paragraph) => paragraph !== '')
    .join('\n\n')
}

type Found = Discovery['matches'][number]

function matchTable(matches: readonly Found[], short: (agentId: string) => string, style: Style): string {
  // A narrow terminal loses the columns with the highest `spare` first; those with 0 always stay.
  const titled: { title: string; cell: (match: Found) => string; spare: number }[] = [
    { title: 'id', cell: ({ agentId }) => short(agentId), spare: 0 },
    ...summaryFields(matches).map(({ name, heading }, index) => ({
      title: heading,
      cell: (match: Found) => summaryWords(match, name),
      // The first stays longest; the distance goes before the others.
      spare: index === 0 ? 1 : Math.min(index + 2, 4),
    })),
    { title: 'distance', cell: ({ distanceKm }) => distanceWords(distanceKm), spare: 2 },
    { title: 'reached by', cell: contactWords, spare: 0 },
    { title: '', cell: ({ isNew }) => (isNew ? 'new' : ''), spare: 5 },
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

/** The best channel with its handle, and the names of the others. */
function contactWords({ channels: [best, ...others] }: Found): string {
  if (best === undefined) return ''
  const name = channelNames[best.channel]
  const also = others.length === 0 ? '' : ` or ${others.map(({ channel }) => channelNames[channel]).join(', ')}`
  return best.handle === undefined ? `${name}${also}, not asked for again` : `${name} ${best.handle}${also}`
}

function showLeftOut(
  leftOut: Discovery['leftOut'],
  peers: Discovery['leftOutPeers'],
  short: (agentId: string) => string,
): string {
  const sum = Object.values(leftOut).reduce<number>((total, count = 0) => total + count, 0)
  if (sum === 0) return ''
  if (peers === undefined) return `${sum} left out: \`--explain\` says by which rule.`
  return `${sum} left out:\n${columns(peers.map(({ agentId, rule }) => [short(agentId), ruleWords[rule] ?? rule]))}`
}

/** Shortens ids to a common length, at least eight characters, at which each stays unique. */
function shortIds(agentIds: readonly string[]): (agentId: string) => string {
  let length = 8
  while (length < 36 && new Set(agentIds.map((agentId) => agentId.slice(0, length))).size < agentIds.length) length += 1
  return (agentId) => agentId.slice(0, length)
}
