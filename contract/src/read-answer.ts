import type * as z from 'zod'

const counts = new WeakMap<object, number>()

/** How many entries were left out of an answer because this client cannot read them. */
export function unreadableIn(answer: object): number {
  return counts.get(answer) ?? 0
}

/**
 * Reads what a directory answered or stored, as an additive change of the server requires it: ignores fields that the
 * schema does not name, and leaves out the entries of the answer's own lists, such as listings, that do not pass.
 */
export function readAnswer<T extends z.ZodType>(schema: T, answer: unknown): z.ZodSafeParseResult<z.output<T>> {
  let result = schema.safeParse(answer)
  if (result.success) return result
  const rest: unknown = structuredClone(answer)
  for (let unreadable = 0; ;) {
    result = schema.safeParse(rest)
    if (result.success) {
      if (typeof result.data === 'object' && result.data !== null) counts.set(result.data, unreadable)
      return result
    }
    const entries = new Map<unknown[], Set<number>>()
    for (const issue of result.error.issues) {
      if (issue.code === 'unrecognized_keys') {
        const holder = valueAt(rest, issue.path)
        if (!isObject(holder)) return result
        for (const key of issue.keys) Reflect.deleteProperty(holder, key)
        continue
      }
      const [name, index] = issue.path
      const list = name === undefined ? undefined : valueAt(rest, [name])
      // A list within an entry, such as a field of a profile, would have another meaning without a value.
      if (!Array.isArray(list) || typeof index !== 'number') return result
      entries.set(list, (entries.get(list) ?? new Set()).add(index))
    }
    for (const [list, indexes] of entries) {
      list.splice(0, list.length, ...list.filter((_, index) => !indexes.has(index)))
      unreadable += indexes.size
    }
  }
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => (isObject(at) ? Reflect.get(at, key) : undefined), value)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
