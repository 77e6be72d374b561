import { Change, Manifest, paths } from '../documents.ts'
import { areaOf } from '../directory/listing-change.ts'
import type { Fields, Ports } from '../ports.ts'
import { requireOwner, type Session } from '../sessions.ts'
import { emptyManifest, entriesOf, keyOf, shardAt } from './shards.ts'

/**
 * Every field of the agent's stored documents, unparsed, and its sign-in record. Two things are converted, because JSON
 * cannot hold them: a Timestamp becomes an ISO 8601 string, and the agent's entry is unpacked from its compressed shard.
 * The key of the entry is the shard's path, `#` and the agent's id.
 */
export async function exportAgent({ store, signIns, codec, allowances }: Ports, session: Session) {
  const { agentId } = session
  const { badge, account } = await requireOwner(store, session)
  allowances.spend('exportAgent', agentId)
  const room = badge.category
  const named = [
    paths.badge(agentId),
    paths.listing(room, agentId),
    paths.unlinks(agentId),
    paths.account(agentId),
    paths.change(agentId),
    paths.removal(agentId),
    ...(account.settingsLinkHash === null ? [] : [paths.settingsLink(account.settingsLinkHash)]),
  ]
  const stored = await store.get(named)
  const documents: Fields = {}
  for (const [index, path] of named.entries()) {
    const fields = stored[index] ?? null
    if (fields !== null) documents[path] = jsonOf(fields)
  }

  const change = Change.safeParse(stored[4]).data
  const places = [change?.from, change?.to, account.area, areaOf(stored[1])]
  const areas = new Set(places.filter((area) => typeof area === 'string'))
  const [manifest] = await store.get([paths.manifest(room)])
  const { shards } = Manifest.safeParse(manifest).data ?? emptyManifest
  for (const shard of new Set([...areas].map((each) => shards[shardAt(shards, keyOf(each, agentId))]))) {
    if (shard === undefined) continue
    const [fields] = await store.get([paths.shard(room, shard.id)])
    // No peer sees a shard that cannot be read.
    for (const entry of entriesOf(codec, shard, fields) ?? []) {
      if (entry.listing.agentId === agentId) documents[`${paths.shard(room, shard.id)}#${agentId}`] = entry
    }
  }
  return { documents, signIn: jsonOf(await signIns.record(agentId)) }
}

function jsonOf(fields: Fields): Fields {
  return JSON.parse(JSON.stringify(fields)) as Fields
}
