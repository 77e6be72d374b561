import { cellOf, centreOf, DatingProfile, geohashOf, type Area, type Point } from '@koko/contract'
import * as z from 'zod'
import { Advice } from '../errors.ts'
import { defineCommand, type Style } from './define-command.ts'
import type { Ask, Context } from '../context.ts'
import { profileFile, type Profile } from '../home/files.ts'
import { columns } from '../output.ts'
import { findPlaces, placeName, positionOf, sizeInWords, usualCell } from '../matching/places.ts'

type Field = keyof DatingProfile

export interface KeptProfile {
  /** Null where none was written yet. */
  profile: DatingProfile | null
  /** Intents that a match may have; empty is any. Never published. */
  onlyIntents: Profile['onlyIntents']
  /** Fields that are not there yet. */
  missing: Field[]
  isWritten: boolean
  /** The cell is a coarser one than can be, because few live around it and nobody asked for another. */
  isCoarse: boolean
}

const { shape } = DatingProfile
const fields = Object.keys(shape) as Field[]

const listOf = (text: string) => text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))
const orAny = (text: string) => (['', 'any', 'anyone'].includes(text.trim()) ? [] : listOf(text))
const numberOf = (text: string) => (/^\d+$/.test(text.trim()) ? Number(text) : Number.NaN)
const distanceOf = (text: string) => (text.trim() === 'anywhere' ? null : numberOf(text))
const typedDistance = z.string().transform((text, context) => {
  const parsed = shape.maxDistanceKm.safeParse(distanceOf(text))
  if (parsed.success) return parsed.data
  context.addIssue('must be a whole number from 1 to 20000, or anywhere')
  return z.NEVER
})
const onlyIntentsSchema = z.array(shape.intent)

const whole = (schema: typeof shape.age) => z.string().transform(numberOf).pipe(schema).optional()

const Options = z.strictObject({
  action: z.enum(['edit'], { error: 'must be edit, or left out' }).optional(),
  gender: shape.gender.optional(),
  seeking: z.string().transform(orAny).pipe(shape.seeking).optional(),
  age: whole(shape.age),
  ageMin: whole(shape.ageMin),
  ageMax: whole(shape.ageMax),
  place: z.string().optional(),
  at: z.string().optional(),
  area: shape.area.optional(),
  coarse: z.enum(['2', '3', '4'], { error: 'must be 2, 3 or 4' }).transform(Number).optional(),
  maxDistance: typedDistance.optional(),
  intent: shape.intent.optional(),
  onlyIntents: z.string().transform(orAny).pipe(onlyIntentsSchema).optional(),
})
export type ProfileOptions = z.output<typeof Options>

export const command = defineCommand({ options: Options, run: profile, show })

/** Shows the profile; changes it where any option says so, or by asking. Only a cell is kept of a place. Sends nothing. */
export async function profile(context: Context, { action, ...options }: ProfileOptions): Promise<KeptProfile> {
  const { home, ask } = context
  const before = await home.read(profileFile)
  const isEdit = action === 'edit' || Object.keys(options).length > 0
  if (!isEdit) {
    const missing = before === undefined ? fields : []
    return { ...(before ?? { profile: null, onlyIntents: [] }), missing, isWritten: false, isCoarse: false }
  }
  const given = await editsOf(options, before?.profile.area, ask)
  const isBare = Object.keys(options).length === 0
  const known: Partial<DatingProfile> = { ...before?.profile, ...given.fields }
  const open = isBare ? fields : fields.filter((field) => known[field] === undefined)
  if (open.length > 0 && ask === undefined) throw unasked(open, before !== undefined)
  const asked = ask === undefined ? {} : await askFields(ask, open, known)
  const onlyIntents =
    isBare && ask !== undefined ? await askOnlyIntents(ask, before?.onlyIntents ?? []) : given.onlyIntents

  const written = await home.change(async (files) => {
    const current = await files.read(profileFile)
    const edited = DatingProfile.safeParse({ ...current?.profile, ...given.fields, ...asked })
    if (!edited.success) throw refused(edited.error)
    const next = { profile: edited.data, onlyIntents: onlyIntents ?? current?.onlyIntents ?? [] }
    await files.write(profileFile, next)
    return next
  })
  return { ...written, missing: [], isWritten: true, isCoarse: given.isCoarse }
}

interface Edits {
  fields: Partial<DatingProfile>
  onlyIntents: Profile['onlyIntents'] | undefined
  isCoarse: boolean
}

/** What the options say. */
async function editsOf(
  { place, at, area, coarse, maxDistance, onlyIntents, ...options }: Omit<ProfileOptions, 'action'>,
  before: Area | undefined,
  ask: Ask | undefined,
): Promise<Edits> {
  if ([place, at, area].filter((each) => each !== undefined).length > 1) {
    throw new Advice('--place, --at and --area say the same in three ways.', 'Give one of them.')
  }
  const point =
    place !== undefined ? await pointOfPlace(place, ask) : at !== undefined ? pointOfPosition(at) : undefined
  const cell =
    point === undefined
      ? coarsened(area ?? (coarse === undefined ? undefined : before), coarse)
      : coarse === undefined
        ? usualCell(point)
        : geohashOf(point, coarse)
  return {
    fields: defined({ ...options, maxDistanceKm: maxDistance, area: cell }),
    onlyIntents,
    isCoarse: point !== undefined && coarse === undefined && cell?.length !== 4,
  }
}

function coarsened(area: Area | undefined, coarse: number | undefined): Area | undefined {
  if (coarse === undefined) return area
  if (area === undefined) throw new Advice('--coarse goes with a place.', 'Give --place, --at or --area too.')
  if (area.length < coarse) {
    throw new Advice('A cell can be made coarser, and not finer.', 'Give --place or --at too: no position is kept.')
  }
  return area.slice(0, coarse)
}

function pointOfPosition(typed: string): Point {
  const point = positionOf(typed)
  if (point !== undefined) return point
  throw new Advice('--at must be a latitude and a longitude in degrees.', 'Write it like 51.5,-0.1.')
}

async function pointOfPlace(typed: string, ask: Ask | undefined): Promise<Point> {
  const { places, suggestions } = findPlaces(typed)
  const [place, ...others] = places
  if (place === undefined) throw new Advice('The list has no city of that name.', meant(suggestions.map(placeName)))
  if (others.length === 0) return place
  if (ask === undefined) {
    throw new Advice('Several cities have that name.', `Name the country too: ${anyOf(places.map(placeName))}.`)
  }
  return choosePlace(ask, places)
}

function meant(names: readonly string[]): string {
  return names.length === 0
    ? 'It holds large cities only: name one near you, or give --at with a latitude and a longitude.'
    : `Did you mean ${anyOf(names)}?`
}

function anyOf(names: readonly string[]): string {
  return new Intl.ListFormat('en', { type: 'disjunction' }).format(names.map((name) => `"${name}"`))
}

async function choosePlace(ask: Ask, places: readonly (Point & { name: string; country: string })[]): Promise<Point> {
  const options = places.map((place) => ({ value: placeName(place), label: placeName(place) }))
  const chosen = await ask.choose({ message: 'Which of them?', options })
  const place = places.find((each) => placeName(each) === chosen)
  if (place === undefined) throw new Error('a place that was not offered')
  return place
}

const words = {
  gender: { woman: 'a woman', man: 'a man', nonbinary: 'nonbinary', other: 'another gender' },
  seeking: { woman: 'women', man: 'men', nonbinary: 'nonbinary people', other: 'people of another gender' },
  intent: {
    long_term: 'something lasting',
    short_term: 'something short',
    friendship: 'friendship',
    casual: 'something casual',
    open: 'open to what comes',
  },
} satisfies {
  gender: Record<DatingProfile['gender'], string>
  seeking: Record<DatingProfile['gender'], string>
  intent: Record<DatingProfile['intent'], string>
}

const choices = <T extends string>(labels: Record<T, string>) =>
  (Object.keys(labels) as T[]).map((value) => ({ value, label: labels[value] }))

/** Asks for fields in their order, each with what is known of it. */
async function askFields(
  ask: Ask,
  open: readonly Field[],
  known: Partial<DatingProfile>,
): Promise<Partial<DatingProfile>> {
  const answers: Partial<DatingProfile> = {}
  for (const field of open) Object.assign(answers, await askField(ask, field, { ...known, ...answers }))
  return answers
}

async function askField(ask: Ask, field: Field, known: Partial<DatingProfile>): Promise<Partial<DatingProfile>> {
  switch (field) {
    case 'gender': {
      const options = choices(words.gender)
      return { gender: await ask.choose({ message: 'You are …', options, ...initially(known.gender) }) }
    }
    case 'seeking': {
      const options = choices(words.seeking)
      const message = 'Whom do you look for? Nothing chosen is anyone.'
      return { seeking: await ask.chooseSome({ message, options, ...initially(known.seeking) }) }
    }
    case 'age':
      return { age: await askNumber(ask, 'How old are you, in years?', shape.age, known.age) }
    case 'ageMin':
      return { ageMin: await askNumber(ask, 'The youngest age that you look for?', shape.ageMin, known.ageMin) }
    case 'ageMax': {
      const least = known.ageMin ?? 18
      const schema = shape.ageMax.min(least, `must not be below ${least}`)
      return { ageMax: await askNumber(ask, 'The oldest age that you look for?', schema, known.ageMax) }
    }
    case 'area':
      return { area: await askArea(ask, known.area) }
    case 'maxDistanceKm': {
      const answer = await ask.text({
        message: 'How far away may a match be, in kilometres? `anywhere` is as good an answer.',
        ...(known.maxDistanceKm === undefined ? {} : { initial: String(known.maxDistanceKm ?? 'anywhere') }),
        validate: (text) => wrong(typedDistance, text),
      })
      return { maxDistanceKm: distanceOf(answer) }
    }
    case 'intent': {
      const options = choices(words.intent)
      return { intent: await ask.choose({ message: 'What do you hope for?', options, ...initially(known.intent) }) }
    }
  }
}

async function askNumber(ask: Ask, message: string, schema: z.ZodType, known: number | undefined): Promise<number> {
  const answer = await ask.text({
    message,
    ...(known === undefined ? {} : { initial: String(known) }),
    validate: (text) => wrong(schema, numberOf(text)),
  })
  return numberOf(answer)
}

async function askArea(ask: Ask, known: Area | undefined): Promise<Area> {
  ask.say(
    'Peers learn a cell in which you are somewhere, and no position. What you type here is turned into it and forgotten.',
  )
  const how = await ask.choose({
    message: 'Where are you?',
    options: [
      ...(known === undefined
        ? []
        : [{ value: 'keep', label: `Still in the cell ${known}`, hint: sizeInWords(known) }]),
      { value: 'city', label: 'In or near a large city' },
      { value: 'position', label: 'At a latitude and a longitude' },
      { value: 'cell', label: 'In a cell, by its geohash' },
    ],
  })
  switch (how) {
    case 'keep':
      return known ?? ''
    case 'city': {
      const typed = await ask.text({
        message: 'Which city?',
        validate(text) {
          const { places, suggestions } = findPlaces(text)
          return places.length > 0
            ? undefined
            : `The list has no city of that name. ${meant(suggestions.map(placeName))}`
        },
      })
      return chooseCell(ask, await pointOfPlace(typed, ask))
    }
    case 'position': {
      const typed = await ask.text({
        message: 'Latitude and longitude, in degrees?',
        placeholder: '51.5,-0.1',
        validate: (text) => (positionOf(text) === undefined ? 'Write it like 51.5,-0.1.' : undefined),
      })
      return chooseCell(ask, pointOfPosition(typed))
    }
    default:
      return ask.text({
        message: 'The geohash of the cell?',
        placeholder: 'gcpv',
        ...(known === undefined ? {} : { initial: known }),
        validate: (text) => wrong(shape.area, text),
      })
  }
}

/** A cell is the more telling the fewer live in it: away from large cities a coarser one is offered first. */
async function chooseCell(ask: Ask, point: Point): Promise<Area> {
  const usual = usualCell(point)
  const sizes = ([4, 3, 2] as const).map((length) => geohashOf(point, length))
  return ask.choose({
    message:
      usual.length === 4
        ? 'How large a cell do peers learn?'
        : 'How large a cell do peers learn? Few live around here: in a small one you are easily found.',
    options: [usual, ...sizes.filter((cell) => cell !== usual)].map((cell) => ({
      value: cell,
      label: sizeInWords(cell),
      hint: cell,
    })),
    initial: usual,
  })
}

async function askOnlyIntents(ask: Ask, known: Profile['onlyIntents']): Promise<Profile['onlyIntents']> {
  const message = 'What may a match hope for? Nothing chosen is anything. This dealbreaker stays at home.'
  return ask.chooseSome({ message, options: choices(words.intent), initial: known })
}

const initially = <T>(known: T | undefined): { initial?: T } => (known === undefined ? {} : { initial: known })

/** What would pass, as a sentence; undefined where the value does. */
function wrong(schema: z.ZodType, value: unknown): string | undefined {
  const result = schema.safeParse(value)
  return result.success ? undefined : `It ${result.error.issues[0]?.message ?? 'is not valid'}.`
}

const flags: Record<Field, string> = {
  gender: '--gender',
  seeking: '--seeking',
  age: '--age',
  ageMin: '--age-min',
  ageMax: '--age-max',
  area: '--place (or --at, or --area)',
  maxDistanceKm: '--max-distance',
  intent: '--intent',
}

function unasked(open: readonly Field[], hasProfile: boolean): Advice {
  const names = open.map((field) => flags[field]).join(', ')
  return hasProfile
    ? new Advice('There is nobody to ask.', `Name what changes: ${names}.`)
    : new Advice('A profile has eight fields, and there is nobody to ask for them.', `Give ${names} too.`)
}

function refused(error: z.ZodError): Advice {
  const [issue] = error.issues
  const field = fields.find((each) => each === issue?.path[0])
  const isCrossed = field === 'ageMax' && issue?.code === 'custom'
  return new Advice(
    isCrossed
      ? 'The oldest age sought is below the youngest.'
      : `The profile was not changed: ${field ?? 'it'} ${issue?.message ?? 'is not valid'}.`,
    isCrossed ? 'Give --age-min and --age-max that go together.' : 'Give it so that it passes.',
  )
}

function defined<T extends object>(of: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as never
}

function show({ profile, onlyIntents, isWritten, isCoarse }: KeptProfile, style: Style): string {
  if (profile === null) return 'There is no profile yet: `koko profile edit` asks for it.'
  const listed = (parts: readonly string[]) => new Intl.ListFormat('en', { type: 'conjunction' }).format(parts)
  const { latitude, longitude } = centreOf(cellOf(profile.area))
  const place = `${degrees(latitude, 'N', 'S')}, ${degrees(longitude, 'E', 'W')}`
  const intents = onlyIntents.map((intent) => words.intent[intent])
  return [
    columns([
      ['Is', words.gender[profile.gender]],
      [
        'Looks for',
        profile.seeking.length === 0 ? 'anyone' : listed(profile.seeking.map((each) => words.seeking[each])),
      ],
      ['Age', `${profile.age} years`],
      ['Ages sought', `${profile.ageMin} to ${profile.ageMax} years`],
      ['Area', `somewhere in the cell ${profile.area}, ${sizeInWords(profile.area)} around ${place}`],
      ['Distance', profile.maxDistanceKm === null ? 'anywhere' : `up to ${profile.maxDistanceKm} km`],
      ['Hopes for', words.intent[profile.intent]],
    ]),
    '',
    `A match may hope for ${intents.length === 0 ? 'anything' : listed(intents)}. This stays at home.`,
    ...(isCoarse
      ? ['Few live around there, so that the cell is a coarse one: with --coarse 4 it is the smallest there is.']
      : []),
    isWritten
      ? `${style.good('✓')} Kept here, and of the place only the cell. Nothing was sent: \`koko publish\` does that.`
      : '`koko profile edit` changes it.',
  ].join('\n')
}

function degrees(value: number, positive: string, negative: string): string {
  return `${Math.abs(value).toFixed(1)}° ${value >= 0 ? positive : negative}`
}
