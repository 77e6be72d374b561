import type * as z from 'zod'
import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'
import type { Style } from '../output.ts'

export interface Outcome {
  /** What `--json` prints. */
  value: unknown
  /** The same for people. */
  show: (style: Style) => string
  /** True where the value itself is bad news, as a doctor's can be: the exit code is then 1. */
  isBad: boolean
}

export interface Command {
  /** Takes the arguments and options by their camel-cased names, as the command line gives them: texts and booleans. */
  call: (context: Context, input: unknown) => Promise<Outcome>
}

/** A command from a function that returns a value, and from how that value looks to people. */
export function defineCommand<Options extends z.ZodType, Value>({
  options,
  run,
  show,
  json = (value) => value,
  isBad = () => false,
}: {
  options: Options
  run: (context: Context, options: z.output<Options>) => Promise<Value>
  show: (value: Value, style: Style) => string
  /** What `--json` prints, where it is not the value itself. */
  json?: (value: Value) => unknown
  isBad?: (value: Value) => boolean
}): Command {
  return {
    async call(context, input) {
      const parsed = options.safeParse(input)
      if (!parsed.success) throw optionError(parsed.error)
      const value = await run(context, parsed.data)
      return { value: json(value), show: (style) => show(value, style), isBad: isBad(value) }
    },
  }
}

/** Names the option and what would pass, and never what was given: it can be a handle. */
function optionError(error: z.ZodError): UserError {
  const issue = error.issues[0]
  const name = String(issue?.path[0] ?? '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  return new UserError(`${name === '' ? 'The command' : name} ${issue?.message ?? 'is not valid'}.`, 'See `--help`.')
}
