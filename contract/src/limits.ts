// The numbers that clients rely on. The server's own are in `functions/src/limits.ts`.

export const secondMs = 1_000
export const minuteMs = 60 * secondMs
export const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs

export const maxBodyBytes = 64_000
/** In agents, as `defaultPageSize`: of a `batchGet` and of a page of discovery. */
export const maxPageSize = 200
export const defaultPageSize = 50

/** After an unlink, answers may have the handle this much longer: the second promise. */
export const goneWithinMs = 10 * secondMs
/** The republish runs each minute and takes less than another: a change usually reaches every shard within this. */
export const republishedWithinMs = 2 * minuteMs
/** Long enough for a slow machine to solve a challenge. */
export const challengeLifetimeMs = 10 * minuteMs
/** Long enough to open a terminal's link on a phone. */
export const settingsLinkLifetimeMs = 10 * minuteMs
/** Long enough to read the settings page; short, because the machine may be shared. */
export const settingsSessionMs = 30 * minuteMs

/** An agent that was not seen, or not listed, for this long is removed. */
export const retentionMs = 30 * dayMs

/** Secrets and the codes of settings links: 32 random bytes in base64url. */
export const codePattern = /^[A-Za-z0-9_-]{43}$/

/** The start of a time's UTC day. */
export function utcDay(timeMs: number): number {
  return Math.floor(timeMs / dayMs) * dayMs
}

/** A duration in its largest whole unit, such as `30 minutes` or `60 hours`. */
export function formatDuration(ms: number): string {
  const units = Object.entries({ day: dayMs, hour: hourMs, minute: minuteMs })
  const [unit, unitMs] = units.find(([, each]) => ms % each === 0) ?? ['second', secondMs]
  const count = Math.round(ms / unitMs)
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}
