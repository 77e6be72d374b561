import { AgentId } from '@koko/contract'
import * as z from 'zod'
import { directoryWords } from '../labels.ts'
import { columns, formatList } from '../output.ts'
import { defineCommand, option } from './define-command.ts'

export const command = defineCommand({
  summary: 'Move an agent to this machine with its id and secret',
  notes: 'koko asks for the secret. Without a terminal it reads the secret from standard input, never from an option.',
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
      `${style.good('✓')} The agent is now in ${keptIn}.`,
      columns([
        ['agent id', agentId],
        ['directory', directoryWords({ origin, isEmulated })],
        ['room', room],
        ['written', written.join(', ')],
      ]),
      ...(setAside.length === 0 ? [] : [`The former files are saved as ${formatList(setAside)}.`]),
      isListed === null
        ? 'This version of koko cannot read your listing. Update koko, or replace the listing with `koko publish`.'
        : isListed
          ? 'The agent is listed. Private dealbreakers are never sent to the directory: set yours again with `koko profile edit`.'
          : 'The agent is not listed. To list it, run `koko profile edit`, `koko link <channel>` and `koko publish`.',
      'Run the agent on one machine only. `koko run` keeps it online.',
    ].join('\n'),
  isQuiet: () => true,
})
