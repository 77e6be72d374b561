/** The numbers that the outside world relies on. The server's own are in `functions/src/limits.ts`. */

export const secondMs = 1_000
export const minuteMs = 60 * secondMs
export const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs

/** The most bytes that a request's body may have. */
export const maxBodyBytes = 64_000
/** The most agents that one `batchGet` or one page of discovery holds. */
export const maxPageSize = 200
export const defaultPageSize = 50

/** How long after the acknowledgement of an unlink an answer may still hold the handle: the second promise. */
export const goneWithinMs = 10 * secondMs
/** A challenge outlives a slow machine's work on it, and little more. */
export const challengeLifetimeMs = 10 * minuteMs
/** Long enough to carry a link from a terminal to a phone. */
export const settingsLinkLifetimeMs = 10 * minuteMs
/** Long enough to read a page about oneself; short on a borrowed machine. */
export const settingsSessionMs = 30 * minuteMs

/** 32 random bytes in base64url, as secrets and the codes of settings links are. */
export const codePattern = /^[A-Za-z0-9_-]{43}$/

/** A duration in its largest whole unit, such as `30 minutes` or `60 hours`. */
export function formatDuration(ms: number): string {
  const units = [
    [hourMs, 'hour'],
    [minuteMs, 'minute'],
    [secondMs, 'second'],
  ] as const
  const [unitMs, unit] = units.find(([each]) => ms >= each && ms % each === 0) ?? [secondMs, 'second']
  const count = Math.round(ms / unitMs)
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}
