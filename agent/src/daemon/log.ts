import type { Context } from '../context.ts'
import type { LocalClock } from './schedule.ts'

export type Log = ReturnType<typeof createLog>

/** The daemon's log: whole lines, each with the local time. No line holds a handle. */
export function createLog({ report, nowMs }: Pick<Context, 'report' | 'nowMs'>, localTime: LocalClock) {
  const causes = new Map<string, string>()
  const line = (text: string) => report({ text: `${localTime(nowMs()).text}  ${text}`, isLasting: true })
  return {
    line,
    /**
     * Logs a condition that lasts, unless one with the same cause is logged already: a full disk is one problem, however
     * many actions it stops. A topic has one condition at a time.
     */
    begin(topic: string, text: string, cause = text) {
      if ([...causes.values()].includes(cause)) return
      causes.set(topic, cause)
      line(text)
    },
    /** Ends a topic's condition, so that the next one is logged. */
    end: (topic: string) => void causes.delete(topic),
  }
}
