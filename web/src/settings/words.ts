/** A time of day in the reader's own way, with seconds. */
export function clockTime(ms: number): string {
  return new Date(ms).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
}

/** A time of day in the reader's own way, to the minute. */
export function minuteTime(ms: number): string {
  return new Date(ms).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })
}

/** A UTC day: the directory knows no finer time of presence. */
export function day(ms: number): string {
  return new Date(ms).toLocaleDateString(undefined, { dateStyle: 'long', timeZone: 'UTC' })
}

export function coordinate(degrees: number, [positive, negative]: readonly [string, string]): string {
  return `${Math.abs(degrees).toFixed(1)}° ${degrees >= 0 ? positive : negative}`
}

/** A list in words: "women and men". */
export function listed(words: readonly string[]): string {
  return new Intl.ListFormat(undefined, { type: 'conjunction' }).format(words)
}
