import type { Context } from '../context.ts'
import { UserError } from '../errors.ts'
import { agentFile, daemonFile, handlesFile, peersFile, publishedFile, type Agent } from '../home/files.ts'
import type { Files } from '../home/home.ts'
import { readIfWhole } from '../home/read-if-whole.ts'
import type { Problem } from '../problem.ts'
import { withoutAgreement } from './agreements.ts'

/** The only copy of a new secret, and whether it could be written. The operator sees it either way. */
export interface RecoveryKey {
  agentId: string
  secret: string
  /** The folder it is kept in; null where it could not be written. */
  keptIn: string | null
  /** Why it is not kept, and what to do. */
  problem?: Problem
}

/** Writes a new secret. Returns a failure rather than throwing it, so that the secret is shown in any case. */
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

/** The files that are removed with an agent. The profile and the handles are the operator's, and stay. */
export const filesOfAgent = [publishedFile, peersFile, daemonFile, agentFile] as const

/**
 * Removes the files of this home's agent, the credential last. The handles stay, but the agreement to publish them ends:
 * it was for this agent only.
 */
export async function forgetAgent(files: Files): Promise<void> {
  // A damaged file holds no agreement that anybody could read.
  const handles = await readIfWhole(files, handlesFile)
  if (handles !== undefined) await files.write(handlesFile, withoutAgreement(handles))
  for (const file of filesOfAgent) await files.remove(file)
}
