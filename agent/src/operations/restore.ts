import {
  AgentId,
  Badge,
  badgePath,
  Channel,
  DirectoryError,
  formatDuration,
  readAnswer,
  retentionMs,
} from '@koko/contract'
import { isDeepStrictEqual } from 'node:util'
import type { Context } from '../context.ts'
import { chooseOrigin, configAt } from '../directory/origin.ts'
import { readPending } from '../directory/outbox.ts'
import { codeOf, directoryOf } from '../directory/session.ts'
import { UserError } from '../errors.ts'
import {
  Agent,
  agentFile,
  handlesFile,
  profileFile,
  publishedFile,
  type Handles,
  type Profile,
  type Published,
} from '../home/files.ts'
import { DamagedFile, listingWaitMs, type Files, type HomeFile } from '../home/home.ts'
import { isThere, readIfWhole } from '../home/read-if-whole.ts'
import { inWords } from '../labels.ts'
import { counted } from '../output.ts'
import { untilAborted } from '../until-aborted.ts'
import { withoutAgreement } from './agreements.ts'
import { confirm } from './confirm.ts'
import { forgetAgent } from './keep-agent.ts'
import { storedIn, unlinkedIn } from './listing.ts'
import { noDealbreakers } from './profile.ts'

export interface Restored extends Pick<Agent, 'origin' | 'isEmulated' | 'room' | 'agentId' | 'registeredAtMs'> {
  /** Null if this version of koko cannot read what is listed. */
  isListed: boolean | null
  keptIn: string
  /** The files that were written. */
  written: string[]
  /** The names under which former files are kept: a damaged agent.json can hold the only copy of a secret. */
  setAside: string[]
}

/** Moves an agent to this home with its secret, which is checked before anything is written. */
export async function restore(
  context: Context,
  options: { directory?: string | undefined; agent?: AgentId | undefined },
): Promise<Restored> {
  const { home } = context
  const former = await readUnlessDamaged(home)
  const isSame = options.agent === undefined || options.agent === former?.agentId
  // The secret of another agent must not go to this agent's directory.
  const origin = await chooseOrigin(context, options.directory, isSame ? former?.origin : undefined)
  const config = await configAt(context, origin)
  const agentId = await chooseAgentId(context, options.agent, former?.agentId)
  if (former !== undefined && former.agentId !== agentId) await assertMayReplace(context, former)
  await home.assertWritable()

  const credential = { origin, projectId: config.projectId, agentId, secret: await readSecret(context) }
  context.report({ text: 'Signing in' })
  const { documents } = await directoryOf(context, credential)
    .client.call('exportAgent', {})
    .catch((cause: unknown) => {
      if (codeOf(cause) !== 'unauthenticated') throw cause
      throw new UserError(
        'The directory has no agent with this id and secret. Nothing was changed here.',
        `Check both, and the directory. If the agent was offline for ${formatDuration(retentionMs)}, the directory has removed it: run \`koko init\`.`,
        { cause },
      )
    })
  const plan = planRestoration(agentId, documents)
  const { category: room, registeredAtMs } = plan.badge
  const isEmulated = config.emulators !== undefined
  const termsVersion = former?.agentId === agentId ? former.termsVersion : null
  const summary = { origin, isEmulated, room, agentId, registeredAtMs }
  return home.locked('listing', { ms: listingWaitMs, signal: context.signal }, async () => {
    const outcome = await home.change(async (files) => {
      const current = await readUnlessDamaged(files)
      if (current !== undefined && current.agentId !== agentId) {
        if (current.agentId !== former?.agentId) {
          throw new UserError('Another agent was set up here in the meantime.', 'Run the command again.')
        }
        await forgetAgent(files)
      }
      return write(files, { ...credential, ...summary, termsVersion }, plan)
    })
    const isListed = plan.listed === undefined ? null : plan.listed !== null
    return { ...summary, isListed, keptIn: home.path, ...outcome }
  })
}

/** Writes the agent, and what the home lacks of its listing; the credential last, because it makes the home complete. */
async function write(
  files: Files,
  agent: Agent,
  { listed }: Restoration,
): Promise<Pick<Restored, 'written' | 'setAside'>> {
  const written: string[] = []
  const setAside: string[] = []
  async function fill<T extends object>(file: HomeFile<T>, value: T) {
    if (await isThere(files, file)) return
    await files.write(file, value)
    written.push(file.name)
  }
  const handles = await readIfWhole(files, handlesFile)
  if (handles !== undefined) {
    // Other agreements may be older than a change from another home, and would publish an old handle again.
    const others = Channel.options.filter((channel) => handles[channel]?.handle !== listed?.handles[channel]?.handle)
    const current = withoutAgreement(handles, others)
    if (!isDeepStrictEqual(current, handles)) {
      await files.write(handlesFile, current)
      written.push(handlesFile.name)
    }
  }
  if (listed !== null && listed !== undefined) {
    const own: { room: string } | undefined = await readIfWhole(files, profileFile)
    if (own !== undefined && own.room !== agent.room) setAside.push(await files.setAside(profileFile, own.room))
    await fill(profileFile, listed.profile)
    await fill(handlesFile, listed.handles)
    await files.write(publishedFile, listed.published)
    written.push(publishedFile.name)
  } else {
    // What this home remembers as listed is out of date.
    await files.remove(publishedFile)
  }
  const isDamaged = (await readUnlessDamaged(files)) === undefined && (await isThere(files, agentFile))
  if (isDamaged) setAside.push(await files.setAside(agentFile, 'damaged'))
  await files.write(agentFile, agent)
  return { written: [...written, agentFile.name], setAside }
}

/** Undefined for a damaged file too: a restore replaces it. One of a newer koko is an error. */
async function readUnlessDamaged({ read }: Pick<Files, 'read'>): Promise<Agent | undefined> {
  return read(agentFile).catch((error: unknown) => {
    if (error instanceof DamagedFile) return undefined
    throw error
  })
}

async function chooseAgentId({ ask }: Context, option?: AgentId, initial?: AgentId): Promise<AgentId> {
  if (option !== undefined) return option
  if (ask === undefined) {
    if (initial !== undefined) return initial
    throw new UserError('No agent was given.', 'Give --agent <id>.')
  }
  return ask.text({
    message: 'What is the id of the agent?',
    ...(initial === undefined ? {} : { initial }),
    validate: (answer) =>
      AgentId.safeParse(answer).success ? undefined : 'It must be a UUID, as `koko init` showed it.',
  })
}

async function assertMayReplace(context: Context, former: Agent): Promise<void> {
  const what = `Agent ${former.agentId} of ${former.origin} is already in ${context.home.path}.`
  if (context.ask === undefined) {
    throw new UserError(what, 'Set KOKO_HOME to another folder, or run this in a terminal to replace it.', {
      code: 'confirmation-required',
    })
  }
  const risk = 'Without its secret you lose control of it, and what it published stays published.'
  const pending = [...(await readPending(context, former.agentId)).keys()]
  await confirm(context, { yes: false, message: `${what} Replace it? ${risk}${lossWords(pending)}` })
}

function lossWords(pending: readonly Channel[]): string {
  if (pending.length === 0) return ''
  const unlinks = `${counted(pending.length, 'unlink', 'unlinks')} (${inWords(pending)})`
  const them = pending.length === 1 ? 'it' : 'them'
  return ` The directory has not acknowledged ${unlinks}, and koko will no longer send ${them}.`
}

async function readSecret({ ask, readInput, report, signal }: Context): Promise<string> {
  const { secret } = Agent.shape
  const problemOf = (answer: string) => secret.safeParse(answer.trim()).error?.issues[0]?.message
  if (ask !== undefined) {
    const validate = (answer: string) => {
      const problem = problemOf(answer)
      return problem === undefined ? undefined : `It ${problem}.`
    }
    return (await ask.secret({ message: 'What is its secret?', validate })).trim()
  }
  report({ text: 'Reading the secret from standard input' })
  // A pipe may never end, so Ctrl-C must still work.
  const read = (await untilAborted(signal, readInput())).trim()
  const problem = problemOf(read)
  if (problem === undefined) return read
  throw new UserError(`The secret ${problem}.`, 'Pass it on standard input: `koko restore … < secret-file`.')
}

interface Restoration {
  badge: Badge
  /** Null if nothing is listed; undefined if this version of koko cannot read the listing. */
  listed: { profile: Profile; handles: Handles; published: Published } | null | undefined
}

/** What a home can restore from an export. The operator agreed to what is listed when it was published. */
function planRestoration(agentId: AgentId, documents: Readonly<Record<string, unknown>>): Restoration {
  const badge = readAnswer(Badge, documents[badgePath(agentId)])
  if (badge.data?.agentId !== agentId) {
    throw new DirectoryError('internal', 'The directory sent an export without a badge.', { cause: badge.error })
  }
  const room = badge.data.category
  const stored = storedIn(documents, { agentId, room })
  const { listing } = stored
  if (listing === null || listing === undefined) return { badge: badge.data, listed: listing }
  const { publishedAtMs } = listing.presence
  const handles: Handles = {}
  for (const channel of Channel.options) {
    const handle = listing.channels[channel]
    if (handle !== undefined) handles[channel] = { handle, agreedAtMs: publishedAtMs }
  }
  const profile = { room: listing.category, profile: listing.profile, dealbreakers: noDealbreakers(listing.category) }
  const published = { publishedAtMs, listing, withheld: unlinkedIn(stored) }
  return { badge: badge.data, listed: { profile, handles, published } }
}
