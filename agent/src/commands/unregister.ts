import * as z from 'zod'
import { defineCommand, yes } from './define-command.ts'

export const command = defineCommand({
  summary: 'Remove the agent from the directory permanently',
  examples: ['unregister'],
  options: z.strictObject({ yes }),
  run: async (context, options) => (await import('../operations/unregister.ts')).unregister(context, options),
  show({ origin, wasGone, removed, kept }, style) {
    const what = wasGone
      ? `The agent was gone from ${origin} before. What was kept of it here is removed.`
      : `The agent is removed from ${origin}, permanently.`
    const lines = [`${style.good('✓')} ${what}`, `Removed here: ${removed.join(', ')}.`]
    if (kept.length > 0) {
      lines.push(`Kept here: ${kept.join(', ')}, for another agent. Its handles wait for your agreement again.`)
      lines.push('Delete the folder to remove these as well.')
    }
    return lines.join('\n')
  },
  isQuiet: () => true,
})
