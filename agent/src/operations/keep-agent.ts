import type { Context } from '../context.ts'
import { UserError } from '../errors.ts'
import { agentFile, daemonFile, handlesFile, outboxFile, peersFile, publishedFile, type Agent } from '../home/files.ts'
import type { Files } from '../home/home.ts'
import { readIfWhole } from '../home/read-if-whole.ts'
import type { Problem } from '../problem.ts'
import { withoutAgreement } from './agreements.ts'

/** The only copy of a new secret. The operator sees it even if it could not be written. */
export interface NewSecret {
  agentId: string
  secret: string
  /** The folder it is kept in; null if it could not be written. */
  keptIn: string | null
  problem?: Problem
}

/** Writes a new secret. Returns a failure instead of throwing it, because the secret must be shown. */
export async function keepAgent(
  { home }: Context,
  agent: Agent,
  before: (files: Files) => Promise<void> = () => Promise.resolve(),
): Promise<NewSecret> {
  const { agentId, secret, origin } = agent
  try {
    await home.change(async (files) => {
      await before(files)
      await files.write(agentFile, agent)
    })
    return { agentId, secret, keptIn: home.path }
  } catch (error) {
    const why = error instanceof UserError ? `${error.message} ${error.hint}` : 'Writing failed.'
    const message = `The secret could not be saved: ${why}`
    const next = `Write the secret down now, then run \`koko restore --directory ${origin} --agent ${agentId}\`.`
    return { agentId, secret, keptIn: null, problem: { message, next } }
  }
}

/** The files that are removed with an agent. The profile and the handles are the operator's, and stay. */
export const filesOfAgent = [publishedFile, outboxFile, peersFile, daemonFile, agentFile] as const

/** Removes the agent's files, the credential last. The handles stay without the agreement, which was for this agent. */
export async function forgetAgent(files: Files): Promise<void> {
  const handles = await readIfWhole(files, handlesFile)
  if (handles !== undefined) await files.write(handlesFile, withoutAgreement(handles))
  for (const file of filesOfAgent) await files.remove(file)
}
