/** Nothing on this page waits longer for an answer: no spinner without an end. */
export const patienceMs = 20_000

/** The outcome of `work`, or a failure as of an unreachable directory when it takes too long. */
export async function within<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(unavailable()), patienceMs)
  return Promise.race([work, promise]).finally(() => clearTimeout(timer))
}

/** Told apart by its code, as the contract's errors are; loading those costs more than a page may before a link opens. */
export function unavailable(cause?: unknown): Error & { code: 'unavailable' } {
  return Object.assign(new Error('The directory does not answer.', { cause }), { code: 'unavailable' as const })
}
