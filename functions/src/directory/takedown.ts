import {
  Channel,
  channelDefinitions,
  invalidArgument,
  RoomName,
  StoredChannels,
  utcDay,
  type AgentId,
  type Channels,
} from '@koko/contract'
import * as z from 'zod'
import { Account, idOf, pagesOf, parseStored, paths, Takedown } from '../documents.ts'
import { readListingState, withoutChannels, writeListing } from './listing-change.ts'
import type { Fields, Ports, Reader, Transaction, Vault } from '../ports.ts'
import { removeAgent } from './removal.ts'

/** A handle in its canonical form. */
export interface Handle {
  channel: Channel
  handle: string
}

type TakedownPorts = Pick<Ports, 'store' | 'vault'>

/** Listings in one query. */
const pageSize = 500

/** The channels of which this text can be a stored handle. */
export function channelsOf(text: string): Channel[] {
  return Channel.options.filter((channel) => StoredChannels.safeParse({ [channel]: text }).success)
}

/**
 * Refuses a handle from now on, in every spelling, and removes it from every listing. The refusal is committed first: a
 * publish that the search misses starts or retries after that, and reads the refusal.
 */
export async function takeDownHandle(ports: TakedownPorts, handle: Handle, now: Date): Promise<{ listings: number }> {
  await ports.store.transaction((transaction) => refuse(transaction, ports.vault, [handle], now), { isPatient: true })
  return { listings: await takeOut(ports, [handle], now) }
}

/** Allows a handle again. Returns whether it was refused. */
export async function liftTakedown({ store, vault }: TakedownPorts, handle: Handle): Promise<boolean> {
  return store.transaction(async (transaction) => {
    const refusals = refusalsOf(vault, handle).flat()
    const stored = await transaction.get(refusals)
    const lifted = refusals.filter((_, index) => stored[index] !== null)
    for (const path of lifted) transaction.delete(path)
    return lifted.length > 0
  })
}

/**
 * Takes down each handle of an agent, as `takeDownHandle` does, and then its listing. The listing is last, so that
 * another run can continue one that was cut off.
 */
export async function takeDownAgent(
  ports: TakedownPorts,
  agentId: AgentId,
  now: Date,
): Promise<{ listings: number; handles: number }> {
  const done = new Map<string, Handle>()
  let listings = 0
  for (;;) {
    const fresh: Handle[] = []
    const removed = await removeChannels(ports, agentId, RoomName.options, now, async (fields, transaction) => {
      fresh.splice(0, Infinity, ...handlesOf(fields).filter((handle) => !done.has(keyOf(handle))))
      if (fresh.length === 0) return Channel.options
      await refuse(transaction, ports.vault, fresh, now)
      return []
    })
    if (fresh.length === 0) return { listings: listings + (removed ? 1 : 0), handles: done.size }
    for (const handle of fresh) done.set(keyOf(handle), handle)
    listings += await takeOut(ports, fresh, now, agentId)
  }
}

/** Takes down only an agent's listing; the agent may publish again. Returns whether there was one. */
export async function takeDownListing(ports: TakedownPorts, agentId: AgentId, now: Date): Promise<boolean> {
  return removeChannels(ports, agentId, RoomName.options, now, () => Channel.options)
}

/** Throws `invalid-argument` for channels whose handle is taken down, without the reason. Call it in a transaction. */
export async function assertNotTakenDown(reader: Reader, vault: Vault, channels: Channels): Promise<void> {
  const offered = handlesOf({ channels })
  const refusals = offered.flatMap((handle) =>
    refusalsOf(vault, handle)
      .flat()
      .map((path) => ({ ...handle, path })),
  )
  const stored = await reader.get(refusals.map(({ path }) => path))
  const found = new Set(refusals.filter((_, index) => stored[index] !== null).map(({ channel }) => channel))
  const refused = offered.filter(({ channel }) => found.has(channel))
  if (refused.length === 0) return
  throw invalidArgument(
    refused.map(({ channel }) => ({ path: `channels.${channel}`, message: 'must not be published here' })),
  )
}

/** Writes the refusals that do not exist yet under the server's key; existing ones keep their day. */
async function refuse(transaction: Transaction, vault: Vault, handles: readonly Handle[], now: Date): Promise<void> {
  const spelled = handles.map((handle) => refusalsOf(vault, handle).map(([current]) => current))
  const all = spelled.flat()
  const stored = await transaction.get(all)
  const existing = new Set(all.filter((_, index) => parseStored(Takedown, stored[index] ?? null) !== null))
  for (const refusals of spelled) {
    const [first] = refusals
    if (first === undefined || refusals.some((path) => existing.has(path))) continue
    transaction.set(first, { sinceMs: utcDay(now.getTime()) } satisfies Takedown)
  }
}

/**
 * Removes handles from every listing but `except`'s, in every spelling. Reads all listings: a query cannot match
 * spellings, shards lack agents that are offline, and an index would reveal who has a handle.
 */
async function takeOut(ports: TakedownPorts, handles: readonly Handle[], now: Date, except?: AgentId): Promise<number> {
  const taken = new Set(handles.map(keyOf))
  let listings = 0
  for (const room of RoomName.options) {
    for await (const page of pagesOf(ports.store, { collection: paths.listings(room), limit: pageSize })) {
      for (const { path, fields } of page) {
        const agentId = idOf(path)
        if (agentId === except || heldChannels(fields, taken).length === 0) continue
        if (await removeChannels(ports, agentId, [room], now, (current) => heldChannels(current, taken))) listings += 1
      }
    }
  }
  return listings
}

/**
 * Removes from an agent's listing the channels that `decide` gives inside the transaction, and the listing if none is
 * left. Returns whether anything was removed. `decide` may write only if it gives none.
 */
async function removeChannels(
  ports: TakedownPorts,
  agentId: AgentId,
  rooms: readonly RoomName[],
  now: Date,
  decide: (fields: Fields, transaction: Transaction) => readonly Channel[] | Promise<readonly Channel[]>,
): Promise<boolean> {
  const find = async (transaction: Transaction) => {
    const stored = await transaction.get(rooms.map((room) => paths.listing(room, agentId)))
    for (const [index, room] of rooms.entries()) {
      const fields = stored[index] ?? null
      if (fields !== null) return { room, removed: await decide(fields, transaction) }
    }
    return { room: null, removed: [] }
  }
  const outcome = await ports.store.transaction(
    async (transaction) => {
      const { room, removed } = await find(transaction)
      if (room === null || removed.length === 0) return 'kept'
      const [accountFields] = await transaction.get([paths.account(agentId)])
      const account = Account.safeParse(accountFields)
      if (!account.success) return room
      const state = await readListingState(transaction, room, agentId)
      const after = withoutChannels(state.listing, removed)
      transaction.set(paths.account(agentId), writeListing(transaction, state, after, account.data, now))
      return 'removed'
    },
    { isPatient: true },
  )
  if (outcome === 'kept' || outcome === 'removed') return outcome === 'removed'
  // Without an account, no agent can publish this listing again.
  const stillDue = async (transaction: Transaction) => (await find(transaction)).removed.length > 0
  return removeAgent(ports, agentId, stillDue, { room: outcome, isPatient: true })
}

/** The channels of a stored listing whose handle is among `taken`, whatever its other fields are. */
function heldChannels(fields: Fields, taken: ReadonlySet<string>): Channel[] {
  return handlesOf(fields)
    .filter((handle) => taken.has(keyOf(handle)))
    .map(({ channel }) => channel)
}

function handlesOf(fields: Fields): Handle[] {
  const channels = StoredHandles.safeParse(fields).data?.channels ?? {}
  return Channel.options.flatMap((channel) => {
    const handle = channels[channel]
    return typeof handle === 'string' ? [{ channel, handle }] : []
  })
}

const StoredHandles = z.object({ channels: z.record(z.string(), z.unknown()) })

/** One text for all spellings of a handle. A text can be a handle of several channels. */
function keyOf(handle: Handle): string {
  return keysOf(handle)[0]
}

function keysOf({ channel, handle }: Handle): [first: string, ...others: string[]] {
  const [first, ...others] = channelDefinitions[channel].spellings(handle)
  const key = (spelling: string) => `${channel}\n${spelling}`
  return [key(first), ...others.map(key)]
}

/**
 * For each spelling of a handle, the path of its refusal under the server's key, then the paths under former keys. A
 * refusal is written for the first spelling; versions that knew fewer spellings wrote it for any of them.
 */
function refusalsOf(vault: Vault, handle: Handle): [current: string, ...former: string[]][] {
  return keysOf(handle).map((key) => {
    const [current, ...former] = vault.keyedHashes('takedown', key)
    return [paths.takedown(current), ...former.map(paths.takedown)]
  })
}
