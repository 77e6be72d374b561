/** The characters of a geohash in the order of their values, which is also their order as text. */
export const geohashAlphabet = '0123456789bcdefghjkmnpqrstuvwxyz'
/** The earth's mean radius (IUGG), in kilometres. */
const earthRadiusKm = 6371.0088

/** The area between two parallels and two meridians, in degrees. */
export interface Cell {
  south: number
  west: number
  north: number
  east: number
}

/** The cell of a valid geohash (https://en.wikipedia.org/wiki/Geohash). */
export function cellOf(geohash: string): Cell {
  const cell: Cell = { south: -90, west: -180, north: 90, east: 180 }
  let isLongitude = true
  for (const character of geohash) {
    const bits = geohashAlphabet.indexOf(character)
    for (let bit = 16; bit >= 1; bit /= 2) {
      halve(cell, isLongitude, (bits & bit) !== 0)
      isLongitude = !isLongitude
    }
  }
  return cell
}

/** Keeps the eastern or northern half of a cell (`isUpper`), or the other one. */
function halve(cell: Cell, isLongitude: boolean, isUpper: boolean): void {
  const { latitude, longitude } = centreOf(cell)
  if (isLongitude && isUpper) cell.west = longitude
  else if (isLongitude) cell.east = longitude
  else if (isUpper) cell.south = latitude
  else cell.north = latitude
}

/** The geohash of this length whose cell holds the point; on an edge, that of the northern or eastern cell. */
export function geohashOf({ latitude, longitude }: Point, length: number): string {
  let geohash = ''
  let isLongitude = true
  const cell = cellOf(geohash)
  while (geohash.length < length) {
    let bits = 0
    for (let bit = 16; bit >= 1; bit /= 2) {
      const middle = centreOf(cell)
      const isUpper = isLongitude ? longitude >= middle.longitude : latitude >= middle.latitude
      if (isUpper) bits += bit
      halve(cell, isLongitude, isUpper)
      isLongitude = !isLongitude
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

/** The great-circle distance of two points (haversine: the earth is no sphere, so it is wrong by up to 0.6 %). */
export function distanceKm(a: Point, b: Point): number {
  const latitude = Math.sin(radians(b.latitude - a.latitude) / 2)
  const longitude = Math.sin(radians(b.longitude - a.longitude) / 2)
  const chord = latitude ** 2 + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * longitude ** 2
  return 2 * earthRadiusKm * Math.asin(Math.min(1, Math.sqrt(chord)))
}

/** The distance from a point to the nearest place of a cell; 0 inside it. */
export function edgeDistanceKm(from: Point, cell: Cell): number {
  const clamp = (latitude: number) => Math.min(cell.north, Math.max(cell.south, latitude))
  const isBetween = eastward(cell.west, from.longitude) <= cell.east - cell.west
  if (isBetween) return distanceKm(from, { ...from, latitude: clamp(from.latitude) })
  const edges = [cell.west, cell.east].map((meridian) => {
    const turn = eastward(from.longitude, meridian)
    // The nearest latitude on the meridian's great circle; beyond a quarter turn it is a pole's.
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

/** The width of a cell at its middle, and its height, in kilometres. */
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
