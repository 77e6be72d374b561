import * as z from 'zod'
import { keysOf } from '../keys-of.ts'
import { strictObject } from '../strict-object.ts'

/** A value of a profile's field. */
export type FieldValue = string | number | null | readonly string[]

interface Words {
  /** For JSON Schema, the help of commands and the reference. */
  readonly description: string
  /** Stands before the value in a profile, such as `Looking for`. */
  readonly label: string
  /** What a form asks the operator. */
  readonly question: string
  /** The heading of the field's column, if not its name. */
  readonly heading?: string
  /** The command-line option, such as `max-distance`, if not the field's name. */
  readonly option?: string
}

interface FieldOf<Kind extends string, Schema extends z.ZodType> extends Words {
  readonly kind: Kind
  readonly schema: Schema
}

/** One of `values`, which maps each value to its words. */
export interface ChoiceField extends FieldOf<'choice', z.ZodEnum> {
  readonly values: Readonly<Record<string, string>>
}

/** Any number of `values`, each once. `none` is the text for an empty list. */
export interface ListField extends FieldOf<'list', z.ZodType<string[]>> {
  readonly values: Readonly<Record<string, string>>
  readonly none: string
}

/** A whole number from `min` to `max`. `shown` is its text, with `{n}` for the number. */
export interface NumberField extends FieldOf<'number', z.ZodType<number | null>> {
  readonly min: number
  readonly max: number
  readonly shown: string
  /** The word for `null`, such as `anywhere`, if the field takes `null`. */
  readonly nullWord?: string
  /** The number field whose value is this one's minimum. */
  readonly atLeast?: string
}

export type AreaField = FieldOf<'area', typeof Area>

export type Field = ChoiceField | ListField | NumberField | AreaField

/** The characters of an area's geohash: a cell of 1,250 × 625, 156 × 156 or 39 × 20 km. */
export const areaLengths = { min: 2, max: 4 }

/** The error for a missing value, or for one that does not pass. */
const requiredOr = (message: string) => (issue: { input?: unknown }) =>
  issue.input === undefined ? 'is required' : message

export const Area = z
  .string({ error: requiredOr('must be a string') })
  .regex(
    new RegExp(`^[0-9b-hjkmnp-z]{${areaLengths.min},${areaLengths.max}}$`),
    `must be a geohash of ${areaLengths.min} to ${areaLengths.max} characters, of 0 to 9 and b to z without i, l and o`,
  )
  .describe(`A geohash of ${areaLengths.min} to ${areaLengths.max} characters: a cell, never a position`)
export type Area = z.infer<typeof Area>

/** Half the equator: no two places are further apart. */
export const maxDistanceKm = 20_000

function oneOf<const Value extends string>(values: Readonly<Record<Value, string>>) {
  const names = keysOf(values)
  return z.enum(names, { error: requiredOr(`must be one of ${names.join(', ')}`) })
}

/** A whole number from `min` to `max`. The one error gives both. */
export function wholeNumber(min: number, max: number, orElse = '') {
  const error = requiredOr(`must be a whole number from ${min} to ${max}${orElse}`)
  return z.int({ error, abort: true }).min(min, { error, abort: true }).max(max, { error, abort: true })
}

export function choice<const Value extends string>(field: Words & { values: Readonly<Record<Value, string>> }) {
  return { ...field, kind: 'choice' as const, schema: oneOf(field.values).describe(field.description) }
}

export function list<const Value extends string>(
  field: Words & { values: Readonly<Record<Value, string>>; none: string },
) {
  const names = keysOf(field.values)
  const schema = z
    .array(oneOf(field.values), { error: requiredOr(`must be a list of ${names.join(', ')}`) })
    .max(names.length, `must hold at most ${names.length}`)
    .refine((chosen) => new Set(chosen).size === chosen.length, 'must not name the same twice')
    .meta({ description: field.description, uniqueItems: true })
  return { ...field, kind: 'list' as const, schema }
}

export function number(field: Words & { min: number; max: number; shown: string; atLeast?: string }) {
  const schema = wholeNumber(field.min, field.max)
  return { ...field, kind: 'number' as const, schema: schema.describe(field.description) }
}

/** A number, or `null` for no limit. */
export function numberOrNull(field: Words & { min: number; max: number; shown: string; nullWord: string }) {
  const schema = wholeNumber(field.min, field.max, `, or null for ${field.nullWord}`)
  return { ...field, kind: 'number' as const, schema: schema.nullable().describe(field.description) }
}

export function area(field: Omit<Words, 'description'>) {
  return { ...field, kind: 'area' as const, description: Area.description ?? '', schema: Area }
}

type Schemas<Fields extends Record<string, Field>> = { [Name in keyof Fields]: Fields[Name]['schema'] }

/** The strict schema of a profile: it requires all of these fields. */
export function profileSchema<const Fields extends Record<string, Field>>(fields: Fields) {
  const shape = Object.fromEntries(Object.entries(fields).map(([name, { schema }]) => [name, schema]))
  return strictObject(shape as Schemas<Fields>).check(({ value, issues }) => {
    const values = new Map<string, unknown>(Object.entries(value))
    for (const [name, field] of Object.entries<Field>(fields)) {
      if (field.kind !== 'number' || field.atLeast === undefined) continue
      const input = values.get(name)
      if (Number(input) >= Number(values.get(field.atLeast))) continue
      issues.push({ code: 'custom', path: [name], message: `must not be below ${field.atLeast}`, input })
    }
  })
}

/** A value in words; an area stays a geohash. */
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
