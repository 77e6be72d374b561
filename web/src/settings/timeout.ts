/** The longest wait for any answer: the directory waits up to 25 s for a lock before it refuses an unlink. */
export const timeoutMs = 30_000

/** The outcome of `work`, or `unavailable` after the timeout. */
export async function withTimeout<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(unavailable()), timeoutMs)
  return Promise.race([work, promise]).finally(() => clearTimeout(timer))
}

/** An error with the code of the contract's. Loading those is too much before a link is opened. */
export function unavailable(cause?: unknown): Error & { code: 'unavailable' } {
  return Object.assign(new Error('The directory does not answer.', { cause }), { code: 'unavailable' as const })
}
