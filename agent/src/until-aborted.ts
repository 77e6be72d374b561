/** The outcome of the work, or the signal's reason where it is aborted first. */
export async function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const ended = new AbortController()
  const aborted = new Promise<never>((_, reject) => {
    const stop = () => reject(signal.reason as Error)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { signal: ended.signal })
  })
  try {
    // Attaches to both, so that neither rejection goes unhandled, whichever comes first.
    return await Promise.race([aborted, work])
  } finally {
    ended.abort()
  }
}
