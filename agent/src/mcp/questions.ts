import { Channel, rooms, type RoomName } from '@koko/contract'
import { channelNames, handleWords, inWords, reveals } from '../labels.ts'
import type { Agent } from '../home/files.ts'
import { Values } from '../operations/profile.ts'
import { fieldWords, profileWords } from '../operations/profile-words.ts'
import type { Change, Plan } from '../operations/publish.ts'
import type { Question } from './confirmation.ts'

/** Shows all that a publish would let others see: the channels, the profile in words, and what differs from the listing. */
export function publishQuestion(room: RoomName, newHandles: readonly Channel[], plan: Plan): Question {
  return {
    message: [
      'Your assistant wants to publish this. Every agent of the room that discovers yours will see it.',
      '',
      ...channelLines(newHandles, plan),
      '',
      ...profileLines(room, plan),
      '',
      'You can stop sharing a channel at any time. A peer that has already read its handle may keep it.',
    ].join('\n'),
    label: `Publish ${inWords(newHandles)} and your profile?`,
  }
}

function channelLines(newHandles: readonly Channel[], { input, withheld, changes }: Plan): string[] {
  const changeOf = new Map(changes.map((change) => [change.at, change]))
  return Channel.options.flatMap((channel) => {
    const name = channelNames[channel]
    const change = changeOf.get(`channels.${channel}`)
    if (change?.kind === 'removed') return [`${name}: leaves your listing.`]
    const handle = input?.channels[channel]
    const isUnlinked = withheld.some((each) => each.channel === channel && each.because === 'unlinked')
    if (handle === undefined || isUnlinked) return []
    const line = `${name}: ${handleWords(channel, handle)}. ${noveltyWords(channel, change)}`
    return [newHandles.includes(channel) ? `${line} ${reveals[channel]}` : line]
  })
}

function noveltyWords(channel: Channel, change: Change | undefined): string {
  if (change === undefined) return 'As it is published now.'
  return change.kind === 'added' ? 'New.' : `Replaces ${handleWords(channel, String(change.before))}.`
}

function profileLines(room: RoomName, { input, changes }: Plan): string[] {
  const ofProfile = changes.filter(({ at }) => at.startsWith('profile.'))
  const isNew = ofProfile.some(({ kind }) => kind === 'added')
  const formerly = Values.parse(
    Object.fromEntries(
      ofProfile.flatMap(({ at, kind, before }) => (kind === 'changed' ? [[at.slice('profile.'.length), before]] : [])),
    ),
  )
  const lines = profileWords(room, input?.profile ?? {}).map(({ name, label, words }) => {
    const [field, before] = [rooms[room].fields[name], formerly[name]]
    const now = field === undefined || before === undefined ? '' : ` (published now: ${fieldWords(field, before)})`
    return `${label}: ${words}${now}`
  })
  const state = isNew ? 'all of it new' : ofProfile.length > 0 ? 'with changes' : 'as it is published now'
  return [`Your profile, ${state}:`, ...lines]
}

export function unregisterQuestion({ agentId, origin }: Pick<Agent, 'agentId' | 'origin'>): Question {
  return {
    message: [
      `Your assistant wants to remove your agent ${agentId} from ${origin} permanently, with its listing and its unlinks. Its secret is deleted from this machine.`,
      'If its secret was replaced elsewhere, the agent stays in the directory, and only what is saved of it on this machine is deleted.',
    ].join('\n'),
    label: 'Remove the agent?',
  }
}
