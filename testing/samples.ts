import type { Channels, DatingProfile } from '@koko/contract'

/** Fictional people. A test that needs particular values names those, beside the rest of a sample. */

/** Looks for anybody, anywhere. */
export const sampleProfile: DatingProfile = {
  gender: 'woman',
  seeking: [],
  age: 30,
  ageMin: 25,
  ageMax: 40,
  area: 'gcpv',
  maxDistanceKm: null,
  intent: 'open',
}

/** Has something in every field. */
export const fullProfile: DatingProfile = {
  gender: 'woman',
  seeking: ['woman', 'man'],
  age: 34,
  ageMin: 28,
  ageMax: 45,
  area: 'gcpv',
  maxDistanceKm: 100,
  intent: 'long_term',
}

export const sampleChannels = { whatsapp: '+447700900123', telegram: 'ada_example' } satisfies Channels

/** What an agent agrees to when it registers. */
export const consents = { terms: true, disclaimer: true, adult: true }
