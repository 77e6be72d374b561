import { Channel, Listing, Unlinks, type AgentId, type RoomName } from '@koko/contract'
import { codeOf, type Directory } from '../directory/session.ts'
import { UserError } from '../errors.ts'
import { publishedFile, type Published } from '../home/files.ts'
import type { Files, Home } from '../home/home.ts'
import { readIfWhole } from '../home/read-if-whole.ts'

/** What the directory stores of an agent. */
export interface Stored {
  /** Null where nothing is listed; undefined where this version of koko cannot read it. */
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

/**
 * Sends a change of the listing. From then until the answer is kept, the home does not know what is listed, also after a
 * crash. Where the directory refuses, the former state holds.
 */
export async function changeListing<T>(
  { home }: { home: Home },
  send: () => Promise<T>,
  keep: (answer: T, before: Published | undefined, files: Files) => Promise<void>,
): Promise<T> {
  const before = await home.change(async (files) => {
    const published = await readIfWhole(files, publishedFile)
    await files.remove(publishedFile)
    return published
  })
  let answer: T
  try {
    answer = await send()
  } catch (error) {
    if (before !== undefined && isRefusal(error)) await home.change((files) => files.write(publishedFile, before))
    throw error
  }
  await home.change((files) => keep(answer, before, files))
  return answer
}

/** True where nothing was sent, or the directory said that it did nothing; false where the outcome is unknown. */
function isRefusal(error: unknown): boolean {
  if (error instanceof UserError) return true
  const code = codeOf(error)
  return code !== undefined && code !== 'unavailable' && code !== 'internal'
}
