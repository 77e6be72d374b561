import * as z from 'zod'
import type { Context } from '../context.ts'
import type { Daemon } from '../home/files.ts'
import { counted } from '../output.ts'
import { defineCommand, flag, option, type Command } from './define-command.ts'

/** The daemon, which the composition root passes in: faces do not import each other. */
export type RunDaemon = (
  context: Context,
  options: { discoverAtMinutes: number; once: boolean },
) => Promise<{
  isStopped: boolean
  heartbeats: number
  publishes: number
  discoveries: number
  failures: Daemon['failures']
}>

const TimeOfDay = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day from 00:00 to 23:59, such as 09:00')
  .transform((text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3)))

export const createRunCommand = (runDaemon: RunDaemon): Command =>
  defineCommand({
    summary: 'Keep the agent online, and discover peers each day',
    examples: ['run', 'run --discover-at 07:30', 'run --once'],
    options: z.strictObject({
      discoverAt: option('time', 'The local time of the daily discovery; 09:00 by default', TimeOfDay.default(9 * 60)),
      once: flag('Do what is due now, then exit'),
    }),
    run: (context, { discoverAt, once }) => runDaemon(context, { discoverAtMinutes: discoverAt, once }),
    show: ({ heartbeats, publishes, discoveries, failures }, style) =>
      [
        [
          counted(heartbeats, 'heartbeat', 'heartbeats'),
          counted(publishes, 'publish', 'publishes'),
          counted(discoveries, 'discovery', 'discoveries'),
        ].join(', '),
        ...failures.map(({ action, message, next }) => `${style.bad('✗')} ${action}: ${message} ${next}`),
      ].join('\n'),
    // A failure does not count where the daemon was asked to stop.
    isBad: ({ failures, isStopped }) => failures.length > 0 && !isStopped,
  })
