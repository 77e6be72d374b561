import { retentionMs, RoomName } from '@koko/contract'
import * as z from 'zod'
import { Departure, idOf, paths } from '../documents.ts'
import { retentionBatch } from '../limits.ts'
import type { Fields, Ports, Stored, Transaction } from '../ports.ts'
import { removeAgent } from './removal.ts'

/**
 * Removes agents that were not seen, or not listed, for `retentionMs`, one in a step. Yields whether it removed one. `now`
 * finds who may be due; the time of the database decides.
 */
export async function* removeInactiveAgents(
  ports: Ports,
  now: () => Date,
  onFault: (error: unknown) => void,
): AsyncGenerator<boolean> {
  const remove = async ({ path }: Stored, lastSeen: (fields: Fields) => unknown, room?: RoomName) => {
    const agentId = idOf(path)
    const stillDue = async (transaction: Transaction) => {
      const [fields] = await transaction.get([path])
      const lastSeenAtMs = lastSeen(fields ?? {})
      return typeof lastSeenAtMs === 'number' && lastSeenAtMs <= transaction.readTime().getTime() - retentionMs
    }
    if (!(await removeAgent(ports, agentId, stillDue, { room }))) return false
    // If this fails, `deleteDepartedSignIns` deletes the sign-in later.
    await ports.signIns.remove(agentId).catch(onFault)
    return true
  }
  for (const room of RoomName.options) {
    const where = { field: 'presence.lastSeenAtMs', atMost: now().getTime() - retentionMs }
    const query = { collection: paths.listings(room), where, limit: retentionBatch }
    for (const document of await ports.store.query(query)) {
      yield await remove(document, (fields) => Seen.safeParse(fields).data?.presence.lastSeenAtMs, room)
    }
  }
  const where = { field: 'unlistedSinceMs', atMost: now().getTime() - retentionMs }
  for (const document of await ports.store.query({ collection: 'accounts', where, limit: retentionBatch })) {
    yield await remove(document, ({ unlistedSinceMs }) => unlistedSinceMs)
  }
}

const Seen = z.object({ presence: z.object({ lastSeenAtMs: z.unknown() }) })

/**
 * Deletes removed agents' sign-ins again once their last token has expired: that token may have recreated them. One in a
 * step.
 */
export async function* deleteDepartedSignIns(
  { store, signIns, vault }: Ports,
  now: () => Date,
  onFault: (error: unknown) => void,
): AsyncGenerator<void> {
  const where = { field: 'dueAtMs', atMost: now().getTime() }
  for (const { path, fields } of await store.query({ collection: 'departures', where, limit: retentionBatch })) {
    const departure = Departure.safeParse(fields)
    const agentId = departure.success ? vault.open('departure', departure.data.sealedAgentId) : null
    const isDeleted =
      agentId === null ||
      (await signIns.remove(agentId).then(
        () => true,
        (error: unknown) => {
          // The next run tries again.
          onFault(error)
          return false
        },
      ))
    if (isDeleted) {
      await store.transaction((transaction) => {
        transaction.delete(path)
        return Promise.resolve()
      })
    }
    yield
  }
}
