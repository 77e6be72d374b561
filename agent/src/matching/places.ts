import {
  areaLengths,
  cellOf,
  centreOf,
  countryName,
  countryNames,
  distanceKm,
  geohashOf,
  sizeKm,
  type Area,
  type Point,
} from '@koko/contract'
import { cities } from './cities.ts'
import { nearMisses } from '../near-misses.ts'

/** A city of the built-in list. */
export interface Place extends Point {
  /** In English, or in the local language. */
  name: string
  country: string
}

/** Many people live this near the middle of a large city. */
const nearCityKm = 30
/** Most cells are in the country of a city that is as near. */
const nearestCityKm = 300
const maxSuggestions = 5

/** Letters that stay when accents are removed. */
const plainLetters: Record<string, string> = { ł: 'l', ø: 'o', đ: 'd', ı: 'i', ß: 'ss' }

/** The most populous first. They are not folded: every command line that lists the commands loads this file. */
const entries = cities
  .trim()
  .split('\n')
  .flatMap((line) => {
    const [country = '', list = ''] = line.split(': ')
    return list.split(', ').map((city) => {
      const [, names = '', latitude, longitude, population = '0'] =
        /^(.+?) (-?\d+\.\d+) (-?\d+\.\d+)(?: (\d+))?$/.exec(city) ?? []
      const [name = '', ...others] = names.split('/')
      return {
        place: { name, country, latitude: Number(latitude), longitude: Number(longitude) },
        names: [name, ...others],
        population: Number(population),
      }
    })
  })
  .sort((a, b) => b.population - a.population)

/**
 * The cities of a name such as `zurich`, `München` or `London, Canada`, whatever its case and accents, the most populous
 * first. Where there is none, suggestions.
 */
export function findPlaces(typed: string): { places: Place[]; suggestions: Place[] } {
  const [name = '', ...rest] = typed.split(',').map(fold)
  const country = aliases[rest.join(' ').trim()] ?? rest.join(' ').trim()
  const named = entries.filter(({ names }) => names.some((each) => fold(each) === name))
  const inCountry = named.filter(({ place }) => fold(place.country).startsWith(country))
  if (inCountry.length > 0) return { places: inCountry.map(({ place }) => place), suggestions: [] }
  const meant = named.length > 0 ? named : nearMisses(name, entries, ({ names }) => names.map(fold))
  return { places: [], suggestions: meant.slice(0, maxSuggestions).map(({ place }) => place) }
}

/** A name that finds this city only. */
export function placeName({ name, country }: Place): string {
  return `${name}, ${country}`
}

/** A position such as `51.5,-0.1`, `51.5 -0.1` or `51.5° N, 0.1° W`; undefined for anything else. */
export function positionOf(typed: string): Point | undefined {
  const found = /^([-+]?\d+(?:\.\d+)?)\s*°?\s*([NS]?)(?:\s*[,;]\s*|\s+)([-+]?\d+(?:\.\d+)?)\s*°?\s*([EW]?)$/i.exec(
    typed.normalize('NFKC').replaceAll('\u2212', '-').trim(),
  )
  if (found === null) return undefined
  const [, latitude = '', northOrSouth = '', longitude = '', eastOrWest = ''] = found
  // A sign and a letter can contradict each other.
  const hasBoth = (degrees: string, side: string) => side !== '' && /^[-+]/.test(degrees)
  if (hasBoth(latitude, northOrSouth) || hasBoth(longitude, eastOrWest)) return undefined
  const point = {
    latitude: Number(latitude) * (/s/i.test(northOrSouth) ? -1 : 1),
    longitude: Number(longitude) * (/w/i.test(eastOrWest) ? -1 : 1),
  }
  return Math.abs(point.latitude) <= 90 && Math.abs(point.longitude) <= 180 ? point : undefined
}

/** The cell to suggest for a position: the smallest one near a large city, a larger one elsewhere. */
export function usualCell(point: Point): Area {
  const isNearCity = entries.some(({ place }) => distanceKm(place, point) <= nearCityKm)
  return geohashOf(point, isNearCity ? areaLengths.max : areaLengths.max - 1)
}

export function sizeInWords(area: Area): string {
  const { width, height } = sizeKm(cellOf(area))
  return `about ${Math.round(width)} × ${Math.round(height)} km`
}

/** The large city that is nearest to the centre of an area; undefined if none is near. */
export function cityNear(area: Area): Place | undefined {
  const centre = centreOf(cellOf(area))
  const distances = entries.map(({ place }) => ({ place, km: distanceKm(place, centre) }))
  const nearest = distances.reduce((best, each) => (each.km < best.km ? each : best))
  return nearest.km <= nearestCityKm ? nearest.place : undefined
}

/** A country by its name, an abbreviation or its code; suggestions where there is none. */
export function findCountry(typed: string): { code: string | undefined; suggestions: string[] } {
  const usual = (name: string) => (aliases[fold(name)] ?? fold(name)).replaceAll(' and ', ' ')
  const countries = countryNames()
  const namesOf = ({ names }: (typeof countries)[number]) => names.map(usual)
  const found =
    countries.find(({ code }) => fold(code) === fold(typed)) ??
    countries.find((country) => namesOf(country).includes(usual(typed)))
  const near = found === undefined ? nearMisses(usual(typed), countries, namesOf) : []
  return { code: found?.code, suggestions: near.slice(0, maxSuggestions).map(({ code }) => countryName(code)) }
}

/** Removes case, accents and punctuation: `São Paulo`, `sao paulo` and `SAO-PAULO` are equal. */
function fold(text: string): string {
  return text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[łøđıß]/g, (letter) => plainLetters[letter] ?? letter)
    .replace(/['’ʻ`.]/g, '')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
}

/** Other names of some countries, folded. */
const aliases: Record<string, string> = {
  uk: 'united kingdom',
  gb: 'united kingdom',
  britain: 'united kingdom',
  'great britain': 'united kingdom',
  england: 'united kingdom',
  scotland: 'united kingdom',
  wales: 'united kingdom',
  us: 'united states',
  usa: 'united states',
  america: 'united states',
  uae: 'united arab emirates',
  holland: 'netherlands',
  'the netherlands': 'netherlands',
  'czech republic': 'czechia',
  turkiye: 'turkey',
  'congo kinshasa': 'dr congo',
  'congo brazzaville': 'congo',
  'ivory coast': 'cote divoire',
}
