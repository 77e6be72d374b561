import {
  areaLengths,
  formatDuration,
  formatValue,
  rooms,
  type Field,
  type FieldValue,
  type NumberField,
  type Profile,
  type Room,
  type RoomName,
} from '@koko/contract'
import * as z from 'zod'
import type { Ask, Context } from '../context.ts'
import { UserError } from '../errors.ts'
import { privateFields } from '../home/files.ts'
import { placeName } from '../matching/places.ts'
import {
  editProfile,
  missingFields,
  noDealbreakers,
  readProfile,
  roomOf,
  type Values,
  type EditedProfile,
} from '../operations/profile.ts'
import { profileWords } from '../operations/profile-words.ts'
import { publishOutlook, type PublishOutlook } from '../operations/publish-outlook.ts'
import { columns, formatList, type Style } from '../output.ts'
import { askArea, cellLengths, readArea } from './ask-area.ts'
import { argument, defineCommand, kebabCase, option } from './define-command.ts'

interface KeptProfile {
  room: RoomName
  /** Null if there is none yet. */
  profile: Profile | null
  /** By name, the values that a match may have; empty is any. Never published. */
  dealbreakers: Readonly<Record<string, string[]>>
  /** The fields that have no value yet. */
  missing: string[]
  isWritten: boolean
  /** The cell is larger than the smallest, because few people live there and no option gave another length. */
  isCoarse: boolean
  /** The city that an option named, such as `London, United Kingdom`, and others of its name. */
  place: string | null
  otherPlaces: string[]
  /** A profile of another room, which is kept beside the new one. */
  setAside: EditedProfile['setAside']
  /** When what was written is published; null if nothing was written. */
  outlook: PublishOutlook | null
}

const camelCase = (name: string) => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())

/** The fields of a room, then its dealbreakers that stay at home, with the option that changes each. */
function entriesOf(room: Room) {
  const privates = privateFields(room)
  return Object.entries<Field>({ ...room.fields, ...privates }).map(([name, field]) => {
    const flag = field.option ?? kebabCase(name)
    return { name, field, flag, key: camelCase(flag), isPrivate: name in privates }
  })
}

function syntaxOf({ field, isPrivate }: ReturnType<typeof entriesOf>[number]): [value: string, help: string] {
  if (isPrivate) return ['values', `${field.description}. Separate several with commas`]
  switch (field.kind) {
    case 'choice':
      return ['value', formatList(Object.keys(field.values), 'or')]
    case 'list':
      return [
        'values',
        `Any of ${Object.keys(field.values).join(', ')}, separated by commas; empty means ${field.none}`,
      ]
    case 'number': {
      const or = field.nullWord === undefined ? '' : `, or ${field.nullWord}`
      return ['number', `${field.description.split(';')[0] ?? ''}: ${field.min} to ${field.max}${or}`]
    }
    case 'area':
      return ['cell', `A geohash of ${areaLengths.min} to ${areaLengths.max} characters`]
  }
}

/** The values that a shell completes. */
function valuesOf(field: Field): string[] {
  switch (field.kind) {
    case 'choice':
    case 'list':
      return Object.keys(field.values)
    case 'number':
      return field.nullWord === undefined ? [] : [field.nullWord]
    case 'area':
      return []
  }
}

const Options = z.strictObject({
  action: argument('`edit` asks for each field', z.enum(['edit'], { error: 'must be edit, or left out' }).optional(), [
    'edit',
  ]),
  // Rooms share an option of the same name.
  ...Object.fromEntries(
    Object.values(rooms)
      .flatMap(entriesOf)
      .map((entry) => [entry.key, option(...syntaxOf(entry), z.string().optional(), valuesOf(entry.field))]),
  ),
  place: option('city', 'A large city; only the cell around it is saved', z.string().optional()),
  at: option(
    'latitude,longitude',
    'A position, such as 51.5,-0.1; only the cell around it is saved',
    z.string().optional(),
  ),
  coarse: option(
    'characters',
    `The size of the cell: ${areaLengths.min} characters (largest) to ${areaLengths.max} (smallest)`,
    z
      .enum(cellLengths.map(String), { error: `must be ${formatList(cellLengths.map(String).reverse(), 'or')}` })
      .transform(Number)
      .optional(),
    cellLengths.map(String),
  ),
})

export const command = defineCommand({
  summary: 'Show or edit the profile',
  notes: [
    'Any option changes the profile that is saved here. `koko publish` sends it. A running `koko run` sends it too, once you',
    'have agreed to every handle.',
  ].join('\n'),
  examples: ['profile', 'profile edit', 'profile edit --place London --max-distance 100'],
  options: Options,
  run: profile,
  show,
  isQuiet: ({ isWritten }) => isWritten,
  json: ({ room: _, profile, dealbreakers, ...rest }) => ({ profile, ...dealbreakers, ...rest }),
})

/** Shows the profile, or changes it by options and questions. */
async function profile(
  { home, ask }: Pick<Context, 'home' | 'ask'>,
  { action, place, at, coarse, ...typed }: z.output<typeof Options>,
): Promise<KeptProfile> {
  const roomName = await roomOf(home)
  const room = rooms[roomName]
  const before = await readProfile(home, roomName)
  const isBare = [place, at, coarse, ...Object.values(typed)].every((each) => each === undefined)
  if (action === undefined && isBare) {
    const { profile = null, dealbreakers = noDealbreakers(roomName) } = before ?? {}
    const missing = missingFields(roomName, profile ?? {})
    const unchanged = { isWritten: false, isCoarse: false, place: null, otherPlaces: [], setAside: null, outlook: null }
    return { room: roomName, profile, dealbreakers, missing, ...unchanged }
  }
  const values = readOptions(roomName, typed)
  const cell = typeof values.area === 'string' ? values.area : undefined
  const found = readArea({ place, at, area: cell, coarse }, before?.profile.area)
  const given = found === undefined ? values : { ...values, area: found.area }
  const known: Values = { ...before?.dealbreakers, ...before?.profile, ...given }
  assertInOrder(room, known)
  const missing = missingFields(roomName, known)
  const open = entriesOf(room).filter(({ name }) => isBare || missing.includes(name))
  const asked: Record<string, FieldValue> = {}
  for (const { name, field } of open) {
    if (ask === undefined) throw cannotAsk(room, missing)
    asked[name] = await askField(ask, field, name, { ...known, ...asked })
  }
  const written = await editProfile(home, roomName, { ...given, ...asked })
  const isCoarse = (place ?? at) !== undefined && coarse === undefined && found?.area.length !== areaLengths.max
  return {
    ...written,
    missing: [],
    isWritten: true,
    isCoarse,
    place: found?.place === undefined ? null : placeName(found.place),
    otherPlaces: (found?.others ?? []).map(placeName),
    outlook: await publishOutlook(home),
  }
}

function cannotAsk(room: Room, missing: readonly string[]): UserError {
  const isFirst = missing.length > 0
  const flags = entriesOf(room)
    .filter(({ name }) => !isFirst || missing.includes(name))
    .map(({ field, flag }) => (field.kind === 'area' ? '--place (or --at, or --area)' : `--${flag}`))
    .join(', ')
  return isFirst
    ? new UserError(
        'The profile is not complete, and koko cannot ask for the missing fields without a terminal.',
        `Also give ${flags}.`,
      )
    : new UserError('koko cannot ask for changes without a terminal.', `Give the fields to change: ${flags}.`)
}

/** The values of the typed options by field. Throws `UserError` that names the option, and never what was typed. */
function readOptions(roomName: RoomName, typed: Readonly<Record<string, unknown>>): Record<string, FieldValue> {
  const entries = new Map(entriesOf(rooms[roomName]).map((entry) => [entry.key, entry]))
  const values = Object.entries(typed).flatMap(([key, text]): [string, FieldValue][] => {
    if (typeof text !== 'string') return []
    const entry = entries.get(key)
    if (entry === undefined) {
      throw new UserError(`The room ${roomName} has no --${kebabCase(key)}.`, 'See `koko profile --help`.')
    }
    const value = typedValue(entry.field, text)
    const problem = problemOf(entry.field, value)
    if (problem !== undefined)
      throw new UserError(`--${entry.flag} ${problem}.`, 'See `koko profile --help`.', { code: 'invalid-argument' })
    return [[entry.name, value]]
  })
  return Object.fromEntries(values)
}

/** Throws `UserError` that names the options, where a number is below the one that is its minimum. */
function assertInOrder(room: Room, values: Values): void {
  const entries = entriesOf(room)
  for (const { name, field, flag } of entries) {
    const min = field.kind === 'number' ? entries.find((each) => each.name === field.atLeast) : undefined
    const [value, least] = [values[name], min === undefined ? undefined : values[min.name]]
    if (min === undefined || typeof value !== 'number' || typeof least !== 'number' || value >= least) continue
    throw new UserError(`--${flag} must not be below --${min.flag}.`, 'Give both.', { code: 'invalid-argument' })
  }
}

/** The value that a text stands for; it may not be valid. */
function typedValue(field: Field, text: string): FieldValue {
  switch (field.kind) {
    case 'list':
      if (['any', 'anyone', 'anything'].includes(text.trim())) return []
      return text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))
    case 'number':
      if (field.nullWord !== undefined && text.trim() === field.nullWord) return null
      return /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN
    case 'choice':
    case 'area':
      return text
  }
}

/** The rule that a value breaks, with the words that are typed for `null`; undefined if it is valid. */
function problemOf(field: Field, value: FieldValue): string | undefined {
  const { error } = field.schema.safeParse(value)
  if (error === undefined) return undefined
  const message = error.issues[0]?.message ?? 'is not valid'
  const nullWord = field.kind === 'number' ? field.nullWord : undefined
  return nullWord === undefined ? message : message.replace(`null for ${nullWord}`, nullWord)
}

async function askField(ask: Ask, field: Field, name: string, known: Values): Promise<FieldValue> {
  const before = known[name]
  switch (field.kind) {
    case 'choice':
      return ask.choose({
        message: field.question,
        options: choicesOf(field.values),
        ...(typeof before === 'string' ? { initial: before } : {}),
      })
    case 'list':
      return ask.chooseSome({
        message: `${field.question} To accept ${field.none}, choose none.`,
        options: choicesOf(field.values),
        ...(Array.isArray(before) ? { initial: before.map(String) } : {}),
      })
    case 'number':
      return askNumber(ask, field, before, field.atLeast === undefined ? undefined : known[field.atLeast])
    case 'area':
      return askArea(ask, field, typeof before === 'string' ? before : undefined)
  }
}

function choicesOf(values: Readonly<Record<string, string>>) {
  return Object.entries(values).map(([value, label]) => ({ value, label }))
}

async function askNumber(
  ask: Ask,
  field: NumberField,
  before: FieldValue | undefined,
  min: FieldValue | undefined,
): Promise<FieldValue> {
  const answer = await ask.text({
    message:
      field.nullWord === undefined ? field.question : `${field.question} Type a number, or \`${field.nullWord}\`.`,
    ...(before === undefined ? {} : { initial: String(before ?? field.nullWord) }),
    validate(text) {
      const value = typedValue(field, text)
      const isBelow = typeof value === 'number' && typeof min === 'number' && value < min
      const problem = problemOf(field, value) ?? (isBelow ? `must not be below ${min}` : undefined)
      return problem === undefined ? undefined : `It ${problem}.`
    },
  })
  return typedValue(field, answer)
}

function show(value: KeptProfile, style: Style): string {
  const { room, profile, dealbreakers, isCoarse, place, otherPlaces, setAside, outlook } = value
  if (profile === null) return 'There is no profile yet. To write one, run `koko profile edit`.'
  return [
    columns(profileWords(room, profile).map(({ label, words }) => [label, words])),
    '',
    ...Object.entries(privateFields(rooms[room])).map(
      ([name, field]) =>
        `${field.label} ${formatValue(field, dealbreakers[name] ?? [], formatList)}. This stays at home.`,
    ),
    ...(isCoarse
      ? [`Few people live there, so this is a larger cell. For the smallest one, add --coarse ${areaLengths.max}.`]
      : []),
    ...(place === null ? [] : [placeWords(place, otherPlaces)]),
    ...(setAside === null ? [] : [`The profile of the room ${setAside.room} is saved as ${setAside.file}.`]),
    outlook === null
      ? 'To change it, run `koko profile edit`.'
      : `${style.good('✓')} Saved here. Of the place, only the cell is saved. ${outlookWords(outlook)}`,
  ].join('\n')
}

function placeWords(place: string, others: readonly string[]): string {
  if (others.length === 0) return `The place is ${place}.`
  const names = others.map((name) => `"${name}"`)
  return `The place is ${place}. For another place of that name, add its country: ${formatList(names, 'or')}.`
}

function outlookWords(outlook: PublishOutlook): string {
  switch (outlook.state) {
    case 'unchanged':
      return 'Your listing has the same profile, so there is nothing to publish.'
    case 'by the daemon': {
      const soon = formatDuration(outlook.withinMs)
      return `Nothing was sent yet: \`koko run\` (process ${outlook.pid}) publishes it, usually within ${soon}.`
    }
    case 'when the daemon runs':
      return 'Nothing was sent: `koko publish` does that, and so does `koko run` when you start it.'
    case 'by you':
      return 'Nothing was sent: `koko publish` does that.'
  }
}
