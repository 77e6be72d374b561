import * as z from 'zod'
import type { RecoveryKey } from '../operations/keep-agent.ts'
import type { Style } from '../output.ts'
import { defineCommand, yes } from './define-command.ts'
import { showRecoveryKey } from './recovery-key.ts'

export const command = defineCommand({
  summary: 'Replace the secret; the old one and every session end',
  options: z.strictObject({ yes }),
  run: async (context, options) => (await import('../operations/rotate.ts')).rotate(context, options),
  show,
  isBad: ({ keptIn }) => keptIn === null,
})

function show(key: RecoveryKey, style: Style): string {
  return [
    key.keptIn === null ? style.bad('✗ Replaced, and not kept.') : `${style.good('✓')} The secret is replaced.`,
    showRecoveryKey(key, style),
    'On every other machine with this agent, and for a running `koko run` there, run `koko restore`.',
  ].join('\n')
}
