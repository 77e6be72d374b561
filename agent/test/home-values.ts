import type { Listing } from '@koko/contract'
import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod'
import {
  agentFile,
  daemonFile,
  handlesFile,
  peersFile,
  profileFile,
  publishedFile,
  type Agent,
  type Daemon,
  type Handles,
  type Peers,
  type Profile,
  type Published,
} from '../src/files.ts'
import type { Home, HomeFile } from '../src/home.ts'

/** A file of the tests alone. */
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
  peers: Peers
  daemon: Daemon
}

/** All that a home holds; another value in every file for every number from 1 to 20,000. */
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
    profile: { profile: listing.profile, onlyIntents: number % 2 === 0 ? [] : ['open'] },
    handles: { whatsapp: { handle: '+12025550100', agreedAtMs: number } },
    published: { publishedAtMs: number, listing, withheld: [] },
    // Enough of them that they take a while to be written.
    peers: {
      peers: Array.from({ length: 50 + (number % 50) }, (_, index) => ({
        listing: listingOf(number, index),
        foundAtMs: number,
        refreshedAtMs: number,
      })),
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
    profile: {
      gender: 'woman',
      seeking: [],
      age: 30,
      ageMin: 18,
      ageMax: 120,
      area: 'gcpv',
      maxDistanceKm: number,
      intent: 'open',
    },
    presence: { registeredAtMs: number, publishedAtMs: number, lastSeenAtMs: number },
  }
}

export async function writeHome(home: Home, value: HomeValue): Promise<void> {
  await home.change(async (files) => {
    await files.write(agentFile, value.agent)
    await files.write(profileFile, value.profile)
    await files.write(handlesFile, value.handles)
    await files.write(publishedFile, value.published)
    await files.write(peersFile, value.peers)
    await files.write(daemonFile, value.daemon)
  })
}

/**
 * The number that each file holds the value of, in the order in which they are written; 0 for one that was never
 * written. Throws where a file is damaged, or not wholly of one number.
 */
export async function numbersIn(home: Home): Promise<number[]> {
  const agent = await home.read(agentFile)
  const profile = await home.read(profileFile)
  const handles = await home.read(handlesFile)
  const published = await home.read(publishedFile)
  const peers = await home.read(peersFile)
  const daemon = await home.read(daemonFile)
  const numbers = {
    agent: agent?.registeredAtMs,
    profile: profile?.profile.maxDistanceKm,
    handles: handles?.whatsapp?.agreedAtMs,
    published: published?.publishedAtMs,
    peers: peers?.budget.dayMs,
    daemon: daemon?.onlineUntilMs,
  }
  const found = { agent, profile, handles, published, peers, daemon }
  return names.map((name) => {
    if (found[name] === undefined) return 0
    const number = numbers[name] ?? Number.NaN
    if (!isDeepStrictEqual(found[name], homeOf(number)[name])) throw new Error(`${name} is of no single number`)
    return number
  })
}

const names = ['agent', 'profile', 'handles', 'published', 'peers', 'daemon'] as const
