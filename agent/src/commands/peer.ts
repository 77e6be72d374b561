import * as z from 'zod'
import type { Context } from '../context.ts'
import { UserError } from '../errors.ts'
import { channelNames, clockTime, distanceWords, handleWords, summaryFields, summaryWords } from '../labels.ts'
import { ruleWords } from '../matching/engine.ts'
import type { AskedPeer, PeerMatch } from '../operations/discover.ts'
import type { Writers } from '../operations/peers.ts'
import { columns, type Style } from '../output.ts'
import { untilAborted } from '../until-aborted.ts'
import { argument, defineCommand } from './define-command.ts'

export const command = defineCommand({
  summary: 'Show how to reach a peer, or which known peer writes to you',
  notes: [
    'With an id koko asks the directory, which uses one of the ids of the day. With a handle, in any spelling, it looks among',
    'the peers that are known here, and sends nothing. Without either it asks, or reads standard input: a number on a',
    'command line stays in the history of your shell.',
  ].join('\n'),
  examples: ['peer 039494b5', 'peer @a_fictional_name', 'peer'],
  options: z.strictObject({
    peer: argument('Its id, the beginning of the id of a known peer, or a handle', z.string().optional()),
  }),
  async run(context, { peer }) {
    const typed = (peer ?? (await readPeer(context))).trim()
    if (typed === '') {
      throw new UserError('Which peer?', 'Give its id, or a handle.', { code: 'invalid-argument' })
    }
    const { findNamed, whoWrites } = await import('../operations/peers.ts')
    const named = await findNamed(context, typed)
    if ('handle' in named) return whoWrites(context, named.handle)
    return (await import('../operations/discover.ts')).askForPeer(context, named.id)
  },
  show: (value, style) => ('writers' in value ? showWriters(value, style) : showAsked(value, style)),
})

async function readPeer({ ask, report, readInput, signal }: Context): Promise<string> {
  if (ask !== undefined) {
    return ask.text({
      message: 'The id of a peer, or the handle that writes to you?',
      validate: (typed) => (typed.trim() === '' ? 'Type an id or a handle.' : undefined),
    })
  }
  report({ text: 'Reading an id or a handle from standard input' })
  return untilAborted(signal, readInput())
}

function showAsked({ agentId, found, match, leftOut }: AskedPeer, style: Style): string {
  if (!found) return `${agentId} is gone: not listed, or not online. Nothing about it is kept here.`
  if (leftOut === 'hidden') return `${agentId} is hidden: \`koko peers unhide ${agentId}\` lets it be found again.`
  if (leftOut !== undefined) {
    return `${agentId} is no match: ${ruleWords[leftOut] ?? leftOut}. Nothing about it is kept here.`
  }
  if (match === undefined) return ''
  const { channels } = match
  return [
    style.bold(agentId),
    columns([
      ...factsOf(match),
      ...channels.map(({ channel, handle, link }): [string, string] => [
        channelNames[channel],
        `${handleWords(channel, handle)}  ${link ?? 'in the workspace that you share, look for this member id'}`,
      ]),
    ]),
    ...(channels.length > 1 ? ['The first channel reveals least about you both.'] : []),
  ].join('\n')
}

function factsOf(match: PeerMatch): [string, string][] {
  return [
    ...summaryFields([match]).map(({ name, heading }): [string, string] => [heading, summaryWords(match, name)]),
    ['distance', `${distanceWords(match.distanceKm)} (area ${match.area})`],
  ]
}

function showWriters({ writers }: Writers, style: Style): string {
  if (writers.length === 0) {
    return [
      'No peer that is known here publishes this handle.',
      'It can be of a peer that was not discovered yet, is no match or is hidden, or of nobody in the room.',
    ].join('\n')
  }
  const described = writers.map((writer) =>
    [
      style.bold(writer.agentId),
      columns([...factsOf(writer), ['as of', clockTime(writer.refreshedAtMs)]]),
      `It published this handle for ${channelNames[writer.writesOn]}. \`koko peer ${writer.agentId}\` asks whether it still does.`,
    ].join('\n'),
  )
  return [...described, 'Anybody can publish any handle, so a listing alone does not prove who writes.'].join('\n\n')
}
