import {
  Channel,
  DirectoryError,
  publishInput,
  type Channels,
  type Listing,
  type Profile,
  type RoomName,
} from '@koko/contract'
import type { Context } from '../context.ts'
import { openDirectory } from '../directory/session.ts'
import { UserError } from '../errors.ts'
import { agentFile, handlesFile, publishedFile, type Handles, type Published } from '../home/files.ts'
import { listingWaitMs } from '../home/home.ts'
import { readIfWhole } from '../home/read-if-whole.ts'
import { inWords } from '../labels.ts'
import { handleTexts } from './agreements.ts'
import { changeListing, readStored, unlinkedIn } from './listing.ts'
import { readProfile, roomOf } from './profile.ts'

/** What a publish would do, from what is kept at home alone. Holds handles. */
export interface PublishPreview extends Omit<Plan, 'input'> {
  /** The body of the request if every new handle is agreed to; null where nothing would be sent. */
  bytes: string | null
  /** When the home last learned what is listed; null where it does not know. */
  asOfMs: number | null
  isEmulated: boolean
}

export type Publication =
  | {
      state: 'published'
      publishedAtMs: number
      /** As it is stored; null where every channel is withheld. */
      listing: Listing | null
      withheld: Withheld[]
      changes: Change[]
      isEmulated: boolean
    }
  /** Nothing was sent: no handle was agreed to, or channels would have left the listing without an unlink. */
  | { state: 'not agreed' | 'would take away'; channels: Channel[] }

/** How the operator agrees. */
export interface PublishConsent {
  /** Agrees to handles that were never published, or not since an unlink. `plan` is what would then be sent. */
  agree: (newHandles: Channel[], plan: Plan) => Promise<boolean>
  /** Agrees that channels leave the listing without an unlink: their handle is not kept here, or not agreed to. */
  takeAway?: (channels: Channel[]) => Promise<boolean>
}

/** Shows what `publish` would do. Sends nothing, and writes nothing. */
export async function previewPublish({ home }: Context): Promise<PublishPreview> {
  const room = await roomOf(home)
  const kept = await readKept(home, room)
  const agent = await home.read(agentFile)
  const published = await readIfWhole(home, publishedFile)
  const known = { listing: published?.listing, unlinked: published?.withheld ?? [] }
  const { input, ...plan } = planPublish(kept, known, handleTexts(kept.handles))
  if (input !== null) assertPasses(room, input)
  return {
    bytes: input === null ? null : bytesOf(input),
    ...plan,
    asOfMs: published?.publishedAtMs ?? null,
    isEmulated: agent?.isEmulated ?? false,
  }
}

/** Replaces the listing by the profile and the handles that are agreed to. An agreement counts once it is published. */
export async function publish(
  context: Context,
  { agree, takeAway = () => Promise.resolve(false) }: PublishConsent,
): Promise<Publication> {
  const directory = await openDirectory(context)
  const { room } = directory.agent
  const asked = await readKept(context.home, room)
  context.report({ text: 'Asking what is listed' })
  const stored = await readStored(directory)
  const known = { listing: stored.listing, unlinked: unlinkedIn(stored) }

  // Asking comes before the lock: nobody should wait for it while a human thinks.
  const { newHandles } = planPublish(asked, known, {})
  const offered = planPublish(asked, known, handleTexts(asked.handles))
  const isAgreed = newHandles.length > 0 && (await agree(newHandles, offered))
  const agreedNow = isAgreed ? handleTexts(asked.handles) : {}
  const { input, takesAway } = planPublish(asked, known, agreedNow)
  if (input === null) return { state: 'not agreed', channels: newHandles }
  if (takesAway.length > 0 && !(await takeAway(takesAway))) return { state: 'would take away', channels: takesAway }

  return context.home.locked('listing', listingWaitMs, async () => {
    const kept = await readKept(context.home, room)
    const plan = planPublish(kept, known, agreedNow)
    if (plan.input === null) return { state: 'not agreed', channels: plan.newHandles }
    const others = plan.takesAway.filter((channel) => !takesAway.includes(channel))
    if (others.length > 0) return { state: 'would take away', channels: others }
    assertPasses(room, plan.input)
    await context.home.assertWritable()
    context.report({ text: 'Publishing' })
    const { channels, profile } = plan.input
    const publishedAtMs = context.nowMs()
    const isSent = (channel: Channel) => channels[channel] !== undefined
    const answer = await changeListing(
      context,
      () => directory.client.call('publishProfile', { channels, profile }),
      async ({ published: listing, withheld }, _before, files) => {
        // An unregister does not wait for this lock. The operator agreed for that agent only.
        const agent = await files.read(agentFile)
        if (agent?.agentId !== directory.agent.agentId) return
        const unlinked = [...withheld, ...known.unlinked.filter(({ channel }) => !isSent(channel))]
        await files.write(publishedFile, { publishedAtMs, listing, withheld: unlinked })
        const handles = (await files.read(handlesFile)) ?? {}
        await files.write(handlesFile, agreed(handles, agreedNow, listing?.channels ?? {}, publishedAtMs))
      },
    ).catch((error: unknown) => {
      throw refusedHandle(error) ?? error
    })
    return {
      state: 'published',
      publishedAtMs,
      listing: answer.published,
      withheld: [
        ...answer.withheld.map((each) => ({ ...each, because: 'unlinked' as const })),
        ...plan.withheld.filter(({ channel }) => !isSent(channel)),
      ],
      changes: plan.changes,
      isEmulated: directory.agent.isEmulated,
    }
  })
}

async function readKept(home: Pick<Context['home'], 'read'>, room: RoomName) {
  const [kept, handles] = [await readProfile(home, room), (await home.read(handlesFile)) ?? {}]
  if (kept === undefined) throw new UserError('There is no profile yet.', 'Run `koko profile edit`.')
  if (Object.keys(handleTexts(handles)).length === 0) {
    throw new UserError('There is no handle yet, and peers could not reach you.', 'Run `koko link <channel> <handle>`.')
  }
  return { profile: kept.profile, handles }
}

/** The handles, with the agreement to those that were agreed to just now, are published and are still the ones kept. */
function agreed(
  handles: Handles,
  agreedNow: Partial<Record<Channel, string>>,
  published: Partial<Record<Channel, string | undefined>>,
  nowMs: number,
): Handles {
  const next: Handles = { ...handles }
  for (const channel of Channel.options) {
    const kept = handles[channel]
    const isNew = kept?.agreedAtMs === null && agreedNow[channel] === kept.handle
    if (isNew && published[channel] === kept.handle) next[channel] = { ...kept, agreedAtMs: nowMs }
  }
  return next
}

/** The rules for phone numbers change, so a handle that passed once can fail now. */
function assertPasses(room: RoomName, input: PublishInput): void {
  const result = publishInput(room).safeParse(input)
  if (result.success) return
  const [issue] = result.error.issues
  const at = issue?.path.map(String) ?? []
  const next = at[0] === 'channels' ? `Run \`koko link ${at[1] ?? '<channel>'} <handle>\`.` : 'Run `koko profile edit`.'
  throw new UserError(
    `What is kept here cannot be published: ${at.join('.')} ${issue?.message ?? 'is not valid'}.`,
    next,
  )
}

function refusedHandle(error: unknown): UserError | undefined {
  if (!(error instanceof DirectoryError) || error.code !== 'invalid-argument') return undefined
  const refused = Channel.options.filter((channel) => {
    return Array.isArray(error.details) && error.details.some(({ path }) => path === `channels.${channel}`)
  })
  const [channel] = refused
  if (channel === undefined) return undefined
  return new UserError(
    `The directory refuses the handle of ${inWords(refused)}: its host has taken it down, or asks for another form.`,
    `Nothing was published. \`koko unlink ${channel}\` leaves it out, \`koko link ${channel} <handle>\` takes another.`,
    { cause: error },
  )
}

/** What `publishProfile` takes. */
interface PublishInput {
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
  /** Listed channels that this publish would remove from the listing without an unlink. */
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
 * again, and then returns. If the unlink ended the agreement, the operator is asked again once the channel is allowed.
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
