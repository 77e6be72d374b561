import type * as Prompts from '@clack/prompts'
import type { Readable, Writable } from 'node:stream'
import { UserError } from './errors.ts'
import type { Ask, Choice, Progress, TextQuestion } from './context.ts'
import { plain, type Style } from './output.ts'

/**
 * Shows progress: on a terminal in one line, which `clear` removes; elsewhere in a line for each step. A quiet one shows
 * lasting lines only.
 */
export function createReporter(
  stream: Writable & { isTTY?: boolean; columns?: number },
  style: Style,
  isQuiet: boolean,
) {
  const isLive = stream.isTTY === true
  let last = ''

  function clear(): void {
    if (isLive && last !== '') stream.write('\r\u001b[2K')
    last = ''
  }

  function report({ text, done, isLasting }: Progress): void {
    if (isLasting === true) {
      clear()
      stream.write(`${plain(text)}\n`)
      return
    }
    if (isQuiet) return
    if (!isLive) {
      if (text !== last) stream.write(`${plain(text)}\n`)
      last = text
      return
    }
    const line = `${plain(text)}${done === undefined ? '' : ` ${bar(done)}`}`.slice(0, Math.max(20, style.width - 1))
    stream.write(`\r\u001b[2K${style.dim(line)}`)
    last = line
  }

  return { report, clear }
}

const barLength = 20

function bar(done: number): string {
  const full = Math.round(Math.min(1, Math.max(0, done)) * barLength)
  return `${'█'.repeat(full)}${'░'.repeat(barLength - full)} ${Math.round(done * 100)} %`
}

/** What a terminal can do besides giving bytes. */
type Keyboard = Readable & { setRawMode?: (isRaw: boolean) => unknown }

const ctrlC = '\u0003'

/**
 * Drops the keys that were typed before now: none of them can answer a question that nobody has read. Returns them. In raw
 * mode a terminal gives what was typed without Enter too; the prompt that follows leaves that mode.
 */
async function dropTypedAhead(input: Keyboard): Promise<string> {
  let dropped = ''
  let isMore = true
  const take = (bytes: Buffer | string) => {
    dropped += String(bytes)
    isMore = true
  }
  input.setRawMode?.(true)
  input.on('data', take).resume()
  while (isMore) {
    isMore = false
    // The first turn of the event loop begins to read, and the second has read what was there.
    for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  }
  input.off('data', take).pause()
  return dropped
}

/** Asks questions in the terminal. The prompt library is loaded with the first question. */
export function createAsk(streams: { input: Keyboard; output: Writable; signal: AbortSignal }, clear: () => void): Ask {
  async function answered<T>(question: (prompts: typeof Prompts) => Promise<T>): Promise<Exclude<T, symbol>> {
    clear()
    const prompts = await import('@clack/prompts')
    const isStopped = (await dropTypedAhead(streams.input)).includes(ctrlC)
    if (isStopped) streams.input.setRawMode?.(false)
    const answer = isStopped ? Symbol('Ctrl-C') : await question(prompts)
    if (typeof answer === 'symbol') {
      throw new UserError('Stopped. Your answers were not saved.', 'Run the command again when you are ready.', {
        code: 'cancelled',
      })
    }
    return answer as Exclude<T, symbol>
  }

  const asText = ({ message, placeholder, initial, validate }: TextQuestion) => ({
    ...streams,
    message,
    validate: (answer: string | undefined) => validate(answer ?? ''),
    ...(placeholder === undefined ? {} : { placeholder }),
    ...(initial === undefined ? {} : { initialValue: initial }),
  })

  return {
    say(text) {
      clear()
      streams.output.write(`${text}\n\n`)
    },
    text: (question) => answered((prompts) => prompts.text(asText(question))),
    secret: (question) => answered((prompts) => prompts.password(asText(question))),
    confirm: ({ message, initial }) =>
      answered((prompts) => prompts.confirm({ ...streams, message, initialValue: initial })),
    async choose({ message, options, initial }) {
      const preset = initial === undefined ? {} : { initialValue: initial }
      const question = { ...streams, message, options: [...options], ...preset }
      return pick(options, await answered((prompts) => prompts.select<string>(question)))
    },
    async chooseSome({ message, options, initial = [] }) {
      const question = { ...streams, message, options: [...options], required: false, initialValues: [...initial] }
      const chosen = await answered((prompts) => prompts.multiselect<string>(question))
      return chosen.map((value) => pick(options, value))
    },
  }
}

function pick<T extends string>(options: Choice<T>['options'], chosen: string): T {
  const option = options.find(({ value }) => value === chosen)
  if (option === undefined) throw new Error('The answer is not one of the options.')
  return option.value
}
