import { isoTime } from '../output.ts'

/** Names of moments in milliseconds since the epoch, such as `goneByMs`; not of durations, such as `timeoutMs`. */
const momentName = /^(at|.+(?:At|By|Of|Until))Ms$/

/** The name of a moment's readable time, such as `goneBy`; undefined for what is no moment. */
export function readableName(name: string): string | undefined {
  return momentName.exec(name)?.[1]
}

/** The same value, with an ISO 8601 time in UTC beside each moment in milliseconds. */
export function withReadableTimes(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, each]): [string, unknown][] => {
      const readable = typeof each === 'number' ? readableName(name) : undefined
      const entry: [string, unknown] = [name, withTimesInside(each)]
      return readable === undefined ? [entry] : [entry, [readable, isoTime(Number(each))]]
    }),
  )
}

function withTimesInside(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withTimesInside)
  return typeof value === 'object' && value !== null ? withReadableTimes({ ...value }) : value
}
