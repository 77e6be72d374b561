import { cellOf, centreOf, DatingProfile, sizeKm, type Listing } from '@koko/contract'
import { fill, strings } from './strings.ts'
import { coordinate, listed } from './words.ts'

const words = strings.profile

export function Profile({ profile }: { profile: Listing['profile'] | null }) {
  return (
    <section aria-labelledby="profile">
      <h2 id="profile">{words.heading}</h2>
      {profile === null ? (
        <p>{words.none}</p>
      ) : (
        <>
          <p>{words.intro}</p>
          <dl class="facts">
            {fieldNames.map((field) => (
              <>
                <dt>{words.labels[field]}</dt>
                <dd>{inWords(profile, field)}</dd>
              </>
            ))}
          </dl>
          <AreaPicture geohash={profile.area} />
        </>
      )}
    </section>
  )
}

const fieldNames = Object.keys(DatingProfile.shape) as (keyof DatingProfile)[]

function inWords(profile: DatingProfile, field: keyof DatingProfile): string {
  switch (field) {
    case 'gender':
      return words.gender[profile.gender]
    case 'seeking':
      return profile.seeking.length === 0 ? words.anyone : listed(profile.seeking.map((each) => words.seeking[each]))
    case 'age':
    case 'ageMin':
    case 'ageMax':
      return fill(words.years, { n: profile[field] })
    case 'area':
      return areaInWords(profile.area, words.area)
    case 'maxDistanceKm':
      return profile.maxDistanceKm === null ? words.anywhere : fill(words.distance, { n: profile.maxDistanceKm })
    case 'intent':
      return words.intent[profile.intent]
  }
}

function areaInWords(geohash: string, text: string): string {
  const cell = cellOf(geohash)
  const { width, height } = sizeKm(cell)
  const { latitude, longitude } = centreOf(cell)
  return fill(text, {
    geohash,
    width: Math.round(width),
    height: Math.round(height),
    latitude: coordinate(latitude, ['N', 'S']),
    longitude: coordinate(longitude, ['E', 'W']),
  })
}

const parallels = [-60, -30, 0, 30, 60]
const meridians = [-150, -120, -90, -60, -30, 0, 30, 60, 90, 120, 150]

/** The cell on a plain map of the world, a degree a unit; drawn here, since a map's tiles would tell others the area. */
function AreaPicture({ geohash }: { geohash: string }) {
  const { south, west, north, east } = cellOf(geohash)
  const { latitude, longitude } = centreOf(cellOf(geohash))
  return (
    <svg class="area" viewBox="-180 -90 360 180" role="img" aria-label={areaInWords(geohash, words.areaPicture)}>
      {parallels.map((parallel) => (
        <path class="grid" key={parallel} d={`M-180 ${-parallel}H180`} />
      ))}
      {meridians.map((meridian) => (
        <path class="grid" key={meridian} d={`M${meridian} -90V90`} />
      ))}
      <rect class="cell" x={west} y={-north} width={Math.max(1, east - west)} height={Math.max(1, north - south)} />
      <circle class="halo" cx={longitude} cy={-latitude} r={Math.max(9, east - west)} />
    </svg>
  )
}
