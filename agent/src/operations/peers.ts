import { AgentId, Channel, channelDefinitions, countryCodeOf, numberIn } from '@koko/contract'
import type { Context } from '../context.ts'
import { UserError } from '../errors.ts'
import { agentFile, handlesFile, peersFile, publishedFile, type Peers } from '../home/files.ts'
import { noPeers, planPeers } from '../matching/peers.ts'
import { handleTexts } from './agreements.ts'
import { describeMatch, type PeerMatch } from './discover.ts'
import { normaliseHandle } from './normalise-handle.ts'
import { readProfile } from './profile.ts'

/** A match as it is known here, without its handles: only the directory knows which ones it still publishes. */
export interface KnownPeer extends PeerMatch {
  foundAtMs: number
  /** Its listing is at least as recent as this. */
  refreshedAtMs: number
}

export interface KnownPeers {
  /** The best first. */
  peers: KnownPeer[]
  hidden: Peers['hidden']
}

type Known = Awaited<ReturnType<typeof readKnown>>

/** The matches that are known here. Sends nothing, so it uses no budget. */
export async function knownPeers(context: Context): Promise<KnownPeers> {
  const { known, hidden } = await readKnown(context)
  return { peers: known.map(({ peer }) => peer), hidden }
}

async function readKnown({ home, nowMs }: Pick<Context, 'home' | 'nowMs'>) {
  const agent = await home.read(agentFile)
  if (agent === undefined) throw new UserError(`There is no agent in ${home.path} yet.`, 'Run `koko init`.')
  const profile = await readProfile(home, agent.room)
  if (profile === undefined) throw new UserError('There is no profile here yet.', 'Run `koko profile edit`.')
  const kept = (await home.read(peersFile)) ?? noPeers
  const channels =
    (await home.read(publishedFile))?.listing?.channels ?? handleTexts((await home.read(handlesFile)) ?? {})
  const me = {
    ...profile,
    agentId: agent.agentId,
    channels: Channel.options.filter((channel) => channels[channel] !== undefined),
  }
  const foundAtMs = new Map(kept.peers.map((peer) => [peer.listing.agentId, peer.foundAtMs]))
  const { matches } = planPeers(kept, { listings: [], asked: [], asOfMs: 0 }, me, kept.peers.length, nowMs())
  const known = matches.map(({ listing, verdict, refreshedAtMs }) => ({
    listing,
    peer: {
      ...describeMatch({ listing, verdict }, false),
      foundAtMs: foundAtMs.get(listing.agentId) ?? refreshedAtMs,
      refreshedAtMs,
    },
  }))
  return { known, hidden: kept.hidden }
}

export interface Writers {
  /** The known peers that published the handle, each with the channel. Anybody can publish a handle. */
  writers: (KnownPeer & { writesOn: Channel })[]
}

/** The known peers of a handle, however it is written. Sends nothing. */
export async function whoWrites(context: Context, typed: string): Promise<Writers> {
  return { writers: writersAmong((await readKnown(context)).known, typed) }
}

function writersAmong(known: Known['known'], typed: string): Writers['writers'] {
  return known.flatMap(({ listing, peer }) =>
    Channel.options.flatMap((channel) => {
      const handle = listing.channels[channel]
      if (handle === undefined || !isSame(channel, handle, typed)) return []
      return [{ ...peer, writesOn: channel }]
    }),
  )
}

/** A number without a country code is read as it is dialled in the country of the peer. */
function isSame(channel: Channel, handle: string, typed: string): boolean {
  const { spellings } = channelDefinitions[channel]
  const [own] = spellings(handle)
  const normalised = normaliseHandle(channel, typed)
  if ('handle' in normalised) return spellings(normalised.handle)[0] === own
  const number =
    normalised.national === undefined ? undefined : numberIn(countryCodeOf(handle) ?? '', normalised.national)
  return number !== undefined && spellings(number)[0] === own
}

/** What a text names: a peer by its id, by the beginning of the id of a known one, or the holders of a handle. */
export type Named = { id: AgentId } | { handle: string }

/** Throws `UserError` where it can only be the beginning of an id, and no or several known ids begin so. */
export async function findNamed(context: Context, typed: string): Promise<Named> {
  const beginning = typed.trim().toLowerCase()
  const id = AgentId.safeParse(beginning).data
  if (id !== undefined) return { id }
  const isBeginning = /^[0-9a-f]{1,8}$|^[0-9a-f]{8}-[0-9a-f-]{0,27}$/.test(beginning)
  const { known, hidden } = await readKnown(context)
  const ids = [...known.map(({ listing }) => listing.agentId), ...hidden.map(({ agentId }) => agentId)]
  const [first, ...others] = isBeginning ? ids.filter((each) => each.startsWith(beginning)) : []
  if (others.length > 0) {
    throw new UserError(`The ids of ${others.length + 1} known peers begin like this.`, 'Give more of the id.', {
      code: 'invalid-argument',
    })
  }
  if (first !== undefined) return { id: first }
  if (isBeginning && writersAmong(known, typed).length === 0) {
    throw new UserError(
      "No known peer's id begins like this, and no known peer publishes it as a handle.",
      'Give a whole id, or find peers with `koko discover`.',
      { code: 'not-found' },
    )
  }
  return { handle: typed }
}

export interface Hiding {
  agentId: AgentId
  isHidden: boolean
  /** False: it was so before. */
  isChanged: boolean
}

/** Hides a peer from every later discovery, and forgets what is known of it; or lets it be found again. Sends nothing. */
export async function hidePeer(context: Context, typed: string, isHidden: boolean): Promise<Hiding> {
  const agentId = await onePeer(context, typed)
  return context.home.change(async (files) => {
    const before = (await files.read(peersFile)) ?? noPeers
    const isChanged = before.hidden.some((each) => each.agentId === agentId) !== isHidden
    const others = before.hidden.filter((each) => each.agentId !== agentId)
    const hidden = isHidden ? [...others, { agentId, hiddenAtMs: context.nowMs() }] : others
    const peers = isHidden ? before.peers.filter(({ listing }) => listing.agentId !== agentId) : before.peers
    const forgotten = before.forgotten.filter((each) => each.agentId !== agentId)
    if (isChanged) await files.write(peersFile, { ...before, peers, hidden, forgotten })
    return { agentId, isHidden, isChanged }
  })
}

async function onePeer(context: Context, typed: string): Promise<AgentId> {
  const named = await findNamed(context, typed)
  if ('id' in named) return named.id
  const ids = [...new Set((await whoWrites(context, named.handle)).writers.map(({ agentId }) => agentId))]
  const [agentId] = ids
  if (agentId !== undefined && ids.length === 1) return agentId
  const problem = ids.length === 0 ? 'No known peer publishes this handle.' : 'Several known peers publish this handle.'
  throw new UserError(problem, 'Give the id of the peer: `koko peers` lists them.', { code: 'not-found' })
}
