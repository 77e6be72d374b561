import * as z from 'zod'
import { strictObject } from '../strict-object.ts'

/** A value of a profile's field. */
export type FieldValue = string | number | null | readonly string[]

/** The words by which people meet a field; `description` is for JSON Schema, help and the reference. */
interface Words {
  readonly description: string
  /** What stands before the value where a profile is shown, such as `Looks for`. */
  readonly label: string
  readonly question: string
  /** The heading of a column that shows the field, where it is not the field's name. */
  readonly heading?: string
  /** The command-line option, where it is not the field's name, such as `max-distance`. */
  readonly option?: string
}

interface FieldOf<Kind extends string, Schema extends z.ZodType> extends Words {
  readonly kind: Kind
  readonly schema: Schema
}

/** One of some values; `values` maps each to its words. */
export interface ChoiceField extends FieldOf<'choice', z.ZodEnum> {
  readonly values: Readonly<Record<string, string>>
}

/** Any number of some values, each once; `none` is the words of an empty list. */
export interface ListField extends FieldOf<'list', z.ZodType<string[]>> {
  readonly values: Readonly<Record<string, string>>
  readonly none: string
}

/** A whole number from `min` to `max`; `shown` is its words, with `{n}` for the number. */
export interface NumberField extends FieldOf<'number', z.ZodType<number | null>> {
  readonly min: number
  readonly max: number
  readonly shown: string
  /** The word for `null`, such as `anywhere`; absent where there is no such value. */
  readonly nullWord?: string
  /** The number field below which this one must not be. */
  readonly atLeast?: string
}

/** A geohash cell. Every room has one, named `area`: discovery is laid out by it. */
export interface AreaField extends FieldOf<'area', typeof Area> {
  readonly minLength: number
  readonly maxLength: number
}

export type Field = ChoiceField | ListField | NumberField | AreaField

/** The shortest and the longest geohash of an area. */
export const areaLengths = { min: 2, max: 4 } as const

/** A geohash of 2 to 4 characters: a cell of 1,250 × 625, 156 × 156 or 39 × 20 km, never a position. */
export const Area = z
  .string({ error: ({ input }) => required(input) ?? 'must be a string' })
  .regex(
    new RegExp(`^[0-9b-hjkmnp-z]{${areaLengths.min},${areaLengths.max}}$`),
    `must be a geohash of ${areaLengths.min} to ${areaLengths.max} characters, of 0 to 9 and b to z without i, l and o`,
  )
  .describe(`A geohash of ${areaLengths.min} to ${areaLengths.max} characters: a cell, never a position`)
export type Area = z.infer<typeof Area>

/** The longest distance that can be asked for or searched, in kilometres: half the equator. */
export const maxDistanceKm = 20_000

function required(input: unknown): string | undefined {
  return input === undefined ? 'is required' : undefined
}

function oneOf<const Value extends string>(values: Readonly<Record<Value, string>>) {
  const names = Object.keys(values) as [Value, ...Value[]]
  return z.enum(names, { error: ({ input }) => required(input) ?? `must be one of ${names.join(', ')}` })
}

/** A whole number from `min` to `max`; a value outside has one error, which gives both bounds. */
export function wholeNumber(min: number, max: number, orElse = '') {
  const error = ({ input }: { input?: unknown }) =>
    required(input) ?? `must be a whole number from ${min} to ${max}${orElse}`
  return z.int({ error, abort: true }).min(min, { error, abort: true }).max(max, { error, abort: true })
}

export function choice<const Value extends string>(field: Words & { values: Readonly<Record<Value, string>> }) {
  return { ...field, kind: 'choice' as const, schema: oneOf(field.values).describe(field.description) }
}

export function list<const Value extends string>(
  field: Words & { values: Readonly<Record<Value, string>>; none: string },
) {
  const names = Object.keys(field.values)
  const schema = z
    .array(oneOf(field.values), { error: ({ input }) => required(input) ?? `must be a list of ${names.join(', ')}` })
    .max(names.length, `must hold at most ${names.length}`)
    .refine((chosen) => new Set(chosen).size === chosen.length, 'must not name the same twice')
    .meta({ description: field.description, uniqueItems: true })
  return { ...field, kind: 'list' as const, schema }
}

export function number(field: Words & { min: number; max: number; shown: string; atLeast?: string }) {
  return {
    ...field,
    kind: 'number' as const,
    schema: wholeNumber(field.min, field.max).describe(field.description),
  }
}

/** A number, or `null` for no limit. */
export function numberOrNull(field: Words & { min: number; max: number; shown: string; nullWord: string }) {
  const schema = wholeNumber(field.min, field.max, `, or null for ${field.nullWord}`)
  return { ...field, kind: 'number' as const, schema: schema.nullable().describe(field.description) }
}

export function area(field: Omit<Words, 'description'>) {
  const { min: minLength, max: maxLength } = areaLengths
  return { ...field, kind: 'area' as const, description: Area.description ?? '', schema: Area, minLength, maxLength }
}

type Schemas<Fields extends Record<string, Field>> = { [Name in keyof Fields]: Fields[Name]['schema'] }

/** The strict schema of a profile with these fields, all required. */
export function profileSchema<const Fields extends Record<string, Field>>(fields: Fields) {
  const shape = Object.fromEntries(Object.entries(fields).map(([name, { schema }]) => [name, schema]))
  return strictObject(shape as Schemas<Fields>).check(({ value, issues }) => {
    const values = new Map<string, unknown>(Object.entries(value))
    for (const [name, field] of Object.entries<Field>(fields)) {
      if (field.kind !== 'number' || field.atLeast === undefined) continue
      const [input, least] = [values.get(name), values.get(field.atLeast)]
      if (Number(input) >= Number(least)) continue
      issues.push({ code: 'custom', path: [name], message: `must not be below ${field.atLeast}`, input })
    }
  })
}

/** A value in words. An area is described by whoever shows it; here it is its geohash. */
export function formatValue(field: Field, value: FieldValue, formatList: (items: string[]) => string): string {
  switch (field.kind) {
    case 'choice':
      return field.values[String(value)] ?? String(value)
    case 'list': {
      const chosen = Array.isArray(value) ? value.map((each) => field.values[String(each)] ?? String(each)) : []
      return chosen.length === 0 ? field.none : formatList(chosen)
    }
    case 'number':
      return value === null ? (field.nullWord ?? '') : field.shown.replace('{n}', String(value))
    case 'area':
      return String(value)
  }
}
