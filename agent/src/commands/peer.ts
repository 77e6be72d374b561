import * as z from 'zod'
import { channelNames, distanceWords, handleWords, summaryFields, summaryWords } from '../labels.ts'
import { ruleWords } from '../matching/engine.ts'
import { columns } from '../output.ts'
import { argument, defineCommand } from './define-command.ts'

export const command = defineCommand({
  summary: 'Ask the directory for a peer again, and show how to reach it',
  examples: ['peer 039494b5'],
  options: z.strictObject({
    id: argument(
      "The peer's id; of a known peer, its beginning",
      z
        .string()
        .trim()
        .toLowerCase()
        .regex(/^[0-9a-f-]{1,36}$/, "must be a peer's id, or its beginning"),
    ),
  }),
  run: async (context, { id }) => (await import('../operations/discover.ts')).askForPeer(context, id),
  show({ agentId, found, match, leftOut }, style) {
    if (!found) return `${agentId} is gone: not listed, or not online. Nothing about it is kept here.`
    if (leftOut !== undefined) {
      return `${agentId} is no match: ${ruleWords[leftOut] ?? leftOut}. Nothing about it is kept here.`
    }
    if (match === undefined) return ''
    const { area, distanceKm, channels } = match
    return [
      style.bold(agentId),
      columns([
        ...summaryFields([match]).map(({ name, heading }): [string, string] => [heading, summaryWords(match, name)]),
        ['distance', `${distanceWords(distanceKm)} (area ${area})`],
        ...channels.map(({ channel, handle, link }): [string, string] => [
          channelNames[channel],
          `${handleWords(channel, handle)}  ${link ?? 'in the workspace that you share, look for this member id'}`,
        ]),
      ]),
      ...(channels.length > 1 ? ['The first channel reveals least about you both.'] : []),
    ].join('\n')
  },
})
