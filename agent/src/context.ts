import type { Home } from './home/home.ts'

/** What a command is given besides its options. Nothing else reaches the clock, the network or the terminal. */
export interface Context {
  home: Home
  /** The environment, such as `KOKO_DIRECTORY`. */
  env: Readonly<Record<string, string | undefined>>
  /** This machine's clock, in milliseconds since the epoch. */
  nowMs: () => number
  fetch: (url: string, init: RequestInit) => Promise<Response>
  /** Asks the operator; undefined where there is no terminal, or where the answer is to be raw. */
  ask: Ask | undefined
  /** Tells what is under way, on the error stream. Repeating a step replaces what it said before. */
  report: (progress: Progress) => void
  /** All of the standard input, for a command that reads what must not stand on its command line. */
  readInput: () => Promise<string>
  /** Opens a page in the operator's browser; false where none can be opened. */
  openPage: (url: string) => Promise<boolean>
  /** Resolves after so many milliseconds, or rejects once the command is to stop. */
  pause: (ms: number) => Promise<void>
  /** Aborts whatever is under way: Ctrl-C, or the end of a daemon. */
  signal: AbortSignal
}

export interface Progress {
  /** A sentence, without a handle. */
  text: string
  /** From 0 to 1, where it can be known. */
  done?: number
  /** A line of a log: it stays, and is not replaced by the next step. */
  isLasting?: true
}

/** Questions to the operator. Each rejects with `UserError` when the operator leaves it, by Ctrl-C or Esc. */
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
  /** What is wrong with an answer, as a sentence; undefined where it passes. */
  validate: (answer: string) => string | undefined
}

export interface Choice<T extends string> {
  message: string
  options: readonly { value: T; label: string; hint?: string }[]
}
