import { Channel } from '@koko/contract'
import { UserError } from '../errors.ts'
import { agentFile, daemonFile, handlesFile, peersFile, publishedFile, type Handles } from '../home/files.ts'
import type { Files } from '../home/home.ts'

/** What goes with an agent. The profile and the handles are the operator's, and stay. */
export const filesOfAgent = [publishedFile, peersFile, daemonFile, agentFile] as const

/**
 * Removes what belongs to the agent of this home, the credential last. The handles stay without the agreement to publish
 * them: another agent is another publication.
 */
export async function forgetAgent(files: Files): Promise<void> {
  const handles = await files.read(handlesFile).catch((error: unknown) => {
    // Damaged, it holds no agreement that anybody could read.
    if (error instanceof UserError) return undefined
    throw error
  })
  if (handles !== undefined) await files.write(handlesFile, withoutAgreement(handles))
  for (const file of filesOfAgent) await files.remove(file)
}

function withoutAgreement(handles: Handles): Handles {
  const kept: Handles = {}
  for (const channel of Channel.options) {
    const entry = handles[channel]
    if (entry !== undefined) kept[channel] = { handle: entry.handle, agreedAtMs: null }
  }
  return kept
}
