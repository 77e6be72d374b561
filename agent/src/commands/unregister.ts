import * as z from 'zod'
import { defineCommand, yes } from './define-command.ts'

export const command = defineCommand({
  summary: 'Remove the agent from the directory permanently',
  examples: ['unregister'],
  options: z.strictObject({ yes }),
  run: async (context, options) => (await import('../operations/unregister.ts')).unregister(context, options),
  show({ origin, wasGone, removed, kept }, style) {
    const what = wasGone
      ? `${origin} does not accept the agent: it was removed before, or its secret was replaced elsewhere and it still exists. Its files here are removed.`
      : `The agent is permanently removed from ${origin}.`
    const lines = [`${style.good('✓')} ${what}`, `Removed here: ${removed.join(', ')}.`]
    if (kept.length > 0) {
      lines.push(`Kept here for another agent: ${kept.join(', ')}. A publish asks you to agree to the handles again.`)
      lines.push('To remove these too, delete the folder.')
    }
    return lines.join('\n')
  },
  isQuiet: ({ wasGone }) => !wasGone,
})
