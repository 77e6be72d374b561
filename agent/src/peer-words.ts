import { forEachRoom } from '@koko/contract'
import type { PeerMatch } from './operations/discover.ts'

/** The fields by which these peers are described, in the order of their rooms, and the heading of each. */
export function summaryFields(peers: readonly object[]): { name: string; heading: string }[] {
  const fields = forEachRoom((_, { summary, fields }) =>
    summary.map((name): [string, string] => [name, fields[name]?.heading ?? name]),
  )
  return [...new Map(fields.flat())]
    .filter(([name]) => peers.some((peer) => Object.hasOwn(peer, name)))
    .map(([name, heading]) => ({ name, heading }))
}

/** A field of a peer in words, such as `long term`. */
export function summaryWords(peer: object, name: string): string {
  const value: unknown = new Map<string, unknown>(Object.entries(peer)).get(name)
  const values = Array.isArray(value) ? value : [value ?? '']
  return values.map((each) => String(each).replaceAll('_', ' ')).join(', ')
}

/** How far away somebody is, as far as cells tell it. */
export function distanceWords({ about }: PeerMatch['distanceKm']): string {
  return about === 0 ? 'same area' : `about ${about.toLocaleString('en-US')} km`
}
