import type { Firestore } from '@google-cloud/firestore'
import { codec } from '../functions/src/adapters/node.ts'
import type { Account, Entry, Manifest, Shard } from '../functions/src/documents.ts'
import { paths } from '../functions/src/documents.ts'
import { republishLimits } from '../functions/src/limits.ts'
import type { Fields } from '../functions/src/ports.ts'
import { entryKey, packShards, seenRange, type PackedShard } from '../functions/src/discovery/shards.ts'
import { generateRoom, type Agent } from './room.ts'

const documentsAtOnce = 400
const commitsAtOnce = 6
/** How many agents get a badge and an account. No measurement reads those of the others. */
const withAccount = 4_000

export interface SeededRoom {
  agents: readonly Agent[]
  manifest: Manifest
}

/** The documents of a room when every change is in a shard. */
export function* documentsOf(
  { agents, manifest }: SeededRoom,
  packed: readonly PackedShard[],
): Generator<[string, Fields]> {
  for (const [index, { badge, listing }] of agents.entries()) {
    yield [paths.listing('dating', badge.agentId), listing]
    if (index >= withAccount) continue
    yield [paths.badge(badge.agentId), badge]
    yield [paths.account(badge.agentId), accountOf(listing.profile.area)]
  }
  for (const [index, { bytes }] of packed.entries()) {
    const id = manifest.shards[index]?.id ?? ''
    yield [paths.shard('dating', id), { revision: 1, entries: bytes } satisfies Shard]
  }
  yield [paths.manifest('dating'), manifest]
}

/** A room and its shards, packed by the republish's code. The same at each call on one day. */
export function planRoom(size: number, nowMs: number): SeededRoom & { packed: PackedShard[] } {
  const agents = [...generateRoom(size, nowMs)]
  const entries = agents
    .map(({ listing }): Entry => ({ revision: 1, placedAt: 1, listing }))
    .map((entry) => ({ key: entryKey(entry), entry }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ entry }) => entry)
  const packed = packShards(codec, '', entries, republishLimits)
  const shards = packed.map(({ start, entries: held, bytes }, index) => ({
    id: `1-${index + 1}`,
    start,
    revision: 1,
    agents: held.length,
    bytes: bytes.length,
    ...seenRange(held),
  }))
  return { agents, manifest: { revision: 1, shards }, packed }
}

/** Fills a project of the emulator. */
export async function seedRoom(firestore: Firestore, size: number, nowMs: number): Promise<SeededRoom> {
  const room = planRoom(size, nowMs)
  await writeAll(firestore, documentsOf(room, room.packed))
  return { agents: room.agents, manifest: room.manifest }
}

/** Writes documents a few hundred at a time. */
export async function writeAll(firestore: Firestore, documents: Iterable<[string, Fields]>): Promise<void> {
  const iterator = documents[Symbol.iterator]()
  const work = async () => {
    for (;;) {
      const batch = firestore.batch()
      let count = 0
      let bytes = 0
      while (count < documentsAtOnce && bytes < 2_000_000) {
        const next = iterator.next()
        if (next.done === true) break
        const [path, fields] = next.value
        batch.set(firestore.doc(path), fields)
        count += 1
        bytes += fields.entries instanceof Uint8Array ? fields.entries.length : 0
      }
      if (count === 0) return
      await batch.commit()
    }
  }
  await Promise.all(Array.from({ length: commitsAtOnce }, work))
}

/** An account that has its whole budget. */
export function accountOf(area: string): Account {
  return {
    secretHash: 'bench',
    pendingSecret: null,
    generation: 0,
    revision: 1,
    publishAllowance: { used: 0, regainsFromMs: 0 },
    budget: { dayMs: 0, discovered: 0, fetched: 0 },
    settingsLinkHash: null,
    unlistedSinceMs: null,
    area,
  }
}
