import { RoomName } from '@koko/contract'
import * as z from 'zod'
import { Departure, idOf, paths } from '../documents.ts'
import { retentionBatch, retentionMs } from '../limits.ts'
import type { Fields, Ports, Stored, Transaction } from '../ports.ts'
import { removeAgent } from './removal.ts'

/** Removes agents that were not seen, or not listed, for `retentionMs`. Returns how many. */
export async function removeInactiveAgents(
  ports: Ports,
  now: Date,
  hasTime: () => boolean,
  onFault: (error: unknown) => void,
): Promise<number> {
  const cutoffMs = now.getTime() - retentionMs
  let removed = 0
  const remove = async ({ path }: Stored, lastSeen: (fields: Fields) => unknown, room?: RoomName) => {
    if (!hasTime()) return
    const agentId = idOf(path)
    const stillDue = async (transaction: Transaction) => {
      const [fields] = await transaction.get([path])
      const lastSeenAtMs = lastSeen(fields ?? {})
      return typeof lastSeenAtMs === 'number' && lastSeenAtMs <= cutoffMs
    }
    if (!(await removeAgent(ports, agentId, now, stillDue, room))) return
    removed += 1
    // If this fails, `deleteDepartedSignIns` deletes the sign-in later.
    await ports.signIns.remove(agentId).catch(onFault)
  }
  for (const room of RoomName.options) {
    const where = { field: 'presence.lastSeenAtMs', atMost: cutoffMs }
    const query = { collection: paths.listings(room), where, limit: retentionBatch }
    for (const document of await ports.store.query(query)) {
      await remove(document, (fields) => Seen.safeParse(fields).data?.presence.lastSeenAtMs, room)
    }
  }
  const where = { field: 'unlistedSinceMs', atMost: cutoffMs }
  for (const document of await ports.store.query({ collection: 'accounts', where, limit: retentionBatch })) {
    await remove(document, ({ unlistedSinceMs }) => unlistedSinceMs)
  }
  return removed
}

const Seen = z.object({ presence: z.object({ lastSeenAtMs: z.unknown() }) })

/** Deletes removed agents' sign-ins again once their last token has expired: that token may have recreated them. */
export async function deleteDepartedSignIns(
  { store, signIns, vault }: Ports,
  now: Date,
  hasTime: () => boolean,
  onFault: (error: unknown) => void,
): Promise<void> {
  const where = { field: 'dueAtMs', atMost: now.getTime() }
  for (const { path, fields } of await store.query({ collection: 'departures', where, limit: retentionBatch })) {
    if (!hasTime()) return
    const departure = Departure.safeParse(fields)
    const agentId = departure.success ? vault.open('departure', departure.data.sealedAgentId) : null
    try {
      if (agentId !== null) await signIns.remove(agentId)
    } catch (error) {
      // The next run tries again.
      onFault(error)
      continue
    }
    await store.transaction((transaction) => {
      transaction.delete(path)
      return Promise.resolve()
    })
  }
}
