import * as z from 'zod'
import { UserError } from '../errors.ts'
import { channelNames, clockTime } from '../labels.ts'
import type { Hiding, KnownPeer, KnownPeers } from '../operations/peers.ts'
import { columns, counted, type Style } from '../output.ts'
import { argument, defineCommand } from './define-command.ts'
import { matchTable, shortIds } from './match-table.ts'

export const command = defineCommand({
  summary: 'List the known matches, or hide or unhide one',
  notes: 'This sends nothing, so it works offline and uses no budget. A hidden peer is neither shown nor refreshed.',
  examples: ['peers', 'peers hide 039494b5', 'peers unhide 039494b5'],
  options: z.strictObject({
    action: argument(
      '`hide` or `unhide`',
      z.enum(['hide', 'unhide'], { error: 'must be hide or unhide, or left out' }).optional(),
      ['hide', 'unhide'],
    ),
    peer: argument('The id of the peer, the beginning of the id, or a handle', z.string().optional()),
  }),
  async run(context, { action, peer }) {
    const { hidePeer, knownPeers } = await import('../operations/peers.ts')
    if (action === undefined) return knownPeers(context)
    if (peer !== undefined) return hidePeer(context, peer, action === 'hide')
    throw new UserError(
      'No peer was given.',
      `Run \`koko peers ${action} <peer>\`. \`koko peers\` lists the known ones.`,
      {
        code: 'invalid-argument',
      },
    )
  },
  show: (value, style) => ('peers' in value ? showPeers(value, style) : showHiding(value, style)),
  isQuiet: (value) => !('peers' in value),
})

function showPeers({ peers, hidden }: KnownPeers, style: Style): string {
  const short = shortIds([...peers, ...hidden].map(({ agentId }) => agentId))
  const table = {
    contact: ({ channels }: KnownPeer) => channels.map(({ channel }) => channelNames[channel]).join(', '),
    note: { title: 'as of', cell: ({ refreshedAtMs }: KnownPeer) => clockTime(refreshedAtMs) },
  }
  const [best] = peers
  return [
    best === undefined
      ? 'There are no known matches yet. To find some, run `koko discover`.'
      : `${style.bold(`${counted(peers.length, 'known match', 'known matches')}.`)}\n\n${matchTable(peers, table, short, style)}`,
    best === undefined
      ? ''
      : `\`koko peer ${short(best.agentId)}\` checks that this peer is still listed, and shows how to reach it.`,
    hidden.length === 0
      ? ''
      : `Hidden peers. To show one again, run \`koko peers unhide <id>\`:\n${columns(hidden.map((each) => [short(each.agentId), `since ${clockTime(each.hiddenAtMs)}`]))}`,
  ]
    .filter((paragraph) => paragraph !== '')
    .join('\n\n')
}

function showHiding({ agentId, isHidden, isChanged }: Hiding, style: Style): string {
  if (!isChanged) return `${agentId} was ${isHidden ? 'already hidden' : 'not hidden'}. Nothing changed.`
  return isHidden
    ? `${style.good('✓')} ${agentId} is hidden. It is not shown again, and nothing else about it is saved here. Nothing was sent.`
    : `${style.good('✓')} ${agentId} is no longer hidden. \`koko discover\` can find it again.`
}
