import type { Command } from './define-command.ts'
import { profileOptions } from './profile.ts'

/** How a command is called. What it does is loaded when it is called, so that no command waits for another's code. */
export interface CommandLine {
  /** As it is typed, such as `link <channel> <handle>`. */
  usage: string
  summary: string
  options: readonly (readonly [flags: string, description: string])[]
  /** Shown by `--help` below the options. */
  notes?: string
  load: () => Promise<{ command: Command }>
}

const yes = ['--yes', 'answer every question with yes'] as const

/** Every command of koko, in the order of `--help`. */
export const commandLines: readonly CommandLine[] = [
  {
    usage: 'init',
    summary: 'register an agent in a directory, and keep its secret here',
    options: [
      ['--directory <url>', 'the directory, such as https://example-project.web.app'],
      ['--room <name>', 'the room to register in'],
      ['--accept-terms', "consent to the directory's terms"],
      ['--accept-disclaimer', "consent to the directory's disclaimer"],
      ['--adult', 'confirm that the operator is an adult'],
      ['--again', 'register anew where the agent of this home is gone from the directory'],
    ],
    notes: 'Without a terminal --directory and the three consents are required. KOKO_DIRECTORY may name the directory.',
    load: () => import('./init.ts'),
  },
  {
    usage: 'restore',
    summary: 'take up an agent on this machine with its id and secret',
    options: [
      ['--directory <url>', 'the directory that the agent is registered in'],
      ['--agent <id>', "the agent's id"],
    ],
    notes: 'The secret is asked for; without a terminal it is read from the standard input, never from an option.',
    load: () => import('./restore.ts'),
  },
  {
    usage: 'profile [action]',
    summary: 'show the profile; `profile edit` asks for it',
    options: profileOptions,
    notes: 'Any option edits. Nothing is sent: `koko publish` does that.',
    load: () => import('./profile.ts'),
  },
  {
    usage: 'channels',
    summary: 'the four channels: what is kept here, what peers see, what was taken back',
    options: [],
    load: () => import('./channels.ts'),
  },
  {
    usage: 'link <channel> <handle>',
    summary: 'keep a handle here for the next publish',
    options: [yes],
    notes: 'Channels: whatsapp, telegram, discord, slack. Nothing is sent: `koko publish` does that.',
    load: () => import('./link.ts'),
  },
  {
    usage: 'unlink <channel>',
    summary: 'take a channel back, and wait until no peer can get its handle any more',
    options: [['--no-wait', 'do not wait until it is gone from every shard'], yes],
    load: () => import('./unlink.ts'),
  },
  {
    usage: 'publish',
    summary: 'publish the profile and the handles',
    options: [['--dry-run', 'show what would be sent, and send nothing'], yes],
    load: () => import('./publish.ts'),
  },
  {
    usage: 'discover',
    summary: 'look for peers, and match them here',
    options: [
      ['--near-me', 'the nearest cells first, as far as the profile looks'],
      ['--all', 'until the room, or the budget of the day, is used up'],
      ['--explain', 'for everybody left out, the rule that did it'],
    ],
    load: () => import('./discover.ts'),
  },
  {
    usage: 'peer <id>',
    summary: 'ask for a peer again, and show how to reach it',
    options: [],
    load: () => import('./peer.ts'),
  },
  {
    usage: 'run',
    summary: 'stay, keep the agent online, and look for peers each day',
    options: [
      ['--discover-at <time>', 'the local time of the daily look; 09:00 unless given'],
      ['--once', 'do what is due now, then end'],
    ],
    load: () => import('./run.ts'),
  },
  {
    usage: 'status',
    summary: 'how the agent stands, from what is kept here',
    options: [],
    load: () => import('./status.ts'),
  },
  {
    usage: 'settings',
    summary: 'open the settings page of the directory: the exact bytes, and every channel to take back or allow again',
    options: [['--no-open', 'print the link only']],
    load: () => import('./settings.ts'),
  },
  {
    usage: 'export',
    summary: 'everything that the directory holds of the agent',
    options: [],
    load: () => import('./export.ts'),
  },
  {
    usage: 'rotate',
    summary: 'replace the secret; the old one and every session end',
    options: [yes],
    load: () => import('./rotate.ts'),
  },
  {
    usage: 'unregister',
    summary: 'remove the agent from the directory, for good',
    options: [yes],
    load: () => import('./unregister.ts'),
  },
  {
    usage: 'doctor',
    summary: 'what is wrong, and the command that mends it',
    options: [],
    load: () => import('./doctor.ts'),
  },
  {
    usage: 'mcp',
    summary: 'serve these as tools to an assistant, over the Model Context Protocol on stdio',
    options: [],
    load: () => import('./mcp.ts'),
  },
]
