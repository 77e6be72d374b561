import * as z from 'zod'
import { strictObject } from './strict-object.ts'

/** A geohash of 2 to 4 characters: a cell of 1,250 × 625, 156 × 156 or 39 × 20 km, never a position. */
export const Area = z
  .string({ error: ({ input }) => required(input) ?? 'must be a string' })
  .regex(/^[0-9b-hjkmnp-z]{2,4}$/, 'must be a geohash of 2 to 4 characters, of 0 to 9 and b to z without i, l and o')
  .describe('A geohash of 2 to 4 characters: a cell, never a position')
export type Area = z.infer<typeof Area>

const genders = ['woman', 'man', 'nonbinary', 'other'] as const
const intents = ['long_term', 'short_term', 'friendship', 'casual', 'open'] as const

const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: ({ input }) => required(input) ?? `must be one of ${values.join(', ')}` })

const wholeNumber = (least: number, most: number, also = '') =>
  ((error) => z.int({ error, abort: true }).min(least, { error, abort: true }).max(most, { error, abort: true }))(
    ({ input }: { input?: unknown }) => required(input) ?? `must be a whole number from ${least} to ${most}${also}`,
  )

function required(input: unknown): string | undefined {
  return input === undefined ? 'is required' : undefined
}

/**
 * The dating profile: eight fields, all required, no free text. This list is this project's proposal; it follows no
 * outside standard.
 */
export const DatingProfile = strictObject({
  gender: oneOf(genders).describe('What the person is'),
  seeking: z
    .array(oneOf(genders), { error: ({ input }) => required(input) ?? `must be a list of ${genders.join(', ')}` })
    .max(genders.length, `must hold at most ${genders.length}`)
    .refine((sought) => new Set(sought).size === sought.length, 'must not name the same twice')
    .meta({ description: 'Whom the person looks for; an empty list is anyone', uniqueItems: true }),
  age: wholeNumber(18, 120).describe('Age in years'),
  ageMin: wholeNumber(18, 120).describe('The youngest age sought, in years'),
  ageMax: wholeNumber(18, 120).describe('The oldest age sought, in years, not below ageMin'),
  area: Area,
  maxDistanceKm: wholeNumber(1, 20_000, ', or null for anywhere')
    .nullable()
    .describe('How far away a match may be, in kilometres; null is anywhere'),
  intent: oneOf(intents).describe('What the person hopes for'),
}).refine(({ ageMin, ageMax }) => ageMax >= ageMin, { path: ['ageMax'], error: 'must not be below ageMin' })
export type DatingProfile = z.infer<typeof DatingProfile>
