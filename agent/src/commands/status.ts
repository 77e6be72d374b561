import { AgentId, Channel, Milliseconds, RoomName, rooms, type Profile } from '@koko/contract'
import * as z from 'zod'
import { UserError } from '../errors.ts'
import { channelNames, clockTime } from '../labels.ts'
import { defineCommand } from './define-command.ts'
import type { Context } from '../context.ts'
import {
  Agent,
  agentFile,
  Daemon,
  daemonFile,
  handlesFile,
  peersFile,
  profileFile,
  publishedFile,
  type Handles,
  type Peers,
  type Published,
} from '../home/files.ts'
import type { HomeFile } from '../home/home.ts'
import { columns, type Style } from '../output.ts'
import { budgetOn, noPeers, utcDay } from '../matching/peers.ts'
import { planPublish } from '../operations/publish-plan.ts'

/** Of today, UTC. */
const Used = z.strictObject({ used: z.int(), of: z.int() })

const ChannelState = z.enum(['published', 'taken back', 'waits for your yes', 'not published'])

/** How an agent stands, from what is kept at home alone. Holds neither a handle nor the secret. */
export const Standing = z.strictObject({
  agent: z.strictObject({ agentId: AgentId, room: RoomName, registeredAtMs: Milliseconds }),
  directory: Agent.pick({ origin: true, isEmulated: true }),
  isListed: z.boolean().nullable().describe('As the last publish from here left it; null where that is not known here'),
  channels: z
    .array(z.strictObject({ channel: Channel, state: ChannelState }))
    .describe('Those with a handle, here or listed'),
  onlineUntilMs: Milliseconds.nullable().describe('As far as is known here; null where nothing is listed'),
  isOnline: z.boolean(),
  hasProfile: z.boolean(),
  unpublished: z.array(z.string()).describe('What a publish would change, such as profile.age; no values'),
  daemon: z.strictObject({ pid: z.int().nullable(), failures: Daemon.shape.failures }),
  discoveredAtMs: Milliseconds.nullable().describe('When the daemon looked last'),
  peers: z.int().describe('Matches that are known'),
  budget: z.strictObject({ discover: Used, batchGet: Used }),
  problems: z.array(z.string()).describe('Files that cannot be read'),
})
export type Standing = z.infer<typeof Standing>

export const Status = z.union([Standing, z.strictObject({ agent: z.null(), problems: Standing.shape.problems })])
export type Status = z.infer<typeof Status>

export const command = defineCommand({
  options: z.strictObject({}),
  run: status,
  show,
  isBad: ({ problems }) => problems.length > 0,
})

/** Asks nobody, and writes nothing. */
export async function status({ home, nowMs }: Context): Promise<Status> {
  const problems: string[] = []

  async function read<T extends object>(file: HomeFile<T>): Promise<T | undefined> {
    try {
      return await home.read(file)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      problems.push(`${error.message} ${error.hint}`)
      return undefined
    }
  }

  const agent = await read(agentFile)
  if (agent === undefined) return { agent: null, problems }
  const { agentId, room, registeredAtMs, origin, isEmulated } = agent
  const [profile, handles, published, peers, daemon, pid] = await Promise.all([
    read(profileFile),
    read(handlesFile),
    read(publishedFile),
    read(peersFile),
    read(daemonFile),
    home.lockedBy('daemon').catch(() => undefined),
  ])
  const own = daemon?.agentId === agentId ? daemon : undefined
  const onlineUntilMs = onlineUntil(room, published, own)
  return {
    agent: { agentId, room, registeredAtMs },
    directory: { origin, isEmulated },
    isListed: published === undefined ? null : published.listing !== null,
    channels: channelStates(handles ?? {}, published),
    onlineUntilMs,
    isOnline: onlineUntilMs !== null && onlineUntilMs >= nowMs(),
    hasProfile: profile !== undefined,
    unpublished: profile === undefined ? [] : unpublished(profile.profile, handles ?? {}, published),
    daemon: { pid: pid ?? null, failures: own?.failures ?? [] },
    discoveredAtMs: own?.discoveredAtMs ?? null,
    peers: peers?.peers.length ?? 0,
    budget: budgetToday(agent, peers ?? noPeers, nowMs()),
    problems,
  }
}

/** The directory keeps the UTC day on which it heard of an agent; both of what it answered are from such a day. */
function onlineUntil(room: RoomName, published: Published | undefined, daemon: Daemon | undefined): number | null {
  if (published?.listing === null) return null
  const seenAtMs = published?.listing.presence.lastSeenAtMs
  const ends = [
    ...(seenAtMs === undefined ? [] : [seenAtMs + rooms[room].onlineWindowMs]),
    ...(typeof daemon?.onlineUntilMs === 'number' ? [daemon.onlineUntilMs] : []),
  ]
  return ends.length === 0 ? null : Math.max(...ends)
}

function channelStates(handles: Handles, published: Published | undefined): Standing['channels'] {
  return Channel.options.flatMap((channel): Standing['channels'] => {
    if (published?.listing?.channels[channel] !== undefined) return [{ channel, state: 'published' }]
    if (published?.withheld.some((unlinked) => unlinked.channel === channel) === true) {
      return [{ channel, state: 'taken back' }]
    }
    const kept = handles[channel]
    if (kept === undefined) return []
    return [{ channel, state: kept.agreedAtMs === null ? 'waits for your yes' : 'not published' }]
  })
}

/** What would change with every handle agreed to. */
function unpublished(profile: Profile, handles: Handles, published: Published | undefined): string[] {
  const all = Object.fromEntries(
    Channel.options.flatMap((channel) => {
      const kept = handles[channel]
      return kept === undefined ? [] : [[channel, kept.handle]]
    }),
  )
  const known = { listing: published?.listing, unlinked: published?.withheld ?? [] }
  return planPublish({ profile, handles }, known, all).changes.map(({ at }) => at)
}

function budgetToday({ room, registeredAtMs }: Agent, { budget }: Peers, nowMs: number): Standing['budget'] {
  const { discoverNewcomer, discover, batchGet, newcomerMs } = rooms[room].budgets
  const today = budgetOn(budget, utcDay(nowMs), false)
  const most = nowMs - registeredAtMs < newcomerMs ? discoverNewcomer : discover
  return {
    discover: { used: Math.min(today.discovered, most), of: most },
    batchGet: { used: Math.min(today.refreshed, batchGet), of: batchGet },
  }
}

function show(value: Status, style: Style): string {
  const problems = value.problems.map((problem) => `${style.bad('✗')} ${problem}`)
  if (value.agent === null) {
    const none = 'No agent lives here yet: run `koko init`, or `koko restore` with a recovery key.'
    return (problems.length === 0 ? [none] : problems).join('\n')
  }
  const { agent, directory, budget, daemon, discoveredAtMs, peers } = value
  const emulated = directory.isEmulated ? style.warn(' (runs under emulators: fictional numbers only)') : ''
  return [
    columns([
      ['agent', agent.agentId],
      ['directory', `${directory.origin}${emulated}`],
      ['listed', listedWords(value, style)],
      ...value.channels.map(({ channel, state }): [string, string] => [
        channelNames[channel],
        stateWords(state, style),
      ]),
      ['not published yet', unpublishedWords(value)],
      ['daemon', daemon.pid === null ? style.warn('does not run: `koko run`') : `runs as process ${daemon.pid}`],
      ...daemon.failures.map(({ action, atMs, message, next }): [string, string] => [
        '',
        `${style.bad('✗')} ${action}, ${clockTime(atMs)}: ${message} ${next}`,
      ]),
      ['last discovery', discoveredAtMs === null ? 'none by the daemon yet' : clockTime(discoveredAtMs)],
      ['matches known', String(peers)],
      [
        'used today',
        `${share(budget.discover)} listings discovered, ${share(budget.batchGet)} peers asked for again (UTC)`,
      ],
    ]),
    ...problems,
  ].join('\n')
}

function listedWords({ isListed, isOnline, onlineUntilMs }: Standing, style: Style): string {
  if (isListed === false) return style.warn('no')
  const until =
    onlineUntilMs === null
      ? ''
      : isOnline
        ? `, online until ${clockTime(onlineUntilMs)}`
        : style.bad(`, offline since ${clockTime(onlineUntilMs)}`)
  return isListed === null ? `not known here: \`koko publish\`${until}` : `${style.good('yes')}${until}`
}

function stateWords(state: z.infer<typeof ChannelState>, style: Style): string {
  switch (state) {
    case 'published':
      return style.good(state)
    case 'taken back':
      return `${state}; only \`koko settings\` allows it again`
    case 'waits for your yes':
    case 'not published':
      return `${state}: \`koko publish\``
  }
}

function unpublishedWords({ agent, hasProfile, unpublished, channels }: Standing): string {
  if (!hasProfile) return 'there is no profile: `koko profile edit`'
  if (channels.length === 0) return 'there is no handle: `koko link`'
  const fields = unpublished.filter((at) => at.startsWith('profile.'))
  const changed = channels.filter(({ channel }) => unpublished.includes(`channels.${channel}`))
  const isNew = fields.length === Object.keys(rooms[agent.room].fields).length
  const names = [...changed.map(({ channel }) => channelNames[channel]), ...(isNew ? ['the profile'] : fields)]
  return names.length === 0 ? 'nothing' : names.join(', ')
}

function share({ used, of }: z.infer<typeof Used>): string {
  return `${used.toLocaleString('en-US')} of ${of.toLocaleString('en-US')}`
}
