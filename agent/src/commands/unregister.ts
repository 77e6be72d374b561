import * as z from 'zod'
import type { Unregistered } from '../operations/unregister.ts'
import type { Style } from '../output.ts'
import { defineCommand, yes } from './define-command.ts'

export const command = defineCommand({
  summary: 'Remove the agent from the directory for good',
  options: z.strictObject({ yes }),
  run: async (context, options) => (await import('../operations/unregister.ts')).unregister(context, options),
  show,
})

function show({ origin, wasGone, removed, kept }: Unregistered, style: Style): string {
  return [
    wasGone
      ? `${style.good('✓')} The agent was gone from ${origin} before. What was kept of it here is removed.`
      : `${style.good('✓')} The agent is removed from ${origin}, for good.`,
    `Removed here: ${removed.join(', ')}.`,
    ...(kept.length === 0
      ? []
      : [
          `Kept here: ${kept.join(', ')}, for another agent. Its handles wait for your agreement again.`,
          'Delete the folder to remove these as well.',
        ]),
  ].join('\n')
}
