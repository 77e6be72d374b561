import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { cellOf, centreOf, distanceKm, edgeDistanceKm, geohashAlphabet, geohashOf, sizeKm } from './geohash.ts'

const characters = geohashAlphabet.split('')
const geohash = fc
  .array(fc.constantFrom(...characters), { minLength: 1, maxLength: 4 })
  .map((picked) => picked.join(''))
const point = fc.record({
  latitude: fc.double({ min: -90, max: 90, noNaN: true }),
  longitude: fc.double({ min: -180, max: 180, noNaN: true }),
})

test('a cell is where https://en.wikipedia.org/wiki/Geohash says', () => {
  const { latitude, longitude } = centreOf(cellOf('ezs42'))
  expect(latitude).toBeCloseTo(42.605, 2)
  expect(longitude).toBeCloseTo(-5.603, 2)
})

test('the geohash of a place is the one of https://en.wikipedia.org/wiki/Geohash', () => {
  expect(geohashOf({ latitude: 57.64911, longitude: 10.40744 }, 11)).toBe('u4pruydqqvj')
})

test('the cell of a place holds it, to the poles and the antimeridian, and a shorter geohash begins a longer one', () => {
  fc.assert(
    fc.property(point, fc.integer({ min: 1, max: 8 }), (place, length) => {
      const hash = geohashOf(place, length)
      const { south, west, north, east } = cellOf(hash)
      expect(hash).toHaveLength(length)
      expect(place.latitude >= south && place.latitude <= north).toBe(true)
      expect(place.longitude >= west && place.longitude <= east).toBe(true)
      expect(geohashOf(place, length + 1).slice(0, length)).toBe(hash)
    }),
  )
})

test("the geohash of a cell's centre is the cell's", () => {
  fc.assert(fc.property(geohash, (hash) => expect(geohashOf(centreOf(cellOf(hash)), hash.length)).toBe(hash)))
})

test('a cell of four characters is 39 × 20 km at the equator, one of three 156 × 156', () => {
  const four = sizeKm(cellOf('s000'))
  expect([Math.round(four.width), Math.round(four.height)]).toEqual([39, 20])
  const three = sizeKm(cellOf('s00'))
  expect([Math.round(three.width), Math.round(three.height)]).toEqual([156, 156])
})

test('the 32 cells of one more character tile a cell', () => {
  fc.assert(
    fc.property(geohash, (hash) => {
      const area = (cell: ReturnType<typeof cellOf>) => (cell.north - cell.south) * (cell.east - cell.west)
      const parts = characters.map((character) => cellOf(hash + character))
      expect(parts.reduce((sum, part) => sum + area(part), 0)).toBeCloseTo(area(cellOf(hash)), 6)
    }),
  )
})

test('London to Paris is 344 km, and a degree of the equator 111.195 km', () => {
  expect(distanceKm({ latitude: 51.5074, longitude: -0.1278 }, { latitude: 48.8566, longitude: 2.3522 })).toBeCloseTo(
    343.6,
    0,
  )
  expect(distanceKm({ latitude: 0, longitude: 0 }, { latitude: 0, longitude: 1 })).toBeCloseTo(111.195, 3)
})

test('the nearest edge is no further than any place of the cell, and about as far as the nearest of many', () => {
  fc.assert(
    fc.property(point, geohash, (from, hash) => {
      const cell = cellOf(hash)
      const edge = edgeDistanceKm(from, cell)
      let nearest = Infinity
      const steps = 40
      for (let i = 0; i <= steps; i += 1) {
        for (let j = 0; j <= steps; j += 1) {
          const place = {
            latitude: cell.south + ((cell.north - cell.south) * i) / steps,
            longitude: cell.west + ((cell.east - cell.west) * j) / steps,
          }
          nearest = Math.min(nearest, distanceKm(from, place))
        }
      }
      const grid = Math.max((cell.north - cell.south) / steps, (cell.east - cell.west) / steps) * 111.2
      expect(edge).toBeLessThanOrEqual(nearest + 1e-6)
      expect(edge).toBeGreaterThanOrEqual(nearest - grid)
    }),
  )
})

test('a cell across the antimeridian is near, and one inside is at no distance', () => {
  const fiji = { latitude: -16.5, longitude: 179.99 }
  expect(edgeDistanceKm(fiji, cellOf('2j04'))).toBeLessThan(2)
  expect(edgeDistanceKm(centreOf(cellOf('gcpv')), cellOf('gcpv'))).toBe(0)
  expect(edgeDistanceKm({ latitude: 89.9, longitude: 0 }, cellOf('bpbp'))).toBeLessThan(40)
})
