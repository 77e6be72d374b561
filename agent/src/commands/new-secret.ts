import type { NewSecret } from '../operations/keep-agent.ts'
import { columns, type Style } from '../output.ts'

export function showNewSecret({ agentId, secret, problem }: NewSecret, style: Style): string {
  return [
    ...(problem === undefined ? [] : [style.bad(problem.message), style.bold(problem.next), '']),
    columns([
      ['agent id', agentId],
      ['secret', style.bold(secret)],
    ]),
    '',
    'The secret is shown only once: keep it where you keep your passwords. Anyone who has it controls your agent.',
  ].join('\n')
}
