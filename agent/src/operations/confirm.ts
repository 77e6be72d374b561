import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'

/** Returns after a yes, or with `--yes`. Throws `UserError` otherwise. */
export async function confirm(context: Context, { yes, message }: { yes: boolean; message: string }): Promise<void> {
  if (yes) return
  if (context.ask === undefined) throw unasked()
  if (!(await context.ask.confirm({ message, initial: false }))) throw declined()
}

/** The same for what cannot be undone: the operator types a word. */
export async function confirmTyped(
  context: Context,
  { yes, message, word }: { yes: boolean; message: string; word: string },
): Promise<void> {
  if (yes) return
  if (context.ask === undefined) throw unasked()
  await context.ask.text({
    message: `${message} Type ${word} to go on.`,
    validate: (answer) => (answer.trim() === word ? undefined : `Type ${word}, or press Esc to cancel.`),
  })
}

function unasked(): UserError {
  return new UserError('This needs your yes, and there is no terminal to ask in.', 'Give --yes.')
}

function declined(): UserError {
  return new UserError('Nothing was done.', 'Run it again when you are ready.')
}
