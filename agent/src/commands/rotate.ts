import * as z from 'zod'
import { defineCommand, yes } from './define-command.ts'
import { showNewSecret } from './new-secret.ts'

export const command = defineCommand({
  summary: 'Replace the secret; the old one and every session end',
  examples: ['rotate'],
  options: z.strictObject({ yes }),
  run: async (context, options) => (await import('../operations/rotate.ts')).rotate(context, options),
  show: (key, style) =>
    [
      `${style.good('✓')} The secret is replaced.`,
      showNewSecret(key, style),
      'On every other machine with this agent, and for a running `koko run` there, run `koko restore`.',
    ].join('\n'),
})
