import type { Context } from '../context.ts'
import { formatLocalTime, type LocalClock } from './schedule.ts'

/** The daemon's log: whole lines, each with the local time. No line holds a handle. */
export interface Log {
  line: (text: string) => void
  /**
   * Logs a condition that lasts, unless it or another with the same cause is logged already: a full disk is one
   * problem, however many actions it stops. A topic has one condition at a time.
   */
  begin: (topic: string, text: string, cause?: string) => void
  /** Ends a topic's condition, so that the next one is logged again. */
  end: (topic: string) => void
}

export function createLog({ report, nowMs }: Pick<Context, 'report' | 'nowMs'>, localTime: LocalClock): Log {
  const causes = new Map<string, string>()
  const line = (text: string) => report({ text: `${formatLocalTime(localTime(nowMs()))}  ${text}`, isLasting: true })
  return {
    line,
    begin(topic, text, cause = text) {
      if ([...causes.values()].includes(cause)) return
      causes.set(topic, cause)
      line(text)
    },
    end: (topic) => void causes.delete(topic),
  }
}
