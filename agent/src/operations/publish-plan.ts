import { Channel, type Channels, type Listing, type Profile } from '@koko/contract'
import type { Handles, Published } from '../home/files.ts'

/** What `publishProfile` takes. */
export interface PublishInput {
  channels: Channels
  profile: Profile
}

/** A field of the listing that a publish changes, such as `channels.telegram` or `profile.age`. */
export interface Change {
  at: string
  kind: 'added' | 'removed' | 'changed'
  before?: unknown
  after?: unknown
}

/** A handle that is kept here and not shown to peers, and why. */
export type Withheld =
  { channel: Channel; because: 'unlinked'; unlinkedAtMs: number } | { channel: Channel; because: 'not agreed' }

export interface Plan {
  /** Exactly what is sent; null where no handle may be. */
  input: PublishInput | null
  /** Channels whose handle needs the operator's yes first. */
  newHandles: Channel[]
  withheld: Withheld[]
  /** Channels that are listed, that nobody took back, and that this publish would take out of the listing. */
  takesAway: Channel[]
  changes: Change[]
  /** The listing is known, and this publish would leave it as it is. */
  isUnchanged: boolean
}

/** What is known of the directory's side; a listing that is undefined is not known. */
export interface Known {
  listing: Pick<Listing, 'channels' | 'profile'> | null | undefined
  unlinked: Published['withheld']
}

/**
 * What a publish sends, and what it does to the listing, which it replaces whole. A handle is sent if the operator agreed
 * to that very handle, before or just now. One that was unlinked is sent all the same: it is withheld until it is allowed
 * again, and then returns. Only after the agreement ended with the unlink is it asked for anew, on that later day.
 */
export function planPublish(
  { profile, handles }: { profile: Profile; handles: Handles },
  { listing, unlinked }: Known,
  agreedNow: Partial<Record<Channel, string>>,
): Plan {
  const sent: Partial<Record<Channel, string>> = {}
  const newHandles: Channel[] = []
  const withheld: Withheld[] = []
  for (const channel of Channel.options) {
    const kept = handles[channel]
    if (kept === undefined) continue
    const unlink = unlinked.find((each) => each.channel === channel)
    const isNew = kept.agreedAtMs === null && unlink === undefined
    const isAgreed = kept.agreedAtMs !== null || (isNew && agreedNow[channel] === kept.handle)
    if (isNew) newHandles.push(channel)
    if (isAgreed) sent[channel] = kept.handle
    if (unlink !== undefined) withheld.push({ channel, because: 'unlinked', unlinkedAtMs: unlink.unlinkedAtMs })
    else if (!isAgreed) withheld.push({ channel, because: 'not agreed' })
  }
  const isUnlinked = (channel: Channel) => unlinked.some((each) => each.channel === channel)
  const shown = Channel.options.filter((channel) => sent[channel] !== undefined && !isUnlinked(channel))
  const after = shown.length === 0 ? null : { channels: pick(sent, shown), profile }
  const changes = changesBetween(listing ?? null, after)
  return {
    input: Object.keys(sent).length === 0 ? null : { channels: sent, profile },
    newHandles,
    withheld,
    takesAway: Channel.options.filter(
      (channel) => listing?.channels[channel] !== undefined && sent[channel] === undefined && !isUnlinked(channel),
    ),
    changes,
    isUnchanged: listing !== undefined && changes.length === 0,
  }
}

/** The body of the request, byte for byte. */
export function bytesOf(input: PublishInput): string {
  return JSON.stringify({ data: input })
}

function changesBetween(before: (Known['listing'] & object) | null, after: PublishInput | null): Change[] {
  const [old, next] = [fieldsOf(before), fieldsOf(after)]
  return [...new Set([...next.keys(), ...old.keys()])].flatMap((at): Change[] => {
    if (!old.has(at)) return [{ at, kind: 'added', after: next.get(at) }]
    if (!next.has(at)) return [{ at, kind: 'removed', before: old.get(at) }]
    const isSame = JSON.stringify(old.get(at)) === JSON.stringify(next.get(at))
    return isSame ? [] : [{ at, kind: 'changed', before: old.get(at), after: next.get(at) }]
  })
}

/** Every field by its dotted path. */
function fieldsOf(listing: PublishInput | null): Map<string, unknown> {
  if (listing === null) return new Map()
  const { channels, profile } = listing
  return new Map<string, unknown>([
    ...Channel.options.flatMap((channel): [string, unknown][] =>
      channels[channel] === undefined ? [] : [[`channels.${channel}`, channels[channel]]],
    ),
    ...Object.entries(profile).map(([name, value]): [string, unknown] => [`profile.${name}`, value]),
  ])
}

function pick<T>(of: Partial<Record<Channel, T>>, channels: readonly Channel[]): Partial<Record<Channel, T>> {
  return Object.fromEntries(channels.map((channel) => [channel, of[channel]]))
}
