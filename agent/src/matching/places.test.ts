import { cellOf, distanceKm, geohashOf } from '@koko/contract'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { cities } from './cities.ts'
import { cityNear, findCountry, findPlaces, placeName, positionOf, sizeInWords, usualCell } from './places.ts'

const found = (typed: string) => findPlaces(typed).places.map(placeName)
const suggested = (typed: string) => findPlaces(typed).suggestions.map(placeName)

describe('a city', () => {
  test.each([
    ['Berlin', 'Berlin, Germany'],
    ['são paulo', 'São Paulo, Brazil'],
    ['SAO-PAULO', 'São Paulo, Brazil'],
    ['munchen', 'Munich, Germany'],
    ['MÜNCHEN', 'Munich, Germany'],
    ['Lodz', 'Łódź, Poland'],
    ['xian', "Xi'an, China"],
    ['St Louis', 'St. Louis, United States'],
    ['  new   york ', 'New York, United States'],
    ['Den Haag', 'The Hague, Netherlands'],
    ['London, Canada', 'London, Canada'],
    ['london, uk', 'London, United Kingdom'],
  ])('is found however it is written: %s', (typed, place) => expect(found(typed)).toEqual([place]))

  test.each([
    ['London', 'London, United Kingdom', 'London, Canada'],
    ['Barcelona', 'Barcelona, Spain', 'Barcelona, Venezuela'],
    ['Kochi', 'Kochi, India', 'Kochi, Japan'],
    ['Newcastle', 'Newcastle, South Africa', 'Newcastle, Australia'],
    ['Birmingham', 'Birmingham, United Kingdom', 'Birmingham, United States'],
  ])('of a name that several have comes before those with fewer people: %s', (typed, first, second) => {
    expect(found(typed).slice(0, 2)).toEqual([first, second])
    expect(found(second)).toEqual([second])
  })

  test.each([
    ['gcpv', 'United Kingdom'],
    ['dr5', 'United States'],
    ['00', undefined],
  ])('is near an area, and tells its country: %s', (area, country) => expect(cityNear(area)?.country).toBe(country))

  test.each([
    ['Brelin', 'Berlin, Germany'],
    ['Amsterdm', 'Amsterdam, Netherlands'],
    ['Frankfort', 'Frankfurt, Germany'],
    ['Copenh', 'Copenhagen, Denmark'],
    ['Portland, Oregon', 'Portland, United States'],
  ])('that is nearly named is suggested: %s', (typed, place) => {
    expect(found(typed)).toEqual([])
    expect(suggested(typed)[0]).toBe(place)
  })

  test.each(['', ',', 'Xyzzyville', '12', '+12025550123'])(
    'that nobody knows is neither found nor suggested: %p',
    (typed) => expect(findPlaces(typed)).toEqual({ places: [], suggestions: [] }),
  )

  test('of the list is found by its own name and country, and has a position', () => {
    expect(cities.match(/\d,|\d\n/g)?.length).toBeGreaterThan(200)
    for (const line of cities.trim().split('\n')) {
      const [country = '', list = ''] = line.split(': ')
      for (const city of list.split(', ')) {
        const [, name = ''] = /^(.+?)(?:\/.*)? -?\d+\.\d\d -?\d+\.\d\d(?: \d+)?$/.exec(city) ?? []
        const { places } = findPlaces(`${name}, ${country}`)
        expect(places.map(placeName)).toEqual([`${name}, ${country}`])
        expect(places.every(({ latitude, longitude }) => Math.abs(latitude) < 90 && Math.abs(longitude) < 180)).toBe(
          true,
        )
      }
    }
  })
})

describe('a country', () => {
  test.each([
    ['United Kingdom', 'GB'],
    ['uk', 'GB'],
    ['GB', 'GB'],
    ['england', 'GB'],
    ['USA', 'US'],
    ['holland', 'NL'],
    ['Türkiye', 'TR'],
    ['turkey', 'TR'],
    ['Côte d’Ivoire', 'CI'],
    ['bosnia and herzegovina', 'BA'],
    ['Hong Kong', 'HK'],
    ['Nowhereland', undefined],
    ['', undefined],
  ])('is found by its names and its code: %s', (typed, code) => expect(findCountry(typed).code).toBe(code))

  test('that is nearly named is suggested', () => {
    expect(findCountry('Germny').suggestions).toEqual(['Germany'])
  })

  test('of every city of the list is one with phone numbers', () => {
    const countries = cities
      .trim()
      .split('\n')
      .map((line) => line.split(': ')[0] ?? '')
    expect(countries.filter((country) => findCountry(country).code === undefined)).toEqual([])
  })
})

describe('a position', () => {
  test.each([
    ['51.5,-0.1', 51.5, -0.1],
    ['51.5074, -0.1278', 51.5074, -0.1278],
    ['-33.87 151.21', -33.87, 151.21],
    ['\u221233.87, 151.21', -33.87, 151.21],
    ['33.87° S, 151.21° E', -33.87, 151.21],
    ['40.4°N 3.7°w', 40.4, -3.7],
    ['90,180', 90, 180],
  ])('is two numbers of degrees: %s', (typed, latitude, longitude) =>
    expect(positionOf(typed)).toEqual({ latitude, longitude }),
  )

  test.each([
    '',
    '51.5',
    '91,0',
    '0,181',
    '51,5,-0,1',
    'north,south',
    '51.5,-0.1,3',
    '1e1,2',
    'Infinity,0',
    'NaN,0',
    '-33.9 S, 151.2',
    '33.9, -3.7 W',
  ])('is not anything else: %p', (typed) => expect(positionOf(typed)).toBeUndefined())

  test('lies in the cell that is suggested, which is the smaller one only near a large city', () => {
    const point = fc.record({
      latitude: fc.double({ min: -90, max: 90, noNaN: true }),
      longitude: fc.double({ min: -180, max: 180, noNaN: true }),
    })
    const large = cities.match(/-?\d+\.\d\d -?\d+\.\d\d/g)?.map((text) => positionOf(text)) ?? []
    fc.assert(
      fc.property(point, (place) => {
        const isNear = large.some((city) => city !== undefined && distanceKm(city, place) <= 30)
        expect(usualCell(place)).toBe(geohashOf(place, isNear ? 4 : 3))
      }),
    )
    expect(large.every((city) => city !== undefined && usualCell(city).length === 4)).toBe(true)
    const { south, north } = cellOf(usualCell({ latitude: 51.51, longitude: -0.13 }))
    expect(south < 51.51 && north > 51.51).toBe(true)
  })
})

test('the size of a cell is said as it is there, which is narrower towards the poles', () => {
  expect(sizeInWords('s000')).toBe('about 39 × 20 km')
  expect(sizeInWords('gcpv')).toBe('about 24 × 20 km')
  expect(sizeInWords('u6s')).toBe('about 79 × 156 km')
  expect(sizeInWords('gc')).toMatch(/^about [67]\d\d × 625 km$/)
})
