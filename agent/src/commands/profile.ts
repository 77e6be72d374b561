import type { RoomName } from '@koko/contract'
import {
  areaLengths,
  cellOf,
  centreOf,
  formatValue,
  geohashOf,
  rooms,
  type Area,
  type Field,
  type FieldValue,
  type NumberField,
  type Point,
  type Profile,
  type Room,
} from '@koko/contract'
import * as z from 'zod'
import { UserError } from '../errors.ts'
import { argument, defineCommand, option } from './define-command.ts'
import type { Ask, Context } from '../context.ts'
import { privateDealbreakers } from '../home/files.ts'
import { columns, type Style } from '../output.ts'
import { findPlaces, placeName, positionOf, sizeInWords, usualCell } from '../matching/places.ts'
import { editProfile, missingFields, noDealbreakers, readProfile, roomOf, type Values } from '../operations/profile.ts'

export interface KeptProfile {
  room: RoomName
  /** Null where none was written yet. */
  profile: Profile | null
  /** By name, the values that a match may have; empty is any. Never published. */
  dealbreakers: Readonly<Record<string, string[]>>
  /** Fields that are not there yet. */
  missing: string[]
  isWritten: boolean
  /** The cell is a coarser one than can be, because few live around it and nobody asked for another. */
  isCoarse: boolean
}

/** What `--json` prints: the dealbreakers beside the profile, by their names. */
function jsonOf({ room: _room, profile, dealbreakers, ...rest }: KeptProfile) {
  return { profile, ...dealbreakers, ...rest }
}

/** A command-line option that gives a field, or a dealbreaker that stays at home. */
interface FieldOption {
  /** As commander names it, such as `maxDistance`. */
  key: string
  flag: string
  /** The placeholder of its value in the help. */
  value: string
  help: string
}

const camelCase = (name: string) => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
const kebabCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

function optionOf(name: string, field: Pick<Field, 'option'>): Pick<FieldOption, 'key' | 'flag'> {
  const kebab = field.option ?? kebabCase(name)
  return { key: camelCase(kebab), flag: `--${kebab}` }
}

const valueNames = { choice: 'value', list: 'values', number: 'number', area: 'cell' } as const

function helpOf(field: Field): string {
  switch (field.kind) {
    case 'choice':
      return alternatives(Object.keys(field.values))
    case 'list':
      return `Any of ${Object.keys(field.values).join(', ')}, separated by commas; empty is ${field.none}`
    case 'number': {
      const or = field.nullWord === undefined ? '' : `, or ${field.nullWord}`
      return `${field.description.split(';')[0] ?? ''}: ${field.min} to ${field.max}${or}`
    }
    case 'area':
      return `A geohash of ${field.minLength} to ${field.maxLength} characters`
  }
}

function optionsOf(room: Room): FieldOption[] {
  return [
    ...Object.entries(room.fields).map(([name, field]) => ({
      ...optionOf(name, field),
      value: valueNames[field.kind],
      help: helpOf(field),
    })),
    ...privateDealbreakers(room).map(({ name, description }) => ({
      ...optionOf(name, {}),
      value: 'values',
      help: `${description}, separated by commas`,
    })),
  ]
}

const cellLengths = Array.from({ length: areaLengths.max - areaLengths.min + 1 }, (_, index) => areaLengths.max - index)

/** The options by which any room's profile is edited; rooms share an option of the same name. */
const fieldOptions = Object.fromEntries(
  Object.values(rooms)
    .flatMap(optionsOf)
    .map(({ key, value, help }) => [key, option(value, help, z.string().optional())]),
)

const Options = z.strictObject({
  action: argument('`edit` asks for each field', z.enum(['edit'], { error: 'must be edit, or left out' }).optional()),
  ...fieldOptions,
  area: option('cell', `A geohash of ${areaLengths.min} to ${areaLengths.max} characters`, z.string().optional()),
  place: option('city', 'A city of the built-in list; only the cell around it is kept', z.string().optional()),
  at: option(
    'latitude,longitude',
    'A position, such as 51.5,-0.1; only the cell around it is kept',
    z.string().optional(),
  ),
  coarse: option(
    'characters',
    `How many characters of the cell are kept: ${areaLengths.min} to ${areaLengths.max}`,
    z
      .enum(cellLengths.map(String), { error: `must be ${alternatives(cellLengths.map(String).reverse())}` })
      .transform(Number)
      .optional(),
  ),
})
export type ProfileOptions = z.output<typeof Options>

export const command = defineCommand({
  summary: 'Show the profile; `profile edit` asks for it',
  notes: 'Any option edits. Nothing is sent: `koko publish` does that.',
  options: Options,
  run: profile,
  show,
  json: jsonOf,
})

/** Shows the profile; changes it where any option says so, or by asking. Only a cell is kept of a place. Sends nothing. */
export async function profile(context: Context, { action, ...options }: ProfileOptions): Promise<KeptProfile> {
  const { home, ask } = context
  const roomName = await roomOf(home)
  const room = rooms[roomName]
  const before = await readProfile(home, roomName)
  const isEdit = action === 'edit' || Object.keys(options).length > 0
  if (!isEdit) {
    return {
      room: roomName,
      profile: before?.profile ?? null,
      dealbreakers: before?.dealbreakers ?? noDealbreakers(roomName),
      missing: missingFields(roomName, before?.profile ?? {}),
      isWritten: false,
      isCoarse: false,
    }
  }
  const given = await editsOf(roomName, options, before?.profile.area, ask)
  const isBare = Object.keys(options).length === 0
  const known: Values = { ...before?.profile, ...given.fields }
  const open = isBare ? Object.keys(room.fields) : missingFields(roomName, known)
  if (open.length > 0 && ask === undefined) throw unasked(room, open, before !== undefined)
  const asked = ask === undefined ? {} : await askFields(ask, room, open, known)
  const dealbreakers =
    isBare && ask !== undefined ? await askDealbreakers(ask, room, before?.dealbreakers ?? {}) : given.dealbreakers

  const written = await editProfile(home, roomName, { ...given.fields, ...asked }, dealbreakers)
  return { ...written, missing: [], isWritten: true, isCoarse: given.isCoarse }
}

interface Edits {
  fields: Values
  dealbreakers: Record<string, string[]>
  isCoarse: boolean
}

/** What the options say. */
async function editsOf(
  roomName: RoomName,
  { place, at, area, coarse, ...options }: Omit<ProfileOptions, 'action'>,
  before: Area | undefined,
  ask: Ask | undefined,
): Promise<Edits> {
  const room = rooms[roomName]
  if ([place, at, area].filter((each) => each !== undefined).length > 1) {
    throw new UserError('--place, --at and --area say the same in three ways.', 'Give one of them.')
  }
  const own = new Set(optionsOf(room).map(({ key }) => key))
  const foreign = Object.keys(options).find((key) => !own.has(key))
  if (foreign !== undefined) {
    throw new UserError(`The room ${roomName} has no --${kebabCase(foreign)}.`, 'See `koko profile --help`.')
  }
  const point =
    place !== undefined ? await pointOfPlace(place, ask) : at !== undefined ? pointOfPosition(at) : undefined
  const typedCell = area === undefined ? undefined : String(readTyped('area', fieldOf(room, 'area'), area))
  const cell =
    point === undefined
      ? coarsened(typedCell ?? (coarse === undefined ? undefined : before), coarse)
      : coarse === undefined
        ? usualCell(point)
        : geohashOf(point, coarse)
  const typed = new Map(
    Object.entries(options).flatMap(([key, text]) => (typeof text === 'string' ? [[key, text] as const] : [])),
  )
  const fields = Object.entries(room.fields).flatMap(([name, field]): [string, FieldValue][] => {
    const { key, flag } = optionOf(name, field)
    const text = typed.get(key)
    return text === undefined ? [] : [[name, readTyped(flag.slice(2), field, text)]]
  })
  const dealbreakers = privateDealbreakers(room).flatMap(({ name, of }): [string, string[]][] => {
    const { key, flag } = optionOf(name, {})
    const text = typed.get(key)
    if (text === undefined) return []
    const field = fieldOf(room, of)
    return [[name, listOf(text).map((value) => String(readTyped(flag.slice(2), field, value)))]]
  })
  return {
    fields: { ...Object.fromEntries(fields), ...(cell === undefined ? {} : { area: cell }) },
    dealbreakers: Object.fromEntries(dealbreakers),
    isCoarse: point !== undefined && coarse === undefined && cell?.length !== areaLengths.max,
  }
}

function fieldOf({ fields }: Room, name: string): Field {
  const field = fields[name]
  if (field === undefined) throw new Error(`The room has no field ${name}.`)
  return field
}

/** A list as it is typed: words that stand for an empty one, or values separated by commas. */
function listOf(text: string): string[] {
  if (['', 'any', 'anyone', 'anything'].includes(text.trim())) return []
  return text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))
}

/** What a typed text stands for, before it is checked. */
function typedValue(field: Field, text: string): FieldValue {
  switch (field.kind) {
    case 'list':
      return listOf(text)
    case 'number':
      if (field.nullWord !== undefined && text.trim() === field.nullWord) return null
      return /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN
    case 'choice':
    case 'area':
      return text
  }
}

/** The value of a typed option. Throws `UserError` that names the option, and never what was typed. */
function readTyped(option: string, field: Field, text: string): FieldValue {
  const value = typedValue(field, text)
  const wrong = wrongWith(field, value)
  if (wrong !== undefined) throw new UserError(`${option} ${wrong}.`, 'See `--help`.')
  return value
}

/** What would pass, in the words of somebody who types; undefined where the value passes. */
function wrongWith(field: Field, value: FieldValue, least?: number): string | undefined {
  const result = field.schema.safeParse(value)
  if (!result.success) {
    const message = result.error.issues[0]?.message ?? 'is not valid'
    const nullWord = field.kind === 'number' ? field.nullWord : undefined
    return nullWord === undefined ? message : message.replace(`null for ${nullWord}`, nullWord)
  }
  return least !== undefined && typeof value === 'number' && value < least ? `must not be below ${least}` : undefined
}

function coarsened(area: Area | undefined, coarse: number | undefined): Area | undefined {
  if (coarse === undefined) return area
  if (area === undefined) throw new UserError('--coarse goes with a place.', 'Give --place, --at or --area too.')
  if (area.length < coarse) {
    throw new UserError('A cell can be made coarser, and not finer.', 'Give --place or --at too: no position is kept.')
  }
  return area.slice(0, coarse)
}

function pointOfPosition(typed: string): Point {
  const point = positionOf(typed)
  if (point !== undefined) return point
  throw new UserError('--at must be a latitude and a longitude in degrees.', 'Write it like 51.5,-0.1.')
}

async function pointOfPlace(typed: string, ask: Ask | undefined): Promise<Point> {
  const { places, suggestions } = findPlaces(typed)
  const [place, ...others] = places
  if (place === undefined) throw new UserError('The list has no city of that name.', meant(suggestions.map(placeName)))
  if (others.length === 0) return place
  if (ask === undefined) {
    throw new UserError('Several cities have that name.', `Name the country too: ${anyOf(places.map(placeName))}.`)
  }
  return choosePlace(ask, places)
}

function meant(names: readonly string[]): string {
  return names.length === 0
    ? 'It holds large cities only: name one near you, or give --at with a latitude and a longitude.'
    : `Did you mean ${anyOf(names)}?`
}

function anyOf(names: readonly string[]): string {
  return alternatives(names.map((name) => `"${name}"`))
}

function alternatives(names: readonly string[]): string {
  return new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(names)
}

async function choosePlace(ask: Ask, places: readonly (Point & { name: string; country: string })[]): Promise<Point> {
  const options = places.map((place) => ({ value: placeName(place), label: placeName(place) }))
  const chosen = await ask.choose({ message: 'Which of them?', options })
  const place = places.find((each) => placeName(each) === chosen)
  if (place === undefined) throw new Error('a place that was not offered')
  return place
}

const choicesOf = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([value, label]) => ({ value, label }))

/** Asks for fields in their order, each with what is known of it. */
async function askFields(ask: Ask, room: Room, open: readonly string[], known: Values): Promise<Values> {
  const answers: Record<string, FieldValue> = {}
  for (const name of open) {
    answers[name] = await askField(ask, fieldOf(room, name), name, { ...known, ...answers })
  }
  return answers
}

async function askField(ask: Ask, field: Field, name: string, known: Values): Promise<FieldValue> {
  const before = known[name]
  switch (field.kind) {
    case 'choice':
      return ask.choose({
        message: field.question,
        options: choicesOf(field.values),
        ...initially(typeof before === 'string' ? before : undefined),
      })
    case 'list':
      return ask.chooseSome({
        message: `${field.question} Nothing chosen is ${field.none}.`,
        options: choicesOf(field.values),
        ...initially(Array.isArray(before) ? before.map(String) : undefined),
      })
    case 'number':
      return askNumber(ask, field, before, field.atLeast === undefined ? undefined : known[field.atLeast])
    case 'area':
      return askArea(ask, field, typeof before === 'string' ? before : undefined)
  }
}

async function askNumber(
  ask: Ask,
  field: NumberField,
  known: FieldValue | undefined,
  least: FieldValue | undefined,
): Promise<FieldValue> {
  const answer = await ask.text({
    message: field.nullWord === undefined ? field.question : `${field.question} Or \`${field.nullWord}\`.`,
    ...(known === undefined ? {} : { initial: String(known ?? field.nullWord) }),
    validate: (text) =>
      sentence(wrongWith(field, typedValue(field, text), typeof least === 'number' ? least : undefined)),
  })
  return typedValue(field, answer)
}

async function askArea(ask: Ask, field: Field, known: Area | undefined): Promise<Area> {
  ask.say(
    'Peers learn a cell in which you are somewhere, and no position. What you type here is turned into it and forgotten.',
  )
  const how = await ask.choose({
    message: field.question,
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
        validate: (text) => sentence(wrongWith(field, text)),
      })
  }
}

/** A cell is the more telling the fewer live in it: away from large cities a coarser one is offered first. */
async function chooseCell(ask: Ask, point: Point): Promise<Area> {
  const usual = usualCell(point)
  const sizes = cellLengths.map((length) => geohashOf(point, length))
  return ask.choose({
    message:
      usual.length === areaLengths.max
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

async function askDealbreakers(
  ask: Ask,
  room: Room,
  known: Readonly<Record<string, string[]>>,
): Promise<Record<string, string[]>> {
  const answers: Record<string, string[]> = {}
  for (const { name, of, question } of privateDealbreakers(room)) {
    const field = fieldOf(room, of)
    answers[name] = await ask.chooseSome({
      message: `${question} Nothing chosen is anything. This dealbreaker stays at home.`,
      options: field.kind === 'choice' ? choicesOf(field.values) : [],
      initial: known[name] ?? [],
    })
  }
  return answers
}

const initially = <T>(known: T | undefined): { initial?: T } => (known === undefined ? {} : { initial: known })

/** A problem as a sentence; undefined for none. */
function sentence(problem: string | undefined): string | undefined {
  return problem === undefined ? undefined : `It ${problem}.`
}

function unasked({ fields }: Room, open: readonly string[], hasProfile: boolean): UserError {
  const names = open
    .map((name) => {
      const field = fields[name]
      if (field === undefined) return name
      return field.kind === 'area' ? '--place (or --at, or --area)' : optionOf(name, field).flag
    })
    .join(', ')
  return hasProfile
    ? new UserError('There is nobody to ask.', `Name what changes: ${names}.`)
    : new UserError('A profile needs all its fields, and there is nobody to ask for them.', `Give ${names} too.`)
}

function show({ room: roomName, profile, dealbreakers, isWritten, isCoarse }: KeptProfile, style: Style): string {
  if (profile === null) return 'There is no profile yet: `koko profile edit` asks for it.'
  const room = rooms[roomName]
  const { latitude, longitude } = centreOf(cellOf(profile.area))
  const place = `${degrees(latitude, 'N', 'S')}, ${degrees(longitude, 'E', 'W')}`
  return [
    columns(
      Object.entries(room.fields).map(([name, field]) => [
        field.label,
        field.kind === 'area'
          ? `somewhere in the cell ${profile.area}, ${sizeInWords(profile.area)} around ${place}`
          : formatValue(field, profile[name] ?? null, conjunction),
      ]),
    ),
    '',
    ...privateDealbreakers(room).map(({ name, of, label }) => {
      const accepted = (dealbreakers[name] ?? []).map((value) => formatValue(fieldOf(room, of), value, conjunction))
      return `${label} ${accepted.length === 0 ? 'anything' : conjunction(accepted)}. This stays at home.`
    }),
    ...(isCoarse
      ? [`Few live around there, so the cell is a coarse one: --coarse ${areaLengths.max} gives the smallest there is.`]
      : []),
    isWritten
      ? `${style.good('✓')} Kept here, and of the place only the cell. Nothing was sent: \`koko publish\` does that.`
      : '`koko profile edit` changes it.',
  ].join('\n')
}

function conjunction(parts: readonly string[]): string {
  return new Intl.ListFormat('en', { type: 'conjunction' }).format(parts)
}

function degrees(value: number, positive: string, negative: string): string {
  return `${Math.abs(value).toFixed(1)}° ${value >= 0 ? positive : negative}`
}
