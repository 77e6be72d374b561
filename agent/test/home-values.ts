import type { Listing } from '@koko/contract'
import * as z from 'zod'
import { sampleProfile } from '../../testing/samples.ts'
import type { Agent, Daemon, Handles, Outbox, Peers, Profile, Published } from '../src/home/files.ts'
import type { Home, HomeFile } from '../src/home/home.ts'

export const counterFile: HomeFile<{ count: number; filler?: string | undefined }> = {
  name: 'counter.json',
  schema: z.strictObject({ count: z.int('must be a whole number'), filler: z.string().optional() }),
  migrations: [],
}

export interface HomeValue {
  agent: Agent
  profile: Profile
  handles: Handles
  published: Published
  outbox: Outbox
  peers: Peers
  daemon: Daemon
}

/** A value for every file of a home, different for each number from 1 to 20,000. */
export function homeOf(number: number): HomeValue {
  const listing = listingOf(number, 0)
  return {
    agent: {
      origin: 'https://directory.example',
      projectId: 'demo-koko',
      isEmulated: true,
      room: 'dating',
      agentId: listing.agentId,
      registeredAtMs: number,
      secret: String(number).padStart(43, '0'),
      termsVersion: null,
    },
    profile: {
      room: 'dating',
      profile: listing.profile,
      dealbreakers: { onlyIntents: number % 2 === 0 ? [] : ['open'] },
    },
    handles: { whatsapp: { handle: '+12025550100', agreedAtMs: number } },
    published: { publishedAtMs: number, listing, withheld: [] },
    outbox: { agentId: listing.agentId, isRefused: false, unlinks: [{ channel: 'slack', askedAtMs: number }] },
    // Enough that writing them takes a while.
    peers: {
      peers: Array.from({ length: 50 + (number % 50) }, (_, index) => ({
        listing: listingOf(number, index),
        foundAtMs: number,
        refreshedAtMs: number,
      })),
      hidden: [],
      forgotten: [],
      budget: { dayMs: number, discovered: 0, refreshed: 0 },
    },
    daemon: { agentId: listing.agentId, onlineUntilMs: number, discoveredAtMs: null, discoveredOn: [], failures: [] },
  }
}

function listingOf(number: number, index: number): Listing {
  return {
    agentId: `00000000-0000-4000-8000-${String(index * 100_000 + number).padStart(12, '0')}`,
    category: 'dating',
    channels: { whatsapp: `+120255501${String(index % 100).padStart(2, '0')}` },
    profile: { ...sampleProfile, maxDistanceKm: number },
    presence: { registeredAtMs: number, publishedAtMs: number, lastSeenAtMs: number },
  }
}

/** How many migrations a file has, if any. */
const migrationCounts: Readonly<Record<string, number>> = { profile: 1, peers: 1 }

/** Writes without the files' own schemas, which take longer to load than all the rest; reading uses them. */
export async function writeHome(home: Home, value: HomeValue): Promise<void> {
  await home.change(async (files) => {
    for (const [name, part] of Object.entries(value)) {
      const migrations = Array.from({ length: migrationCounts[name] ?? 0 }, () => (fields: object) => ({ ...fields }))
      await files.write({ name: `${name}.json`, schema: z.looseObject({}), migrations }, part)
    }
  })
}
