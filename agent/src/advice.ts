/**
 * A failure that was to be expected: what happened in one sentence, and what to do next in another. Never holds a handle,
 * a secret, a token or a profile.
 */
export class Advice extends Error {
  override readonly name = 'Advice'
  readonly next: string

  constructor(message: string, next: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.next = next
  }
}
