import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'
import { agentFile, type Agent } from '../home/files.ts'
import type { Files } from '../home/home.ts'
import { columns, type Style } from '../output.ts'
import type { Problem } from '../problem.ts'

/** The only copy of a new secret: what became of writing it down, for the operator to see either way. */
export interface RecoveryKey {
  agentId: string
  secret: string
  /** The folder it is kept in; null where it could not be written. */
  keptIn: string | null
  /** Why it is not kept, and what to do. */
  problem?: Problem
}

/** Writes a new secret. A failure is no error: it must not stand in the way of showing the secret. */
export async function keepAgent(
  { home }: Context,
  agent: Agent,
  before: (files: Files) => Promise<void> = () => Promise.resolve(),
): Promise<RecoveryKey> {
  const { agentId, secret, origin } = agent
  try {
    await home.change(async (files) => {
      await before(files)
      await files.write(agentFile, agent)
    })
    return { agentId, secret, keptIn: home.path }
  } catch (error) {
    const why = error instanceof UserError ? `${error.message} ${error.hint}` : 'Writing failed.'
    return {
      agentId,
      secret,
      keptIn: null,
      problem: {
        message: `The secret could not be kept: ${why}`,
        next: `Write it down now, then run \`koko restore --directory ${origin} --agent ${agentId}\`.`,
      },
    }
  }
}

export function showRecoveryKey({ agentId, secret, problem }: RecoveryKey, style: Style): string {
  return [
    ...(problem === undefined ? [] : [style.bad(problem.message), style.bold(problem.next), '']),
    columns([
      ['agent id', agentId],
      ['recovery key', style.bold(secret)],
    ]),
    '',
    'The recovery key is the secret. It is shown this once: keep it where you keep passwords. Who has it is your agent.',
  ].join('\n')
}
