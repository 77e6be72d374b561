import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'

/** Returns after a yes, or with `--yes`. Throws `UserError` otherwise. */
export async function confirm({ ask }: Context, { yes, message }: { yes: boolean; message: string }): Promise<void> {
  if (yes) return
  if (await asked(ask).confirm({ message, initial: false })) return
  throw new UserError('Nothing was done.', 'Run it again when you are ready.', { code: 'cancelled' })
}

/** The same for what cannot be undone: the operator types a word. */
export async function confirmTyped(
  { ask }: Context,
  { yes, message, word }: { yes: boolean; message: string; word: string },
): Promise<void> {
  if (yes) return
  await asked(ask).text({
    message: `${message} Type ${word} to continue.`,
    validate: (answer) => (answer.trim() === word ? undefined : `Type ${word}, or press Esc to cancel.`),
  })
}

function asked(ask: Context['ask']): NonNullable<Context['ask']> {
  if (ask !== undefined) return ask
  throw new UserError('This needs your yes, and koko cannot ask without a terminal.', 'Add --yes.', {
    code: 'confirmation-required',
  })
}
