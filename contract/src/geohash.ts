/** The characters of a geohash, in the order of what they stand for, which is their order as text too. */
export const geohashAlphabet = '0123456789bcdefghjkmnpqrstuvwxyz'
/** The earth's mean radius (IUGG), in kilometres. */
const earthRadiusKm = 6371.0088

/** A stretch of the earth between two parallels and two meridians, in degrees. */
export interface Cell {
  south: number
  west: number
  north: number
  east: number
}

/** The cell of a geohash (https://en.wikipedia.org/wiki/Geohash). Characters are taken to be of its alphabet. */
export function cellOf(geohash: string): Cell {
  const cell: Cell = { south: -90, west: -180, north: 90, east: 180 }
  let isLongitude = true
  for (const character of geohash) {
    const bits = geohashAlphabet.indexOf(character)
    for (let bit = 16; bit >= 1; bit /= 2) {
      const upper = (bits & bit) !== 0
      if (isLongitude) {
        const middle = (cell.west + cell.east) / 2
        if (upper) cell.west = middle
        else cell.east = middle
      } else {
        const middle = (cell.south + cell.north) / 2
        if (upper) cell.south = middle
        else cell.north = middle
      }
      isLongitude = !isLongitude
    }
  }
  return cell
}

/** The geohash of so many characters whose cell holds a point; of a point between two cells, the northern or eastern. */
export function geohashOf({ latitude, longitude }: Point, length: number): string {
  let geohash = ''
  let cell = cellOf(geohash)
  while (geohash.length < length) {
    let bits = 0
    for (let bit = 16; bit >= 1; bit /= 2) {
      // Characters of an even place begin with a longitude, the others with a latitude, and the two alternate.
      const isLongitude = (geohash.length % 2 === 0) === (bit === 16 || bit === 4 || bit === 1)
      const middle = centreOf(cell)
      const isUpper = isLongitude ? longitude >= middle.longitude : latitude >= middle.latitude
      if (isUpper) bits += bit
      if (isLongitude) cell = isUpper ? { ...cell, west: middle.longitude } : { ...cell, east: middle.longitude }
      else cell = isUpper ? { ...cell, south: middle.latitude } : { ...cell, north: middle.latitude }
    }
    geohash += geohashAlphabet.charAt(bits)
  }
  return geohash
}

export function centreOf({ south, west, north, east }: Cell): Point {
  return { latitude: (south + north) / 2, longitude: (west + east) / 2 }
}

export interface Point {
  latitude: number
  longitude: number
}

/** The great-circle distance of two points in kilometres, on a sphere (haversine: off by at most 0.6 % on the earth). */
export function distanceKm(a: Point, b: Point): number {
  const latitude = Math.sin(radians(b.latitude - a.latitude) / 2)
  const longitude = Math.sin(radians(b.longitude - a.longitude) / 2)
  const chord = latitude ** 2 + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * longitude ** 2
  return 2 * earthRadiusKm * Math.asin(Math.min(1, Math.sqrt(chord)))
}

/** The distance from a point to the nearest place of a cell, in kilometres; 0 inside it. */
export function edgeDistanceKm(from: Point, cell: Cell): number {
  const toWest = eastward(from.longitude, cell.west)
  const isBetween = eastward(cell.west, from.longitude) <= cell.east - cell.west
  const clamp = (latitude: number) => Math.min(cell.north, Math.max(cell.south, latitude))
  if (isBetween) {
    return distanceKm(from, { latitude: clamp(from.latitude), longitude: from.longitude })
  }
  const edges = [toWest, eastward(from.longitude, cell.east)].map((turn) => {
    // On a meridian a turn away, the nearest latitude of the whole great circle; past a quarter turn it is a pole's.
    const cosine = Math.cos(radians(turn))
    const nearest =
      cosine > 0 ? degrees(Math.atan2(Math.tan(radians(from.latitude)), cosine)) : Math.sign(from.latitude) * 90
    const longitude = from.longitude + turn
    return Math.min(
      ...[clamp(nearest), cell.south, cell.north].map((latitude) => distanceKm(from, { latitude, longitude })),
    )
  })
  return Math.min(...edges)
}

/** How far east of one meridian another is, from 0 up to 360 degrees. */
function eastward(from: number, to: number): number {
  return (((to - from) % 360) + 360) % 360
}

/** How wide a cell is at its middle, and how high, in kilometres. */
export function sizeKm(cell: Cell): { width: number; height: number } {
  const { latitude } = centreOf(cell)
  return {
    width: radians(cell.east - cell.west) * Math.cos(radians(latitude)) * earthRadiusKm,
    height: radians(cell.north - cell.south) * earthRadiusKm,
  }
}

function degrees(radians: number): number {
  return (radians * 180) / Math.PI
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180
}
