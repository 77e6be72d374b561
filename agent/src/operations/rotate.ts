import { DirectoryError } from '@koko/contract'
import type { Context } from '../context.ts'
import { codeOf, directoryOf, openDirectory } from '../directory/session.ts'
import { UserError } from '../errors.ts'
import type { Agent } from '../home/files.ts'
import { listingWaitMs } from '../home/home.ts'
import { confirm } from './confirm.ts'
import { keepAgent, type RecoveryKey } from './keep-agent.ts'

/** Replaces the secret. The new one is written before it is shown, and shown even if it cannot be written. */
export async function rotate(context: Context, { yes }: { yes: boolean }): Promise<RecoveryKey> {
  await openDirectory(context)
  await confirm(context, {
    yes,
    message: 'Replace the secret? The recovery key that you have now, and every session, end immediately.',
  })
  return context.home.locked('listing', { ms: listingWaitMs, signal: context.signal }, async () => {
    await context.home.assertWritable()
    // The answer holds the only copy of the new secret, so Ctrl-C must not interrupt it.
    const patient = { ...context, signal: new AbortController().signal }
    const directory = await openDirectory(patient)
    await directory.signIn()
    context.signal.throwIfAborted()
    context.report({ text: 'Replacing the secret' })
    const { secret } = await directory.client.call('rotateSecret', {}).catch(async (error: unknown) => {
      const mayBeReplaced = codeOf(error) === 'unavailable' || codeOf(error) === 'internal'
      throw mayBeReplaced ? await errorAfterLoss(patient, directory.agent, error) : error
    })
    return keepAgent(context, { ...directory.agent, secret })
  })
}

/** After the answer was lost, tries the old secret to find out which one is valid. */
async function errorAfterLoss(context: Context, agent: Agent, cause: unknown): Promise<UserError> {
  try {
    await directoryOf(context, agent).signIn()
  } catch (error) {
    if (!(error instanceof DirectoryError)) throw error
    if (error.code !== 'unauthenticated') {
      return new UserError(
        'The directory did not answer: it is not known whether the secret was replaced. The old one is kept here.',
        'Run `koko doctor` when the directory answers: it shows whether the old secret is still valid.',
        { cause },
      )
    }
    return new UserError(
      `The secret was replaced, and the answer with the new one was lost: agent ${agent.agentId} cannot be used any more.`,
      'Ask the host of the directory for `npm run takedown -- --agent <id> --listing-only`, then run `koko init --again`. Otherwise it goes offline in 60 hours, and is removed after 30 days.',
      { cause },
    )
  }
  const problem = 'The directory did not answer, and the old secret is still valid.'
  return new UserError(problem, 'Run `koko rotate` again later.', { cause })
}
