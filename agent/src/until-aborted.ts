/** The outcome of the work, or the signal's reason where it is aborted first. */
export async function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const ended = new AbortController()
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { signal: ended.signal })
      }),
    ])
  } finally {
    ended.abort()
  }
}
