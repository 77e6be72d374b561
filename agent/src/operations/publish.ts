import {
  Channel,
  countryOfNumber,
  DirectoryError,
  publishInput,
  type Listing,
  type Profile,
  type RoomName,
} from '@koko/contract'
import type { Context } from '../context.ts'
import { pendingUnlinks, readPending, type PendingState } from '../directory/outbox.ts'
import { openDirectory } from '../directory/session.ts'
import { UserError } from '../errors.ts'
import { agentFile, handlesFile, outboxFile, publishedFile, type Handles, type Published } from '../home/files.ts'
import { listingWaitMs } from '../home/home.ts'
import { readIfWhole } from '../home/read-if-whole.ts'
import { channelNames, inWords } from '../labels.ts'
import { handleTexts, withoutAgreement } from './agreements.ts'
import { changeListing, readStored, unlinkedIn } from './listing.ts'
import { readProfile, roomOf } from './profile.ts'

/** What a publish would do, from what is kept at home alone. Holds handles. */
export interface PublishPreview extends Omit<Plan, 'input'> {
  /** The body of the request if every new handle is agreed to; null if nothing would be sent. */
  bytes: string | null
  /** When the home last learned what is listed. */
  asOfMs: number | null
  /** The country of the WhatsApp number that would be sent; null if none would be. */
  numberFrom: string | null
  isEmulated: boolean
}

export type Publication =
  | {
      state: 'published'
      publishedAtMs: number
      /** As it is stored; null if every channel is withheld. */
      listing: Listing | null
      withheld: Withheld[]
      changes: Change[]
      isEmulated: boolean
    }
  /** Nothing was sent: no handle was agreed to, or channels would have left the listing without an unlink. */
  | { state: 'not agreed' | 'would remove channels'; channels: Channel[] }

export interface PublishConsent {
  /** Agrees to handles that were never published, or not since an unlink; `plan` is what would be sent then. */
  agree: (newHandles: Channel[], plan: Plan) => Promise<boolean>
  /** Agrees that channels leave the listing without an unlink: their handle is not kept here, or not agreed to. */
  mayRemove?: (channels: Channel[]) => Promise<boolean>
}

/** Shows what `publish` would do. Sends nothing, and writes nothing. `only` leaves out the handles of other channels. */
export async function previewPublish({ home }: Context, only?: readonly Channel[]): Promise<PublishPreview> {
  const room = await roomOf(home)
  const kept = await readKept(home, room, only)
  const { agentId, isEmulated = false } = (await home.read(agentFile)) ?? {}
  const published = await readIfWhole(home, publishedFile)
  const pending = pendingUnlinks(await readIfWhole(home, outboxFile), published, agentId)
  const known = knownHere(published, pending)
  const { input, ...plan } = planPublish(kept, known, handleTexts(kept.handles))
  if (input !== null) assertPasses(room, input)
  const bytes = input === null ? null : bytesOf(input)
  const number = input?.channels.whatsapp
  return {
    bytes,
    ...plan,
    asOfMs: published?.publishedAtMs ?? null,
    numberFrom: number === undefined ? null : countryOfNumber(number),
    isEmulated,
  }
}

/**
 * Replaces the listing by the profile and the handles that are agreed to. An agreement counts once it is published. `only`
 * leaves out the handles of other channels, and ends their agreement: no later publish shows them without a new yes.
 */
export async function publish(
  context: Context,
  { agree, mayRemove = () => Promise.resolve(false) }: PublishConsent,
  only?: readonly Channel[],
): Promise<Publication> {
  const directory = await openDirectory(context)
  const { agentId, room } = directory.agent
  const asked = await readKept(context.home, room, only)
  context.report({ text: 'Reading your listing' })
  const stored = await readStored(directory)
  // Signing in has sent the unlinks that waited. A publish leaves out those that failed: that is no unlink, which stays.
  const readKnown = async () => ({
    listing: stored.listing,
    unlinked: unlinkedIn(stored),
    pending: [...(await readPending(context, agentId)).keys()],
  })
  const known = await readKnown()

  if (only !== undefined) assertSomeShown(only, known)

  // The operator is asked before the lock is taken, so that other processes need not wait for the answer.
  const { newHandles } = planPublish(asked, known, {})
  const offered = planPublish(asked, known, handleTexts(asked.handles))
  const isAgreed = newHandles.length > 0 && (await agree(newHandles, offered))
  const agreedNow = isAgreed ? handleTexts(asked.handles) : {}
  const { input, removes } = planPublish(asked, known, agreedNow)
  if (input === null) return { state: 'not agreed', channels: newHandles }
  if (removes.length > 0 && !(await mayRemove(removes))) return { state: 'would remove channels', channels: removes }

  return context.home.locked('listing', { ms: listingWaitMs, signal: context.signal }, async () => {
    const kept = await readKept(context.home, room, only)
    const plan = planPublish(kept, await readKnown(), agreedNow)
    if (plan.input === null) return { state: 'not agreed', channels: plan.newHandles }
    const others = plan.removes.filter((channel) => !removes.includes(channel))
    if (others.length > 0) return { state: 'would remove channels', channels: others }
    assertPasses(room, plan.input)
    await context.home.assertWritable()
    // Before the request: whatever its outcome, the daemon must not publish them again.
    if (only !== undefined) await withdrawAgreements(context.home, plan.withheld)
    context.report({ text: 'Publishing' })
    const { channels, profile } = plan.input
    const publishedAtMs = context.nowMs()
    const isSent = (channel: Channel) => channels[channel] !== undefined
    const answer = await changeListing(
      context,
      () => directory.client.call('publishProfile', { channels, profile }),
      async ({ published: listing, withheld }, _before, files) => {
        // An unregister does not wait for this lock, and the operator agreed for one agent only.
        if ((await files.read(agentFile))?.agentId !== directory.agent.agentId) return
        const unlinked = [...withheld, ...known.unlinked.filter(({ channel }) => !isSent(channel))]
        await files.write(publishedFile, { publishedAtMs, listing, withheld: unlinked })
        const handles = { ...(await files.read(handlesFile)) }
        for (const channel of Channel.options) {
          const kept = handles[channel]
          const isNew = kept?.agreedAtMs === null && agreedNow[channel] === kept.handle
          const isPublished = listing?.channels[channel] === kept?.handle
          if (isNew && isPublished) handles[channel] = { ...kept, agreedAtMs: publishedAtMs }
        }
        await files.write(handlesFile, handles)
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

async function readKept(home: Pick<Context['home'], 'read'>, room: RoomName, only?: readonly Channel[]) {
  const [kept, handles] = [await readProfile(home, room), (await home.read(handlesFile)) ?? {}]
  if (kept === undefined) throw new UserError('There is no profile yet.', 'Run `koko profile edit`.')
  if (Object.keys(handleTexts(handles)).length === 0) {
    throw new UserError('There is no handle yet, so peers could not reach you.', 'Run `koko link <channel>`.')
  }
  const missing = only?.find((channel) => handles[channel] === undefined)
  if (missing !== undefined) {
    throw new UserError(`No ${channelNames[missing]} handle is saved here.`, `Run \`koko link ${missing}\`.`)
  }
  return { profile: kept.profile, handles, only }
}

/** Publishing only channels that are unlinked would end the listing. */
function assertSomeShown(only: readonly Channel[], { unlinked }: Known): void {
  if (only.some((channel) => unlinked.every((each) => each.channel !== channel))) return
  throw new UserError(
    `Nothing was published: ${inWords(only)} ${only.length === 1 ? 'is' : 'are'} unlinked.`,
    'To allow that again, open the settings page with `koko settings`.',
  )
}

async function withdrawAgreements(home: Context['home'], withheld: readonly Withheld[]): Promise<void> {
  const left = withheld.flatMap(({ channel, because }) => (because === 'not chosen' ? [channel] : []))
  await home.change(async (files) => {
    const handles = await files.read(handlesFile)
    if (handles !== undefined) await files.write(handlesFile, withoutAgreement(handles, left))
  })
}

/** The rules for phone numbers change, so a handle that passed once can fail now. */
function assertPasses(room: RoomName, input: PublishInput): void {
  const issue = publishInput(room).safeParse(input).error?.issues[0]
  if (issue === undefined) return
  const at = issue.path.map(String)
  throw new UserError(
    `What is saved here cannot be published: ${at.join('.')} ${issue.message}.`,
    at[0] === 'channels' ? `Run \`koko link ${at[1] ?? '<channel>'}\`.` : 'Run `koko profile edit`.',
  )
}

function refusedHandle(error: unknown): UserError | undefined {
  if (!(error instanceof DirectoryError) || error.code !== 'invalid-argument') return undefined
  const issues = Array.isArray(error.details) ? error.details : []
  const refused = Channel.options.filter((channel) => issues.some(({ path }) => path === `channels.${channel}`))
  const [channel] = refused
  if (channel === undefined) return undefined
  return new UserError(
    `The directory refuses your ${inWords(refused)} handle: its host has taken the handle down, or requires another form.`,
    `Nothing was published. Leave it out with \`koko unlink ${channel}\`, or replace it with \`koko link ${channel}\`.`,
    { cause: error },
  )
}

type PublishInput = Pick<Listing, 'channels' | 'profile'>

/** A field of the listing that a publish changes, such as `channels.telegram` or `profile.age`. */
export interface Change {
  at: string
  kind: 'added' | 'removed' | 'changed'
  before?: unknown
  after?: unknown
}

/** A handle that is kept here and not sent or not shown to peers. */
export type Withheld =
  | { channel: Channel; because: 'unlinked'; unlinkedAtMs: number }
  /** Left out because its unlink waits in the outbox. */
  | { channel: Channel; because: 'unlink pending' }
  /** `not chosen`: this publish is for other channels only. */
  | { channel: Channel; because: 'not agreed' | 'not chosen' }

export interface Plan {
  /** Exactly what is sent; null where no handle may be. */
  input: PublishInput | null
  /** Channels whose handle needs the operator's yes first. */
  newHandles: Channel[]
  withheld: Withheld[]
  /** Listed channels that this publish would remove from the listing without an unlink. */
  removes: Channel[]
  changes: Change[]
  /** The listing is known, and this publish would leave it as it is. */
  isUnchanged: boolean
}

/** What is known of the directory's side; an undefined listing is unknown. */
export interface Known {
  listing: PublishInput | null | undefined
  unlinked: Published['withheld']
  /** Channels whose unlink the directory has not acknowledged. */
  pending?: readonly Channel[]
}

/** The same, by the files of a home. */
export function knownHere(
  published: Published | undefined,
  pending: ReadonlyMap<Channel, PendingState>,
): Required<Known> {
  return { listing: published?.listing, unlinked: published?.withheld ?? [], pending: [...pending.keys()] }
}

/**
 * A publish replaces the whole listing. It sends the handles that the operator agreed to, also unlinked ones: the
 * directory withholds these until the operator allows them. A channel whose unlink is pending is left out. If an unlink
 * ended the agreement, the operator is asked again once the channel is allowed.
 */
export function planPublish(
  { profile, handles, only }: { profile: Profile; handles: Handles; only?: readonly Channel[] | undefined },
  { listing, unlinked, pending = [] }: Known,
  agreedNow: Partial<Record<Channel, string | undefined>>,
): Plan {
  const sent: Partial<Record<Channel, string>> = {}
  const newHandles: Channel[] = []
  const withheld: Withheld[] = []
  for (const channel of Channel.options) {
    const kept = handles[channel]
    if (kept === undefined) continue
    const unlink = unlinked.find((each) => each.channel === channel)
    if (only?.includes(channel) === false) {
      withheld.push({ channel, because: 'not chosen' })
      continue
    }
    const isPending = pending.includes(channel)
    const isNew = kept.agreedAtMs === null && unlink === undefined && !isPending
    const isAgreed = !isPending && (kept.agreedAtMs !== null || (isNew && agreedNow[channel] === kept.handle))
    if (isNew) newHandles.push(channel)
    if (isAgreed) sent[channel] = kept.handle
    if (unlink !== undefined) withheld.push({ channel, because: 'unlinked', unlinkedAtMs: unlink.unlinkedAtMs })
    else if (isPending) withheld.push({ channel, because: 'unlink pending' })
    else if (!isAgreed) withheld.push({ channel, because: 'not agreed' })
  }
  const allowed = Channel.options.filter((channel) => !unlinked.some((each) => each.channel === channel))
  const shown = allowed.filter((channel) => sent[channel] !== undefined)
  const channels = Object.fromEntries(shown.map((channel) => [channel, sent[channel]]))
  const changes = changesBetween(listing ?? null, shown.length === 0 ? null : { channels, profile })
  return {
    input: Object.keys(sent).length === 0 ? null : { channels: sent, profile },
    newHandles,
    withheld,
    removes: allowed.filter(
      (each) =>
        listing?.channels[each] !== undefined &&
        sent[each] === undefined &&
        only?.includes(each) !== false &&
        !pending.includes(each),
    ),
    changes,
    isUnchanged: listing !== undefined && changes.length === 0,
  }
}

/** The body of the request, byte for byte. */
export function bytesOf(input: PublishInput): string {
  return JSON.stringify({ data: input })
}

function changesBetween(before: PublishInput | null, after: PublishInput | null): Change[] {
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
  const shown = Channel.options.filter((channel) => channels[channel] !== undefined)
  return new Map<string, unknown>([
    ...shown.map((channel) => [`channels.${channel}`, channels[channel]] as const),
    ...Object.entries(profile).map(([name, value]) => [`profile.${name}`, value] as const),
  ])
}
