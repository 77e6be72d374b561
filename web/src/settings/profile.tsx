import { cellOf, centreOf, formatValue, rooms, sizeKm } from '@koko/contract'
import { coast } from './coast.ts'
import type { Known } from './known.ts'
import { fill, strings } from './strings.ts'
import { formatList } from './times.ts'

const words = strings.profile

export function Profile({ stored }: { stored: Known['listing'] }) {
  const listing = stored.state === 'readable' ? stored.value : null
  return (
    <section aria-labelledby="profile">
      <h2 id="profile">{words.heading}</h2>
      {listing === null ? (
        <p>{words.missing[stored.state === 'readable' ? 'absent' : stored.state]}</p>
      ) : (
        <>
          <p>{words.intro}</p>
          <dl class="facts">
            {Object.entries(rooms[listing.category].fields).map(([name, field]) => (
              <div key={name}>
                <dt>{field.label}</dt>
                <dd>
                  {field.kind === 'area'
                    ? formatArea(listing.profile.area, words.area)
                    : formatValue(field, listing.profile[name] ?? null, formatList)}
                </dd>
              </div>
            ))}
          </dl>
          <AreaPicture geohash={listing.profile.area} />
        </>
      )}
    </section>
  )
}

function formatArea(geohash: string, text: string): string {
  const cell = cellOf(geohash)
  const { width, height } = sizeKm(cell)
  const { latitude, longitude } = centreOf(cell)
  return fill(text, {
    geohash,
    width: Math.max(1, Math.round(width)),
    height: Math.max(1, Math.round(height)),
    latitude: `${Math.abs(latitude).toFixed(1)}° ${latitude >= 0 ? 'N' : 'S'}`,
    longitude: `${Math.abs(longitude).toFixed(1)}° ${longitude >= 0 ? 'E' : 'W'}`,
  })
}

/** The height of the map in degrees of latitude: enough to show a coast. */
const minHeight = 14

/** The cell on a plain map. A map service would learn the area from the tiles that it serves. */
function AreaPicture({ geohash }: { geohash: string }) {
  const cell = cellOf(geohash)
  const { latitude, longitude } = centreOf(cell)
  const height = Math.max(minHeight, (cell.north - cell.south) * 2.5)
  // Degrees of longitude become narrower towards the poles.
  const squeeze = Math.max(0.2, Math.cos((latitude * Math.PI) / 180))
  const width = height * 2.2
  const line = height / 300
  // A ring marks a cell that would be only a dot.
  const isSmall = cell.north - cell.south < height / 20
  const degrees = Array.from({ length: 37 }, (_, index) => index * 10 - 180)
  return (
    <svg
      class="area"
      viewBox={`${longitude * squeeze - width / 2} ${-latitude - height / 2} ${width} ${height}`}
      role="img"
      aria-label={formatArea(geohash, words.areaPicture)}
    >
      <g transform={`scale(${squeeze} 1)`} stroke-width={line}>
        {[-360, 0, 360].map((round) => (
          <path class="land" key={round} d={coast} transform={`translate(${round} 0)`} />
        ))}
        {degrees.map((degree) => (
          <path class="grid" key={degree} d={`M${degree * 2} -90V90M-540 ${degree}H540`} />
        ))}
        <rect
          class="cell"
          x={cell.west}
          y={-cell.north}
          width={cell.east - cell.west}
          height={cell.north - cell.south}
          stroke-width={line * 2}
        />
      </g>
      {isSmall && (
        <circle class="halo" cx={longitude * squeeze} cy={-latitude} r={height / 14} stroke-width={line * 2} />
      )}
    </svg>
  )
}
