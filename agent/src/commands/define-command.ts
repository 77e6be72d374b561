import * as z from 'zod'
import type { Context } from '../context.ts'
import { UserError } from '../errors.ts'
import type { Style } from '../output.ts'

/** An argument or an option as the command line and its help show it. */
export interface Parameter {
  /** Such as `<channel>`, `[action]`, `--dry-run` or `--room <name>`. */
  syntax: string
  description: string
}

export interface Command {
  summary: string
  /** Shown by `--help` below the options. */
  notes?: string
  arguments: readonly Parameter[]
  options: readonly Parameter[]
  /** Takes the arguments and options by their camel-cased names, as the command line gives them: texts and booleans. */
  call: (
    context: Context,
    input: unknown,
  ) => Promise<{
    /** What `--json` prints. */
    value: unknown
    /** The same for people. */
    show: (style: Style) => string
    /** The command worked, and its result calls for action: the exit code is 1. */
    isBad: boolean
  }>
}

/** The fields that are arguments, and the placeholder of each option with a value. All others are flags. */
const [argumentSchemas, placeholders] = [new WeakSet<z.ZodType>(), new WeakMap<z.ZodType, string>()]

export function argument<Schema extends z.ZodType>(description: string, schema: Schema): Schema {
  const described = schema.describe(description)
  argumentSchemas.add(described)
  return described
}

/** An option with a value; `placeholder` stands for it in the help. */
export function option<Schema extends z.ZodType>(placeholder: string, description: string, schema: Schema): Schema {
  const described = schema.describe(description)
  placeholders.set(described, placeholder)
  return described
}

/** An option without a value. One that is on by default becomes `--no-…`, which turns it off. */
export function flag(description: string, isOn = false) {
  return z.boolean().default(isOn).describe(description)
}

export const yes = flag('Answer every question with yes')

/**
 * A command from the schema of its arguments and options, a function that returns a value, and how that value looks to
 * people. `koko --help` loads every command, so `run` imports the operation that it calls.
 */
export function defineCommand<Shape extends Record<string, z.ZodType>, Value>({
  options,
  run,
  show,
  json = (value) => value,
  isBad = () => false,
  ...texts
}: {
  summary: string
  notes?: string
  options: z.ZodObject<Shape, z.core.$strict>
  run: (context: Context, options: z.output<z.ZodObject<Shape, z.core.$strict>>) => Promise<Value>
  show: (value: Value, style: Style) => string
  /** What `--json` prints, where it is not the value itself. */
  json?: (value: Value) => unknown
  isBad?: (value: Value) => boolean
}): Command {
  const fields = Object.entries(options.shape)
  return {
    ...texts,
    arguments: fields.filter(([, schema]) => argumentSchemas.has(schema)).map(parameterOf),
    options: fields.filter(([, schema]) => !argumentSchemas.has(schema)).map(parameterOf),
    async call(context, input) {
      const parsed = options.safeParse(input)
      if (!parsed.success) throw optionError(parsed.error)
      const value = await run(context, parsed.data)
      return { value: json(value), show: (style) => show(value, style), isBad: isBad(value) }
    },
  }
}

function parameterOf([key, schema]: [string, z.ZodType]): Parameter {
  const name = kebabCase(key)
  const { description = '' } = schema
  const placeholder = placeholders.get(schema)
  if (placeholder !== undefined) return { syntax: `--${name} <${placeholder}>`, description }
  const absent = schema.safeParse(undefined)
  if (argumentSchemas.has(schema)) return { syntax: absent.success ? `[${name}]` : `<${name}>`, description }
  return { syntax: absent.data === true ? `--no-${name}` : `--${name}`, description }
}

/** Names the option and what would pass, and never what was given: it can be a handle. */
function optionError(error: z.ZodError): UserError {
  const issue = error.issues[0]
  const name = kebabCase(String(issue?.path[0] ?? ''))
  return new UserError(`${name === '' ? 'The command' : name} ${issue?.message ?? 'is not valid'}.`, 'See `--help`.')
}

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
