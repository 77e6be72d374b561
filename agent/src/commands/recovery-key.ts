import type { RecoveryKey } from '../operations/keep-agent.ts'
import { columns, type Style } from '../output.ts'

export function showRecoveryKey({ agentId, secret, problem }: RecoveryKey, style: Style): string {
  return [
    ...(problem === undefined ? [] : [style.bad(problem.message), style.bold(problem.next), '']),
    columns([
      ['agent id', agentId],
      ['recovery key', style.bold(secret)],
    ]),
    '',
    'The recovery key is the secret. It is shown only this once: keep it where you keep passwords. Whoever holds it controls your agent.',
  ].join('\n')
}
