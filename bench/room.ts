import { geohashAlphabet, type Badge, type Channels, type DatingProfile, type Listing } from '@koko/contract'

const day = 86_400_000

/** A pseudo-random generator by its seed (mulberry32, public domain): at least 0, below 1. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Cells of cities, the most crowded first. */
const cities = ['gcpv', 'u09t', 'dr5r', 'u33d', 'xn76', '9q8y', '75cm', 'ezjm', 'wx4g', 'te7u', 'r3gx', '6gyf', 'sv8w']
/** Shares of a room. The rest lives anywhere. */
const inCity = 0.4
const aroundCity = 0.4

export interface Agent {
  badge: Badge
  listing: Listing
}

/** A room of `size` agents, the same at each call on one day. Handles are fictional. */
export function* generateRoom(size: number, nowMs: number, seed = size): Generator<Agent> {
  const random = createRandom(seed)
  const today = Math.floor(nowMs / day) * day
  for (let index = 0; index < size; index += 1) {
    const agentId = uuidOf(random)
    const registeredAtMs = today - 10 * day
    yield {
      badge: { agentId, category: 'dating', registeredAtMs },
      listing: {
        agentId,
        category: 'dating',
        channels: channelsOf(random, index),
        profile: profileOf(random),
        presence: { registeredAtMs, publishedAtMs: today, lastSeenAtMs: today - (random() < 0.5 ? day : 0) },
      },
    }
  }
}

function uuidOf(random: () => number): string {
  const hex = Array.from({ length: 4 }, () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}

function pick<T>(random: () => number, values: readonly [T, ...T[]]): T {
  return values[Math.floor(random() * values.length)] ?? values[0]
}

/** One to four channels. The numbers are Ofcom's for drama: there are 1,000, so they repeat. */
function channelsOf(random: () => number, index: number): Channels {
  const combination = 1 + Math.floor(random() * 15)
  return {
    ...(combination & 1 ? { whatsapp: `+447700900${String(index % 1_000).padStart(3, '0')}` } : {}),
    ...(combination & 2 ? { telegram: `bench_agent_${index.toString(36)}x` } : {}),
    ...(combination & 4 ? { discord: `1${String(Math.floor(random() * 1e15)).padStart(17, '0')}` } : {}),
    ...(combination & 8 ? { slack: `U0B${index.toString(36).toUpperCase().padStart(8, '0')}` } : {}),
  }
}

function profileOf(random: () => number): DatingProfile {
  const age = 18 + Math.floor(random() ** 2 * 60)
  return {
    gender: pick(random, ['woman', 'man', 'woman', 'man', 'nonbinary', 'other']),
    seeking: pick<DatingProfile['seeking']>(random, [['man'], ['woman'], [], ['woman', 'man'], ['nonbinary', 'other']]),
    age,
    ageMin: Math.max(18, age - 8),
    ageMax: age + 10,
    area: areaOf(random),
    maxDistanceKm: pick<number | null>(random, [25, 50, 100, 300, null]),
    intent: pick(random, ['long_term', 'short_term', 'friendship', 'casual', 'open']),
  }
}

function areaOf(random: () => number): string {
  const character = () => geohashAlphabet[Math.floor(random() * geohashAlphabet.length)] ?? '0'
  const place = random()
  // The third city is a third as large as the first (Zipf).
  const rank = Math.min(cities.length - 1, Math.floor(Math.exp(random() * Math.log(cities.length + 1))) - 1)
  const city = cities[rank] ?? 'gcpv'
  if (place < inCity) return city
  if (place < inCity + aroundCity) return city.slice(0, 2) + character() + (random() < 0.8 ? character() : '')
  return character() + character() + character() + (random() < 0.8 ? character() : '')
}
