// Runs in a separate process: an instance's view over a room of a million agents reads more shards than it caches. The
// store generates each shard on request. Prints the process's memory as JSON.
import { codec } from '../functions/src/adapters/node.ts'
import { createDiscoveryView } from '../functions/src/discovery/view.ts'
import { paths, type Entry } from '../functions/src/documents.ts'
import type { Store } from '../functions/src/ports.ts'
import { entryKey, packEntries } from '../functions/src/discovery/shards.ts'
import { peakBytes } from './peak.ts'
import { generateRoom } from './room.ts'

const agents = 1_000_000
const agentsPerShard = 700
/** Twice as many as an instance caches. */
const shardsRead = 500
const shards = Math.ceil(agents / agentsPerShard)
const today = Math.floor(Date.now() / 86_400_000) * 86_400_000

/** Each shard has different agents. Their order across shards does not affect a cache. */
function pack(index: number): Uint8Array {
  const entries = [...generateRoom(agentsPerShard, Date.now(), index)].map(({ listing }): Entry => ({
    revision: 1,
    placedAt: 1,
    listing,
  }))
  return packEntries(
    codec,
    entries.sort((a, b) => (entryKey(a) < entryKey(b) ? -1 : 1)),
  )
}

const bytes = pack(0).length
const manifest = {
  revision: 1,
  shards: Array.from({ length: shards }, (_, index) => ({
    id: `1-${index}`,
    start: index === 0 ? '' : String(index).padStart(6, '0'),
    revision: 1,
    agents: agentsPerShard,
    bytes,
    oldestSeenAtMs: today,
    newestSeenAtMs: today,
  })),
}
const store: Store = {
  get: (asked) =>
    Promise.resolve(
      asked.map((path) =>
        path === paths.manifest('dating')
          ? structuredClone(manifest)
          : { revision: 1, entries: pack(Number(path.split('-').at(-1))) },
      ),
    ),
  query: () => Promise.resolve([]),
  count: () => Promise.resolve(shards),
  transaction: () => Promise.reject(new Error('nothing is written here')),
}
const view = createDiscoveryView({ store, codec, monotonicMs: () => performance.now() })
const read = await view.current('dating')
let served = 0
for (const shard of read.manifest.shards.slice(0, shardsRead)) {
  served += (await view.entries('dating', read, shard))?.length ?? 0
}
console.log(
  JSON.stringify({
    agentsRead: served,
    manifestBytes: JSON.stringify(manifest).length,
    rssBytes: process.memoryUsage.rss(),
    peakBytes: peakBytes(),
  }),
)
