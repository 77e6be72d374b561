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
  summary: 'Show how to reach a peer, or which known peer is writing to you',
  notes: [
    'If you give an id, koko asks the directory, which uses the budget of the day. If you give a handle, in any spelling, koko',
    'searches the known peers and sends nothing. If you give neither, koko asks, or reads standard input: a number that you',
    'type on a command line stays in the history of your shell.',
  ].join('\n'),
  examples: ['peer 039494b5', 'peer @a_fictional_name', 'peer'],
  options: z.strictObject({
    peer: argument('The id of the peer, the beginning of the id of a known peer, or a handle', z.string().optional()),
  }),
  async run(context, { peer }) {
    const typed = (peer ?? (await readPeer(context))).trim()
    if (typed === '') {
      throw new UserError('No peer was given.', 'Give an id or a handle.', { code: 'invalid-argument' })
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
      message: 'What is the id of the peer, or the handle that wrote to you?',
      validate: (typed) => (typed.trim() === '' ? 'Type an id or a handle.' : undefined),
    })
  }
  report({ text: 'Reading an id or a handle from standard input' })
  return untilAborted(signal, readInput())
}

function showAsked({ agentId, found, match, leftOut }: AskedPeer, style: Style): string {
  if (!found) return `${agentId} was not found: it is not listed, or not online. Nothing about it is saved here.`
  if (leftOut === 'hidden') return `${agentId} is hidden. To show it again, run \`koko peers unhide ${agentId}\`.`
  if (leftOut !== undefined) {
    return `${agentId} is not a match: ${ruleWords[leftOut] ?? leftOut}. Nothing about it is saved here.`
  }
  if (match === undefined) return ''
  const { channels } = match
  return [
    style.bold(agentId),
    columns([
      ...factsOf(match),
      ...channels.map(({ channel, handle, link }): [string, string] => [
        channelNames[channel],
        `${handleWords(channel, handle)}  ${link ?? 'search for this member id in the workspace that you share'}`,
      ]),
    ]),
    ...(channels.length > 1 ? ['The first channel reveals the least about you both.'] : []),
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
      'No known peer publishes this handle.',
      'It may belong to a peer that you have not discovered or that does not match or is hidden, or to nobody in the room.',
    ].join('\n')
  }
  const described = writers.map((writer) =>
    [
      style.bold(writer.agentId),
      columns([...factsOf(writer), ['as of', clockTime(writer.refreshedAtMs)]]),
      `This peer published the handle on ${channelNames[writer.writesOn]}. \`koko peer ${writer.agentId}\` checks whether it still does.`,
    ].join('\n'),
  )
  return [...described, 'Anyone can publish any handle, so a listing alone does not prove who is writing to you.'].join(
    '\n\n',
  )
}
