import type { Home } from './home/home.ts'

/** An operation reaches the clock, the network and the terminal through its context only. */
export interface Context {
  home: Home
  env: Readonly<Record<string, string | undefined>>
  nowMs: () => number
  fetch: (url: string, init: RequestInit) => Promise<Response>
  /** Asks the operator; undefined without a terminal and with `--json`. */
  ask: Ask | undefined
  /** Shows progress; each step replaces the one before. */
  report: (progress: Progress) => void
  /** Reads the whole standard input, for a secret that must not be an option. */
  readInput: () => Promise<string>
  /** Opens a page in the operator's browser; false if there is none. */
  openPage: (url: string) => Promise<boolean>
  /** Rejects once the signal aborts. */
  pause: (ms: number) => Promise<void>
  /** Aborts on Ctrl-C, or when a daemon ends. */
  signal: AbortSignal
}

export interface Progress {
  /** A sentence, without a handle. */
  text: string
  /** From 0 to 1. */
  done?: number
  /** Stays on the screen, as a line of a log. */
  isLasting?: true
}

/** Questions to the operator; cancelling one by Ctrl-C or Esc rejects with `UserError`. */
export interface Ask {
  say: (text: string) => void
  text: (question: TextQuestion) => Promise<string>
  /** Hides what is typed. */
  secret: (question: TextQuestion) => Promise<string>
  confirm: (question: { message: string; initial: boolean }) => Promise<boolean>
  choose: <T extends string>(question: Choice<T> & { initial?: T }) => Promise<T>
  chooseSome: <T extends string>(question: Choice<T> & { initial?: readonly T[] }) => Promise<T[]>
}

export interface TextQuestion {
  message: string
  placeholder?: string
  initial?: string
  /** What is wrong with an answer, as a sentence. */
  validate: (answer: string) => string | undefined
}

export interface Choice<T extends string> {
  message: string
  options: readonly { value: T; label: string; hint?: string }[]
}
