import * as z from 'zod'
import { defineCommand } from './define-command.ts'
import type { Style } from '../output.ts'
import { runDaemon, type DaemonRun } from '../daemon/daemon.ts'

const TimeOfDay = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day from 00:00 to 23:59, such as 09:00')
  .transform((text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3)))

export const command = defineCommand({
  options: z.strictObject({ discoverAt: TimeOfDay.default(9 * 60), once: z.boolean().default(false) }),
  run: (context, { discoverAt, once }) => runDaemon(context, { discoverAtMinutes: discoverAt, once }),
  show,
  // Asked to stop, it has done what it was asked for.
  isBad: ({ failures, isStopped }) => failures.length > 0 && !isStopped,
})

function show({ heartbeats, publishes, discoveries, failures }: DaemonRun, style: Style): string {
  const counted = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`
  return [
    [
      counted(heartbeats, 'heartbeat', 'heartbeats'),
      counted(publishes, 'publish', 'publishes'),
      counted(discoveries, 'discovery', 'discoveries'),
    ].join(', '),
    ...failures.map(({ action, message, next }) => `${style.bad('✗')} ${action}: ${message} ${next}`),
  ].join('\n')
}
