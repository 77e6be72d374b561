import type { DatingProfile } from '@koko/contract'
import type { PeerMatch } from './operations/discover.ts'

export function intentWords(intent: DatingProfile['intent']): string {
  return intent.replace('_', ' ')
}

/** How far away somebody is, as far as cells tell it. */
export function distanceWords({ about }: PeerMatch['distanceKm']): string {
  return about === 0 ? 'same area' : `about ${about.toLocaleString('en-US')} km`
}
