import { afterAll } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UserError } from '../src/errors.ts'
import type { Ask, Context, Progress } from '../src/context.ts'
import { openHome } from '../src/home/home.ts'
import type { TestDirectory } from '../../testing/directory.ts'

/** A part of the question that is expected next, and the answer; `leaves` presses Ctrl-C. */
export type Answer = readonly [asked: string, answer: string | boolean | readonly string[] | typeof leaves]
export const leaves = Symbol('leaves')

export interface TestContext extends Context {
  /** Unused answers. */
  answers: Answer[]
  said: string[]
  asked: string[]
  /** The problems of answers that were refused. */
  refused: string[]
  progress: Progress[]
  opened: string[]
  /** In milliseconds. */
  paused: number[]
  /** Aborts the signal, as Ctrl-C does. */
  stop: () => void
}

export interface TestContextOptions {
  directory: TestDirectory
  home?: string
  /** What the operator answers, in order. Without it there is no terminal. */
  answers?: readonly Answer[]
  env?: Context['env']
  /** The standard input. */
  input?: string
  canOpenPages?: boolean
}

const folders: string[] = []
afterAll(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })))
})

/** A path in a fresh folder, where a home can be made. */
export async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'koko-'))
  folders.push(folder)
  return join(folder, 'home')
}

/** A context with a home, the directory's clock and an operator who answers from a list. */
export async function createTestContext({
  directory,
  home,
  answers,
  env = {},
  input = '',
  canOpenPages = true,
}: TestContextOptions): Promise<TestContext> {
  const abort = new AbortController()
  const path = home ?? (await freshFolder())
  const context: TestContext = {
    home: openHome(path),
    env: { KOKO_HOME: path, ...env },
    nowMs: () => directory.clock.now().getTime(),
    fetch: (url, init) => directory.fetch(url, init),
    ask: undefined,
    readInput: () => Promise.resolve(input),
    report: (progress) => void context.progress.push(progress),
    openPage(url) {
      context.opened.push(url)
      return Promise.resolve(canOpenPages)
    },
    async pause(ms) {
      abort.signal.throwIfAborted()
      context.paused.push(ms)
      await directory.pass(ms)
      // Lets other work run, as a real pause does.
      await new Promise((resolve) => setImmediate(resolve))
      abort.signal.throwIfAborted()
    },
    signal: abort.signal,
    answers: [...(answers ?? [])],
    said: [],
    asked: [],
    refused: [],
    progress: [],
    opened: [],
    paused: [],
    stop: () => abort.abort(new UserError('Stopped.', 'Run it again.')),
  }
  if (answers !== undefined) context.ask = createAsk(context)
  return context
}

function createAsk(context: TestContext): Ask {
  async function answerTo<T extends Answer[1]>(
    message: string,
    isAnswer: (answer: Answer[1]) => answer is T,
    validate: (answer: T) => string | undefined = () => undefined,
  ): Promise<T> {
    for (;;) {
      context.asked.push(message)
      const next = context.answers.shift()
      if (next === undefined) throw new Error(`nobody expected to be asked: ${message}`)
      const [expected, answer] = next
      if (!message.includes(expected)) throw new Error(`expected to be asked "${expected}", and not: ${message}`)
      if (answer === leaves) throw new UserError('You left.', 'Run it again.')
      if (!isAnswer(answer)) throw new Error(`this is no answer to: ${message}`)
      const refusal = validate(answer)
      if (refusal === undefined) return Promise.resolve(answer)
      context.refused.push(refusal)
    }
  }
  const text: Ask['text'] = ({ message, validate }) =>
    answerTo(message, (answer) => typeof answer === 'string', validate)
  return {
    say: (paragraph) => void context.said.push(paragraph),
    text,
    secret: text,
    confirm: ({ message }) => answerTo(message, (answer) => typeof answer === 'boolean'),
    choose: <T extends string>({ message, options }: Parameters<Ask['choose']>[0]) =>
      answerTo(message, (answer): answer is T => options.some(({ value }) => value === answer)),
    chooseSome: async <T extends string>({ message, options }: Parameters<Ask['chooseSome']>[0]) => [
      ...(await answerTo(
        message,
        (answer): answer is readonly T[] =>
          Array.isArray(answer) && answer.every((each) => options.some(({ value }) => value === each)),
      )),
    ],
  }
}
