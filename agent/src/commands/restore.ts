import { AgentId } from '@koko/contract'
import * as z from 'zod'
import { directoryWords } from '../labels.ts'
import { columns } from '../output.ts'
import { defineCommand, option } from './define-command.ts'

export const command = defineCommand({
  summary: 'Move an agent to this machine with its id and secret',
  notes: 'The secret is asked for. Without a terminal it is read from the standard input, never from an option.',
  examples: [
    'restore',
    'restore --directory https://directory.example --agent 6481791c-78bb-4e21-8195-12e73493bfdf < secret.txt',
  ],
  options: z.strictObject({
    directory: option('url', 'The directory that the agent is registered in', z.string().optional()),
    agent: option('id', "The agent's id", AgentId.optional()),
  }),
  run: async (context, options) => (await import('../operations/restore.ts')).restore(context, options),
  show: ({ agentId, origin, room, isEmulated, isListed, keptIn, written, setAside }, style) =>
    [
      `${style.good('✓')} The agent is in ${keptIn} now.`,
      columns([
        ['agent id', agentId],
        ['directory', directoryWords({ origin, isEmulated })],
        ['room', room],
        ['written', written.join(', ')],
      ]),
      ...(setAside.length === 0 ? [] : [`Kept beside it: ${setAside.join(', ')}, the former files.`]),
      isListed === null
        ? 'What is listed cannot be read by this version of koko: install the newest, or publish again with `koko publish`.'
        : isListed
          ? 'It is listed. Private dealbreakers are kept only at home: set yours again with `koko profile edit`.'
          : 'It is not listed. Run `koko profile edit`, `koko link <channel>` and `koko publish` to list it.',
      'Run it on one machine only: `koko run` keeps it online.',
    ].join('\n'),
  isQuiet: () => true,
})
