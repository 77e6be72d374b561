import type { Context } from '../context.ts'
import { codeOf, directoryOf, openDirectory } from '../directory/session.ts'
import { UserError } from '../errors.ts'
import { agentFile } from '../home/files.ts'
import { listingWaitMs } from '../home/home.ts'
import { confirm } from './confirm.ts'
import type { NewSecret } from './keep-agent.ts'

/**
 * Replaces the secret. The directory's new one is pending until it first signs in, so the home has a valid secret at every
 * moment: the old one, then both, then the new one. `directoryOf` completes a rotation that was cut off in between.
 */
export async function rotate(context: Context, { yes }: { yes: boolean }): Promise<NewSecret> {
  const { home } = context
  await openDirectory(context)
  await confirm(context, {
    yes,
    message: 'Replace the secret? The current secret and every session end immediately.',
  })
  return home.locked('listing', { ms: listingWaitMs, signal: context.signal }, async () => {
    await home.assertWritable()
    // Once it is sent, Ctrl-C must not interrupt it: the operator would not see the new secret.
    const patient = { ...context, signal: new AbortController().signal }
    const directory = await openDirectory(patient)
    const secret = await directory.signIn()
    context.signal.throwIfAborted()
    context.report({ text: 'Replacing the secret' })
    const { secret: pendingSecret } = await directory.client.call('rotateSecret', {})
    const both = { ...directory.agent, secret, pendingSecret }
    await home
      .change((files) => files.write(agentFile, both))
      .catch((cause: unknown) => {
        if (!(cause instanceof UserError)) throw cause
        const message = `${cause.message} Your current secret stays valid.`
        throw new UserError(message, `${cause.hint} Then run \`koko rotate\` again.`, { cause })
      })
    const accepted = await directoryOf({ ...patient, report: () => undefined }, both)
      .signIn()
      .catch((cause: unknown) => {
        if (codeOf(cause) !== 'unavailable') throw cause
        throw new UserError(
          'The directory did not confirm the new secret. Both secrets are saved here, and the next command finds out which one is valid.',
          'To see a new secret, run `koko rotate` again when the directory answers.',
          { cause },
        )
      })
    if (accepted !== pendingSecret) {
      const message = 'The directory did not accept the new secret. Your current secret stays valid.'
      throw new UserError(message, 'Run `koko rotate` again.')
    }
    return { agentId: both.agentId, secret: accepted, keptIn: home.path }
  })
}
