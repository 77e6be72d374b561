import type { Channels, DatingProfile } from '@koko/contract'

/** Fictional handles, none of which is part of another's. */
export function channelsOf(index: number) {
  return {
    whatsapp: `+447700900${String(100 + index)}`,
    telegram: `deployed_agent_${String(100 + index)}x`,
    discord: `80000000000000${String(100 + index)}`,
    slack: `U0DEPLOYED${String(100 + index)}`,
  } satisfies Channels
}

export function profileOf(index: number): DatingProfile {
  return {
    gender: 'nonbinary',
    seeking: ['woman', 'nonbinary'],
    age: 41,
    ageMin: 35,
    ageMax: 57,
    area: ['gcpv', 'u09t', 'u33d'][index % 3] ?? 'gcpv',
    maxDistanceKm: 17_371 + index,
    intent: 'friendship',
  }
}
