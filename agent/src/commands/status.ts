import { rooms } from '@koko/contract'
import * as z from 'zod'
import { isPendingState, pendingText } from '../directory/outbox.ts'
import { channelNames, clockTime, directoryWords, share } from '../labels.ts'
import type { ChannelState, AgentStatus } from '../operations/status.ts'
import { columns, type Style } from '../output.ts'
import { defineCommand } from './define-command.ts'

export const command = defineCommand({
  summary: 'Show the state of the agent, without asking the directory',
  examples: ['status', 'status --json'],
  options: z.strictObject({}),
  run: async (context) => (await import('../operations/status.ts')).status(context),
  show(value, style) {
    const problems = value.problems.map((problem) => `${style.bad('✗')} ${problem}`)
    if (value.agent !== null) return [showAgent(value, style), ...problems].join('\n')
    if (problems.length > 0) return problems.join('\n')
    return 'There is no agent here yet. Register one with `koko init`, or move one here with `koko restore`.'
  },
  isBad: ({ problems }) => problems.length > 0,
})

function showAgent(value: AgentStatus, style: Style): string {
  const { agent, directory, budget, daemon, discoveredAtMs, peers } = value
  return columns([
    ['agent', agent.agentId],
    ['directory', directory.isEmulated ? style.warn(directoryWords(directory)) : directory.origin],
    ['listed', listedWords(value, style)],
    ...value.channels.map(({ channel, state }): [string, string] => [channelNames[channel], stateWords(state, style)]),
    ['not published yet', unpublishedWords(value)],
    [
      'daemon',
      daemon.pid === null ? style.warn('not running: start it with `koko run`') : `running as process ${daemon.pid}`,
    ],
    ...daemon.failures.map(({ action, atMs, message, next }): [string, string] => [
      '',
      `${style.bad('✗')} ${action}, ${clockTime(atMs)}: ${message} ${next}`,
    ]),
    ['last discovery', discoveredAtMs === null ? 'none by the daemon yet' : clockTime(discoveredAtMs)],
    ['matches known', String(peers)],
    ['used today', `${share(budget.discover)} listings discovered, ${share(budget.batchGet)} peers refreshed (UTC)`],
  ])
}

function listedWords({ isListed, isOnline, onlineUntilMs }: AgentStatus, style: Style): string {
  if (isListed === false) return style.warn('no')
  const at = onlineUntilMs === null ? '' : clockTime(onlineUntilMs)
  const until = at === '' ? '' : isOnline ? `, online until ${at}` : style.bad(`, offline since ${at}`)
  return isListed === null ? `not known here: run \`koko publish\`${until}` : `${style.good('yes')}${until}`
}

function stateWords(state: ChannelState, style: Style): string {
  if (state === 'published') return style.good(state)
  if (isPendingState(state)) return style.bad(pendingText(state))
  return state === 'unlinked' ? `${state}: to allow it again, run \`koko settings\`` : `${state}: run \`koko publish\``
}

function unpublishedWords({ agent, hasProfile, unpublished, channels }: AgentStatus): string {
  if (!hasProfile) return 'there is no profile: run `koko profile edit`'
  if (channels.length === 0) return 'there is no handle: run `koko link`'
  const fields = unpublished.filter((at) => at.startsWith('profile.'))
  const changed = channels.filter(({ channel }) => unpublished.includes(`channels.${channel}`))
  const isNew = fields.length === Object.keys(rooms[agent.room].fields).length
  const names = [...changed.map(({ channel }) => channelNames[channel]), ...(isNew ? ['the profile'] : fields)]
  return names.length === 0 ? 'nothing' : names.join(', ')
}
