const alphabet = '0123456789bcdefghjkmnpqrstuvwxyz'
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
    const bits = alphabet.indexOf(character)
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

export function centreOf({ south, west, north, east }: Cell): { latitude: number; longitude: number } {
  return { latitude: (south + north) / 2, longitude: (west + east) / 2 }
}

/** How wide a cell is at its middle, and how high, in kilometres. */
export function sizeKm(cell: Cell): { width: number; height: number } {
  const { latitude } = centreOf(cell)
  return {
    width: radians(cell.east - cell.west) * Math.cos(radians(latitude)) * earthRadiusKm,
    height: radians(cell.north - cell.south) * earthRadiusKm,
  }
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180
}
