import { DirectoryError, type DiscoverInput } from '@koko/contract'
import { discover } from '../functions/src/discovery/discover.ts'
import type { Session } from '../functions/src/sessions.ts'
import { createWorld } from '../testing/world.ts'
import { documentsOf, planRoom } from './seed.ts'

/** How many listings of a room several identities of one person can see in a day, and their cost. */
export interface Collusion {
  identities: number
  /** Within 72 hours of their registration, with the smaller budget. */
  isNewcomer: boolean
  /** Whether each starts near a different place, so that they find fewer of the same agents. */
  isSpread: boolean
  /** Different listings, together, in one day. */
  listings: number
  shareOfRoom: number
  /** Days to see every listing once, if no listing repeats and the room does not change. */
  daysForAll: number
  calls: number
  /** Of one core, at the default REGISTRATION_COST, before the first call. */
  proofSeconds: number
  /** Their own listings, which others see meanwhile. */
  shown: number
}

/** About a second of one core for each registration (contract, section 5). */
const secondsPerProof = 1
const day = 86_400_000
const pageSize = 200
const counts = [1, 5, 100]

/** Runs the real discovery over a generated room in memory until every identity has spent its daily budget. */
export async function simulateCollusion(size: number, nowMs: number): Promise<Collusion[]> {
  const room = planRoom(size, nowMs)
  const world = createWorld(nowMs)
  world.store.put([...documentsOf({ agents: [], manifest: room.manifest }, room.packed)])
  const results: Collusion[] = []
  for (const isNewcomer of [true, false]) {
    for (const isSpread of [false, true]) {
      for (const identities of counts) {
        const registeredAtMs = nowMs - (isNewcomer ? day : 10 * day)
        const colluders = room.agents
          .slice(0, identities)
          .map(({ badge, listing }) => ({ badge: { ...badge, registeredAtMs }, listing }))
        // With the budget of a new day.
        world.store.put([...documentsOf({ agents: colluders, manifest: room.manifest }, [])])
        // Each of these days has an instance of its own.
        const view = world.newInstance()
        const seen = new Set<string>()
        let calls = 0
        for (const [index, { badge }] of colluders.entries()) {
          const session: Session = { agentId: badge.agentId, generation: 0, settingsUntilMs: null }
          const place = room.agents[Math.floor(((index + 0.5) * size) / identities)]
          const near = isSpread && place !== undefined ? { near: place.listing.profile.area } : {}
          for (let pageToken: string | null | undefined; pageToken !== null;) {
            const query: DiscoverInput = { pageSize, ...near, ...(pageToken === undefined ? {} : { pageToken }) }
            calls += 1
            try {
              const page = await discover(world.ports, view, session, 'dating', query, world.clock.now())
              for (const { agentId } of page.agents) seen.add(agentId)
              pageToken = page.nextPageToken
            } catch (error) {
              if (!(error instanceof DirectoryError) || error.code !== 'resource-exhausted') throw error
              pageToken = null
            }
          }
        }
        results.push({
          identities,
          isNewcomer,
          isSpread,
          listings: seen.size,
          shareOfRoom: seen.size / size,
          daysForAll: size / seen.size,
          calls,
          proofSeconds: identities * secondsPerProof,
          shown: identities,
        })
      }
    }
  }
  return results
}

/** The simulation as lines of text. */
export function collusionTable(results: readonly Collusion[], size: number): string[][] {
  return [
    [
      'identities',
      'age',
      'each looks',
      `listings of ${size.toLocaleString('en-US')}`,
      'share',
      'days for all',
      'calls',
      'proofs, s of a core',
      'own listings shown',
    ],
    ...results.map((each) => [
      String(each.identities),
      each.isNewcomer ? 'below 72 h' : 'above 72 h',
      each.isSpread ? 'near another place' : 'where its walk begins',
      each.listings.toLocaleString('en-US'),
      `${(each.shareOfRoom * 100).toFixed(2)} %`,
      Math.ceil(each.daysForAll).toLocaleString('en-US'),
      each.calls.toLocaleString('en-US'),
      String(each.proofSeconds),
      String(each.shown),
    ]),
  ]
}
