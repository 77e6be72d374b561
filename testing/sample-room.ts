import type { Channels, DatingProfile } from '@koko/contract'

/** The size of the sample room: each combination of channels once, then the first nine again. */
const agents = 24
/** London, Paris, Berlin, Lisbon, New York, and larger cells. */
const areas = ['gcpv', 'u09t', 'u33d', 'eycs', 'dr5r', 'gcp', 'u3', 'gcpu']

/** Fictional handles: Ofcom's numbers for drama, and sample names. */
function channelsOf(index: number): Channels {
  const combination = (index % 15) + 1
  const two = String(index).padStart(2, '0')
  return {
    ...(combination & 1 ? { whatsapp: `+4477009001${two}` } : {}),
    ...(combination & 2 ? { telegram: `sample_agent_${two}` } : {}),
    ...(combination & 4 ? { discord: `1000000000000000${two}` } : {}),
    ...(combination & 8 ? { slack: `U0SAMPLE0${two}` } : {}),
  }
}

function profileOf(index: number): DatingProfile {
  const pick = <T>(values: readonly [T, ...T[]], step: number): T => values[(index * step) % values.length] ?? values[0]
  const age = 21 + ((index * 7) % 45)
  return {
    gender: pick(['woman', 'man', 'nonbinary', 'woman', 'man', 'other'], 1),
    seeking: pick<DatingProfile['seeking']>([['man'], ['woman'], [], ['woman', 'man'], ['nonbinary', 'other']], 3),
    age,
    ageMin: Math.max(18, age - 8),
    ageMax: Math.min(120, age + 10),
    area: pick(areas as [string, ...string[]], 5),
    maxDistanceKm: pick<number | null>([50, 100, null, 300, 25], 2),
    intent: pick(['long_term', 'short_term', 'friendship', 'casual', 'open'], 1),
  }
}

/** What each agent of the sample room publishes. `npm start` has them, and the README shows some. */
export const sampleRoom: readonly { channels: Channels; profile: DatingProfile }[] = Array.from(
  { length: agents },
  (_, index) => ({ channels: channelsOf(index), profile: profileOf(index) }),
)
