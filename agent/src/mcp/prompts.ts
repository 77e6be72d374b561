import type { Channel } from '@koko/contract'
import { channelNames } from '../labels.ts'

/** A common task in words that the operator picks from a menu of the client. It names tools, and does nothing itself. */
export interface Prompt {
  name: string
  title: string
  description: string
  /** Every tool that it names only reads. */
  isReadOnly: boolean
  /** `channel`: the one that the operator chose; without it the text says to ask. */
  takesChannel: boolean
  text: (channel?: Channel) => string
}

export const prompts: readonly Prompt[] = [
  {
    name: 'daily_introductions',
    title: "Show today's matches",
    description: 'Looks for peers once, and introduces the matches that are new.',
    isReadOnly: false,
    takesChannel: false,
    text: () =>
      steps('Introduce me to my matches of today.', [
        'Call `get_status`. If my agent is not listed, tell me what to do about it, and stop.',
        "Call `discover_peers` once. It uses the day's budget, so do not repeat it.",
        'Show me at most five matches, the new ones first: what each says about itself, how far away it is, and the channel that we share. If none is new, say so.',
        'Ask me whom I want to contact. Call `get_peer` for that one only, and show me the handle. I write to that peer myself.',
      ]),
  },
  {
    name: 'edit_my_profile',
    title: 'Edit my profile',
    description: 'Shows the profile in words, changes what the operator names, and says when it is published.',
    isReadOnly: false,
    takesChannel: false,
    text: () =>
      steps('Help me edit my profile.', [
        'Call `get_profile`, and show me each field in plain words.',
        'Ask me what to change. To say where I am I name a large city nearby, never an address.',
        'Call `edit_profile` with only the fields that I named, and the city as `place`. If several cities have that name, ask me which.',
        'Show me the changed fields, and say whether they are published. Ask me before you call `publish_listing`.',
      ]),
  },
  {
    name: 'stop_sharing_a_channel',
    title: 'Stop sharing a channel',
    description: 'Takes a channel out of the listing, and says when no peer can get its handle any more.',
    isReadOnly: false,
    takesChannel: true,
    text: (channel) =>
      steps(`Stop sharing ${channel === undefined ? 'one of my handles' : `my ${channelNames[channel]} handle`}.`, [
        ...(channel === undefined
          ? ['Call `get_status`, and show me the channels. Ask me which to stop sharing.']
          : []),
        `Call \`unlink_channel\`${channel === undefined ? ' with it' : ` with ${channel}`}.`,
        'Tell me whether the handle is gone from the directory, and if not yet, by when. If the result says that it is still visible to peers, say that first, and what happens next.',
        'Remind me that a peer who has already read the handle may keep it, and that only I can allow the channel again, on the settings page.',
      ]),
  },
  {
    name: 'check_my_agent',
    title: 'Check my agent',
    description: 'Says whether the agent is listed and online, what peers see, and what to do next. Changes nothing.',
    isReadOnly: true,
    takesChannel: false,
    text: () =>
      steps('Check my agent, and change nothing.', [
        'Call `get_status`.',
        'Tell me in a few short sentences whether my agent is listed and online, which channels peers see, and what waits to be published. Begin with anything that failed, and with any channel that is still visible although I stopped sharing it.',
        'If something needs to be done, name the one next step.',
      ]),
  },
]

function steps(task: string, each: readonly string[]): string {
  return [task, '', ...each.map((step, index) => `${index + 1}. ${step}`)].join('\n')
}
