import type { Home } from './home/home.ts'

/** What an operation is given besides its options. Nothing else reaches the clock, the network or the terminal. */
export interface Context {
  home: Home
  /** The environment, such as `KOKO_DIRECTORY`. */
  env: Readonly<Record<string, string | undefined>>
  /** This machine's clock, in milliseconds since the epoch. */
  nowMs: () => number
  fetch: (url: string, init: RequestInit) => Promise<Response>
  /** Asks the operator; undefined without a terminal and with `--json`. */
  ask: Ask | undefined
  /** Shows progress on the error stream. A step replaces the one before. */
  report: (progress: Progress) => void
  /** All of the standard input, for what must not stand on a command line. */
  readInput: () => Promise<string>
  /** Opens a page in the operator's browser; false where none can be opened. */
  openPage: (url: string) => Promise<boolean>
  /** Resolves after this many milliseconds, or rejects once the signal aborts. */
  pause: (ms: number) => Promise<void>
  /** Aborts whatever is under way: Ctrl-C, or the end of a daemon. */
  signal: AbortSignal
}

export interface Progress {
  /** A sentence, without a handle. */
  text: string
  /** From 0 to 1, where it can be known. */
  done?: number
  /** A line of a log: the next step does not replace it. */
  isLasting?: true
}

/** Questions to the operator. Each rejects with `UserError` when the operator cancels it by Ctrl-C or Esc. */
export interface Ask {
  /** Shows a paragraph. */
  say: (text: string) => void
  text: (question: TextQuestion) => Promise<string>
  /** Like `text`, and what is typed is not shown. */
  secret: (question: TextQuestion) => Promise<string>
  confirm: (question: { message: string; initial: boolean }) => Promise<boolean>
  choose: <T extends string>(question: Choice<T> & { initial?: T }) => Promise<T>
  chooseSome: <T extends string>(question: Choice<T> & { initial?: readonly T[] }) => Promise<T[]>
}

export interface TextQuestion {
  message: string
  placeholder?: string
  initial?: string
  /** What is wrong with an answer, as a sentence; undefined where it is valid. */
  validate: (answer: string) => string | undefined
}

export interface Choice<T extends string> {
  message: string
  options: readonly { value: T; label: string; hint?: string }[]
}
