import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'

/** Goes on after a yes, or where `--yes` stands for it; throws `UserError` otherwise. */
export async function confirm(context: Context, { yes, message }: { yes: boolean; message: string }): Promise<void> {
  if (yes) return
  if (context.ask === undefined) throw unasked()
  if (!(await context.ask.confirm({ message, initial: false }))) throw declined()
}

/** The same for what cannot be undone: the word is typed. */
export async function confirmTyped(
  context: Context,
  { yes, message, word }: { yes: boolean; message: string; word: string },
): Promise<void> {
  if (yes) return
  if (context.ask === undefined) throw unasked()
  await context.ask.text({
    message: `${message} Type ${word} to go on.`,
    validate: (answer) => (answer.trim() === word ? undefined : `Type ${word}, or press Esc to leave all as it is.`),
  })
}

function unasked(): UserError {
  return new UserError('This needs a yes, and there is nobody to ask.', 'Give --yes.')
}

function declined(): UserError {
  return new UserError('Nothing was done.', 'Run it again when you want it.')
}
