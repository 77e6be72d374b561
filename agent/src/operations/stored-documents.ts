import { Channel, Listing, Unlinks, type AgentId, type RoomName } from '@koko/contract'
import type { Directory } from '../directory/session.ts'
import type { Published } from '../home/files.ts'

/** What the directory stores of an agent. */
export interface Stored {
  /** Null where nothing is listed; undefined where what is stored cannot be read here. */
  listing: Listing | null | undefined
  unlinks: Unlinks
}

export async function readStored({ agent, client }: Directory): Promise<Stored> {
  const { documents } = await client.call('exportAgent', {})
  return storedIn(documents, agent)
}

/** The same, from the documents of an export. */
export function storedIn(
  documents: Readonly<Record<string, unknown>>,
  { agentId, room }: { agentId: AgentId; room: RoomName },
): Stored {
  const stored = documents[`mcpDirectory/${room}/agents/${agentId}`]
  const listing = Listing.safeParse(stored).data
  return {
    // Somebody else's is none to go by.
    listing: stored === undefined ? null : listing?.agentId === agentId ? listing : undefined,
    unlinks: Unlinks.safeParse(documents[`unlinks/${agentId}`]).data ?? {},
  }
}

/** The channels that the directory withholds. */
export function unlinkedIn({ unlinks }: Pick<Stored, 'unlinks'>): Published['withheld'] {
  return Channel.options.flatMap((channel) => {
    const unlink = unlinks[channel]
    return unlink === undefined ? [] : [{ channel, unlinkedAtMs: unlink.unlinkedAtMs }]
  })
}
