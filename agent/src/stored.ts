import { Listing, Unlinks } from '@koko/contract'
import type { Directory } from './directory.ts'

/** What the directory stores of this home's agent. */
export interface Stored {
  /** Null where nothing is listed; undefined where what is stored cannot be read here. */
  listing: Listing | null | undefined
  unlinks: Unlinks
}

export async function readStored({ agent, client }: Directory): Promise<Stored> {
  const { documents } = await client.call('exportAgent', {})
  const listing = documents[`mcpDirectory/${agent.room}/agents/${agent.agentId}`]
  return {
    listing: listing === undefined ? null : Listing.safeParse(listing).data,
    unlinks: Unlinks.safeParse(documents[`unlinks/${agent.agentId}`]).data ?? {},
  }
}
