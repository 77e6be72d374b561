import { Channel } from '@koko/contract'
import * as z from 'zod'
import type { Context } from '../context.ts'
import { UserError } from '../errors.ts'
import { formatList, type Style } from '../output.ts'

/** An argument or an option as the command line and its help show it. */
export interface Parameter {
  /** Such as `<channel>`, `[action]`, `--dry-run` or `--room <name>`. */
  syntax: string
  description: string
  /** What a shell completes: the values that pass. */
  values: readonly string[]
  /** The option may be given several times; its value is then a list with commas. */
  isList: boolean
}

export interface Command {
  summary: string
  /** Shown by `--help` below the options. */
  notes?: string
  /** Command lines without `koko`, shown by `--help`. */
  examples: readonly string[]
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
    /** `--quiet` shows nothing: all was done as the operator asked. */
    isQuiet: boolean
  }>
}

/** The values of the fields that are arguments; the placeholder and values of each option. All others are flags. */
const argumentValues = new WeakMap<z.ZodType, readonly string[]>()
const optionValues = new WeakMap<z.ZodType, { placeholder: string; values: readonly string[]; isList: boolean }>()

/** `values` are those that a shell completes. */
export function argument<Schema extends z.ZodType>(
  description: string,
  schema: Schema,
  values: readonly string[] = [],
): Schema {
  const described = schema.describe(description)
  argumentValues.set(described, values)
  return described
}

/** An option with a value; `placeholder` stands for it in the help, and `values` are those that a shell completes. */
export function option<Schema extends z.ZodType>(
  placeholder: string,
  description: string,
  schema: Schema,
  values: readonly string[] = [],
  isList = false,
): Schema {
  const described = schema.describe(description)
  optionValues.set(described, { placeholder, values, isList })
  return described
}

/** A channel by its name or a short one; `channelNamed` reads it. */
export const channelArgument = () => argument(formatList(Channel.options, 'or'), z.string(), Channel.options)

/** An option without a value. One that is on by default becomes `--no-…`, which turns it off. */
export function flag(description: string, isOn = false) {
  return z.boolean().default(isOn).describe(description)
}

export const yes = flag('Answer yes to every question')

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
  isQuiet = () => false,
  ...texts
}: {
  summary: string
  notes?: string
  examples: readonly string[]
  options: z.ZodObject<Shape, z.core.$strict>
  run: (context: Context, options: z.output<z.ZodObject<Shape, z.core.$strict>>) => Promise<Value>
  show: (value: Value, style: Style) => string
  /** What `--json` prints, where it is not the value itself. */
  json?: (value: Value) => unknown
  isBad?: (value: Value) => boolean
  isQuiet?: (value: Value) => boolean
}): Command {
  const fields = Object.entries(options.shape)
  return {
    ...texts,
    arguments: fields.filter(([, schema]) => argumentValues.has(schema)).map(parameterOf),
    options: fields.filter(([, schema]) => !argumentValues.has(schema)).map(parameterOf),
    async call(context, input) {
      const parsed = options.safeParse(input)
      if (!parsed.success) throw optionError(parsed.error, options.shape)
      const value = await run(context, parsed.data)
      return {
        value: json(value),
        show: (style) => show(value, style),
        isBad: isBad(value),
        isQuiet: isQuiet(value),
      }
    },
  }
}

function parameterOf([key, schema]: [string, z.ZodType]): Parameter {
  const name = kebabCase(key)
  const { description = '' } = schema
  const withValue = optionValues.get(schema)
  if (withValue !== undefined) {
    const { placeholder, values, isList } = withValue
    return { syntax: `--${name} <${placeholder}>`, description, values, isList }
  }
  const absent = schema.safeParse(undefined)
  const values = argumentValues.get(schema)
  if (values !== undefined)
    return { syntax: absent.success ? `[${name}]` : `<${name}>`, description, values, isList: false }
  return { syntax: absent.data === true ? `--no-${name}` : `--${name}`, description, values: [], isList: false }
}

/** Names the option and what would pass, and never what was given: it can be a handle. */
function optionError(error: z.ZodError, shape: Readonly<Record<string, z.ZodType>>): UserError {
  const issue = error.issues[0]
  const key = String(issue?.path[0] ?? '')
  const schema = shape[key]
  const name = schema === undefined ? 'The command' : parameterOf([key, schema]).syntax.replace(/ .*$|[<>[\]]/g, '')
  return new UserError(`${name} ${issue?.message ?? 'is not valid'}.`, 'See `--help`.', { code: 'invalid-argument' })
}

export function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
