import { areaLengths, geohashOf, type Area, type AreaField, type Point } from '@koko/contract'
import type { Ask } from '../context.ts'
import { UserError } from '../errors.ts'
import { formatList } from '../output.ts'
import { findPlaces, placeName, positionOf, sizeInWords, usualCell, type Place } from '../matching/places.ts'

const { min, max } = areaLengths
/** The lengths of an area's geohash, longest first. */
export const cellLengths = Array.from({ length: max - min + 1 }, (_, index) => max - index)

export interface GivenArea {
  area: Area
  /** The city that gave the area, and others of its name. */
  place?: Place
  others?: Place[]
}

/** The cell that these options give; undefined if they give none. */
export function readArea(
  { place, at, area, coarse }: Record<'place' | 'at' | 'area', string | undefined> & { coarse: number | undefined },
  before: Area | undefined,
): GivenArea | undefined {
  if ([place, at, area].filter((each) => each !== undefined).length > 1) {
    throw new UserError('--place, --at and --area cannot be combined.', 'Give one of them.', {
      code: 'invalid-argument',
    })
  }
  if (place !== undefined || at !== undefined) {
    const found = place === undefined ? undefined : cityOf(place)
    const point = found?.place ?? pointOfPosition(at ?? '')
    return { ...found, area: coarse === undefined ? usualCell(point) : geohashOf(point, coarse) }
  }
  if (coarse === undefined) return area === undefined ? undefined : { area }
  const cell = area ?? before
  if (cell === undefined)
    throw new UserError('--coarse needs a place.', 'Give --place, --at or --area too.', {
      code: 'invalid-argument',
    })
  if (cell.length >= coarse) return { area: cell.slice(0, coarse) }
  throw new UserError(
    'A cell can be made larger, but not smaller.',
    'Give --place or --at too: koko does not save positions.',
    {
      code: 'invalid-argument',
    },
  )
}

function pointOfPosition(typed: string): Point {
  const point = positionOf(typed)
  if (point !== undefined) return point
  throw new UserError('--at must be a latitude and a longitude in degrees.', 'Write it like 51.5,-0.1.', {
    code: 'invalid-argument',
  })
}

/** The largest city of a name; its country selects another. */
function cityOf(typed: string): { place: Place; others: Place[] } {
  const [place, ...others] = findPlaces(typed).places
  if (place === undefined) throw unknownPlace(typed)
  return { place, others }
}

/** A city in words, with how to name another one. */
export function cityWords({ place, others }: { place: Place; others: readonly Place[] }): string {
  const more = others.length === 0 ? '' : `, and not ${quoted(others)}`
  return `${placeName(place)}${more}`
}

function unknownPlace(typed: string): UserError {
  const names = quoted(findPlaces(typed).suggestions)
  const hint =
    names === ''
      ? 'Name a large city near you, or give --at with a latitude and a longitude.'
      : `Did you mean ${names}?`
  return new UserError('The list has no city of that name.', hint, { code: 'invalid-argument' })
}

function quoted(places: readonly Place[]): string {
  return formatList(
    places.map((place) => `"${placeName(place)}"`),
    'or',
  )
}

export async function askArea(ask: Ask, { question, schema }: AreaField, before: Area | undefined): Promise<Area> {
  ask.say(
    'Peers see the cell that you are in, never your position. What you type is used only to find the cell, and is not saved.',
  )
  const how = await ask.choose({
    message: question,
    options: [
      ...(before === undefined
        ? []
        : [{ value: 'keep', label: `Still in the cell ${before}`, hint: sizeInWords(before) }]),
      { value: 'city', label: 'In or near a large city' },
      { value: 'position', label: 'At a latitude and a longitude' },
      { value: 'cell', label: 'In a cell, by its geohash' },
    ],
  })
  switch (how) {
    case 'keep':
      return before ?? ''
    case 'city': {
      const typed = await ask.text({
        message: 'Which city?',
        validate(text) {
          if (findPlaces(text).places.length > 0) return undefined
          const { message, hint } = unknownPlace(text)
          return `${message} ${hint}`
        },
      })
      const city = cityOf(typed)
      ask.say(`This is ${cityWords(city)}.`)
      return chooseCell(ask, city.place)
    }
    case 'position': {
      const typed = await ask.text({
        message: 'What are the latitude and longitude, in degrees?',
        placeholder: '51.5,-0.1',
        validate: (text) => (positionOf(text) === undefined ? 'Write it like 51.5,-0.1.' : undefined),
      })
      return chooseCell(ask, pointOfPosition(typed))
    }
    default:
      return ask.text({
        message: 'What is the geohash of the cell?',
        placeholder: 'gcpv',
        ...(before === undefined ? {} : { initial: before }),
        validate(text) {
          const { error } = schema.safeParse(text)
          return error === undefined ? undefined : `It ${error.issues[0]?.message ?? 'is not valid'}.`
        },
      })
  }
}

/** The fewer people live in a cell, the easier each is found: away from large cities a coarser one comes first. */
async function chooseCell(ask: Ask, point: Point): Promise<Area> {
  const usual = usualCell(point)
  const warning = usual.length === max ? '' : ' Few people live around here, so you are easy to find in a small one.'
  const cells = [...new Set([usual, ...cellLengths.map((length) => geohashOf(point, length))])]
  return ask.choose({
    message: `How large is the cell that peers see?${warning}`,
    options: cells.map((cell) => ({ value: cell, label: sizeInWords(cell), hint: cell })),
    initial: usual,
  })
}
