/** Where a defect is, and nothing of what koko was working on: no message, for it can hold a value. */
export function describeDefect(error: unknown): string {
  const [name, stack] = error instanceof Error ? [error.name, error.stack ?? ''] : ['Error', '']
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line))
  return [`koko failed in a way that it should not (${name}). Please report this:`, ...frames.slice(0, 8)].join('\n')
}
