import { plain } from './output.ts'

/**
 * A failure that was to be expected: what happened in one sentence, and what to do next in another. Never holds a handle,
 * a secret, a token or a profile, nor anything that a terminal would act on: a directory's words can be in it.
 */
export class Advice extends Error {
  override readonly name = 'Advice'
  readonly next: string

  constructor(message: string, next: string, options: { cause?: unknown } = {}) {
    super(plain(message), options)
    this.next = plain(next)
  }
}
