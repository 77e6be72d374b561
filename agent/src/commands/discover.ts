import { channelNames, share } from '../labels.ts'
import { distanceRules, ruleWords } from '../matching/engine.ts'
import type { Discovery } from '../operations/discover.ts'
import { DiscoverOptions } from '../operations/options.ts'
import { columns, counted, type Style } from '../output.ts'
import { defineCommand } from './define-command.ts'
import { matchTable, shortIds } from './match-table.ts'

/** People are shown this many matches; `--json` has all. */
const maxShown = 30

export const command = defineCommand({
  summary: 'Find peers that match',
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
    style.bold(`Looked at ${counted(looked, 'listing', 'listings')}: ${counted(matches.length, 'match', 'matches')}.`),
    shown.length === 0 ? '' : matchTable(shown, { contact: contactWords, note: newNote }, short, style),
    matches.length === shown.length ? '' : `${matches.length - shown.length} more matches: \`--json\` shows all.`,
    best === undefined
      ? ''
      : `\`koko peer ${short(best.agentId)}\` checks that this peer is still listed, and shows how to reach it.`,
    showLeftOut(leftOut, leftOutPeers, short),
    tooFar > looked / 2 ? 'Many are too far away: `--near-me` starts with the nearest.' : '',
    note === undefined ? '' : style.warn(note),
    style.dim(
      `Used today: ${share(budget.discover)} listings discovered, ${share(budget.batchGet)} peers refreshed. ` +
        (hasMore ? 'There are more listings.' : 'There are no more listings.'),
    ),
  ]
    .filter((paragraph) => paragraph !== '')
    .join('\n\n')
}

type Found = Discovery['matches'][number]

const newNote = { title: '', cell: ({ isNew }: Found) => (isNew ? 'new' : '') }

/** The best channel with its handle, and the names of the others. */
function contactWords({ channels: [best, ...others] }: Found): string {
  if (best === undefined) return ''
  const name = channelNames[best.channel]
  const also = others.length === 0 ? '' : ` or ${others.map(({ channel }) => channelNames[channel]).join(', ')}`
  return best.handle === undefined ? `${name}${also}, not refreshed` : `${name} ${best.handle}${also}`
}

function showLeftOut(
  leftOut: Discovery['leftOut'],
  peers: Discovery['leftOutPeers'],
  short: (agentId: string) => string,
): string {
  const sum = Object.values(leftOut).reduce<number>((total, count = 0) => total + count, 0)
  if (sum === 0) return ''
  if (peers === undefined) return `${sum} left out: \`--explain\` says why.`
  return `${sum} left out:\n${columns(peers.map(({ agentId, rule }) => [short(agentId), ruleWords[rule] ?? rule]))}`
}
