import {
  Channel,
  DirectoryError,
  Listing,
  listingPath,
  readAnswer,
  rooms,
  Unlinks,
  unlinksPath,
  type AgentId,
  type RoomName,
} from '@koko/contract'
import { codeOf, type Directory } from '../directory/session.ts'
import { UserError } from '../errors.ts'
import { publishedFile, type Daemon, type Published } from '../home/files.ts'
import type { Files, Home } from '../home/home.ts'
import { readIfWhole } from '../home/read-if-whole.ts'

/** What the directory stores of an agent. */
export interface Stored {
  /** Undefined if this version of koko cannot read it. */
  listing: Listing | null | undefined
  unlinks: Unlinks
}

export async function readStored({ agent, client }: Directory): Promise<Stored> {
  const { documents } = await client.call('exportAgent', {})
  return storedIn(documents, agent)
}

export function storedIn(
  documents: Readonly<Record<string, unknown>>,
  { agentId, room }: { agentId: AgentId; room: RoomName },
): Stored {
  const stored = documents[listingPath(room, agentId)]
  const listing = readAnswer(Listing, stored).data
  const unlinks = readAnswer(Unlinks, documents[unlinksPath(agentId)] ?? {})
  if (!unlinks.success) {
    throw new DirectoryError('internal', 'The directory sent unlinks that this version of koko cannot read.', {
      cause: unlinks.error,
    })
  }
  return {
    listing: stored === undefined ? null : listing?.agentId === agentId ? listing : undefined,
    unlinks: unlinks.data,
  }
}

export function unlinkedIn({ unlinks }: Pick<Stored, 'unlinks'>): Published['withheld'] {
  return Channel.options.flatMap((channel) => {
    const unlink = unlinks[channel]
    return unlink === undefined ? [] : [{ channel, unlinkedAtMs: unlink.unlinkedAtMs }]
  })
}

/** Until when the agent is online, as far as its home knows; null where nothing is listed. */
export function onlineUntil(
  room: RoomName,
  published: Published | undefined,
  daemon: Daemon | undefined,
): number | null {
  if (published?.listing === null) return null
  const seenAtMs = published?.listing.presence.lastSeenAtMs
  const afterPublish = seenAtMs === undefined ? null : seenAtMs + rooms[room].onlineWindowMs
  const ends = [afterPublish, daemon?.onlineUntilMs ?? null].filter((end) => end !== null)
  return ends.length === 0 ? null : Math.max(...ends)
}

/**
 * Sends a change of the listing. Until the answer is kept, the home does not know what is listed, even after a crash; if
 * the directory refuses, what it knew before is still right.
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

/** True if the directory changed nothing; false if the outcome is unknown. */
function isRefusal(error: unknown): boolean {
  if (error instanceof UserError) return true
  const code = codeOf(error)
  return code !== undefined && code !== 'unavailable' && code !== 'internal'
}
