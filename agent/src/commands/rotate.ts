import * as z from 'zod'
import { defineCommand, yes } from './define-command.ts'
import { showNewSecret } from './new-secret.ts'

export const command = defineCommand({
  summary: 'Replace the secret; the old secret and every session stop working',
  examples: ['rotate'],
  options: z.strictObject({ yes }),
  run: async (context, options) => (await import('../operations/rotate.ts')).rotate(context, options),
  show: (key, style) =>
    [
      `${style.good('✓')} The secret is replaced.`,
      showNewSecret(key, style),
      'On every other machine that has this agent, run `koko restore` with the new secret.',
    ].join('\n'),
})
