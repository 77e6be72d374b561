import { Command as Program, CommanderError } from 'commander'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { text as textOf } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import manifest from '../package.json' with { type: 'json' }
import { defectOf, formatDefect, UserError, userErrorOf } from './errors.ts'
import type { Command } from './commands/define-command.ts'
import type { RunDaemon } from './commands/run.ts'
import type { Context } from './context.ts'
import { openHome } from './home/home.ts'
import { errnoOf } from './home/lock.ts'
import { jsonText, styleOf } from './output.ts'
import { createAsk, createReporter } from './terminal.ts'

/** What a process gives to a command line. The signal aborts when the process is asked to stop. */
export interface System extends Pick<Context, 'env' | 'nowMs' | 'fetch' | 'openPage' | 'signal'> {
  /** Without the program's own name. */
  arguments: readonly string[]
  stdin: Readable & { isTTY?: boolean }
  stdout: Writable & { isTTY?: boolean; columns?: number }
  stderr: Writable & { isTTY?: boolean; columns?: number }
}

/** 0: done. 1: not done, for a reason that the operator can do something about. 2: a defect of koko. */
export type ExitCode = 0 | 1 | 2

type Load = () => Promise<Command>

/** Every command by the group and in the order of `--help`. Each is loaded when it is needed. */
const groups: Readonly<Record<string, Readonly<Record<string, Load>>>> = {
  'Set up': {
    init: async () => (await import('./commands/init.ts')).command,
    restore: async () => (await import('./commands/restore.ts')).command,
    profile: async () => (await import('./commands/profile.ts')).command,
    link: async () => (await import('./commands/link.ts')).command,
  },
  'Share and stop sharing': {
    publish: async () => (await import('./commands/publish.ts')).command,
    unlink: async () => (await import('./commands/unlink.ts')).command,
    channels: async () => (await import('./commands/channels.ts')).command,
    settings: async () => (await import('./commands/settings.ts')).command,
  },
  'Find peers': {
    discover: async () => (await import('./commands/discover.ts')).command,
    peers: async () => (await import('./commands/peers.ts')).command,
    peer: async () => (await import('./commands/peer.ts')).command,
  },
  'Keep it running': {
    run: async () => (await import('./commands/run.ts')).createRunCommand(runDaemon),
    mcp: async () => (await import('./commands/mcp.ts')).createMcpCommand(serveMcp),
    status: async () => (await import('./commands/status.ts')).command,
    doctor: async () => (await import('./commands/doctor.ts')).command,
  },
  'Your agent and your data': {
    export: async () => (await import('./commands/export.ts')).command,
    rotate: async () => (await import('./commands/rotate.ts')).command,
    unregister: async () => (await import('./commands/unregister.ts')).command,
  },
  Help: {
    completion: async () => (await import('./commands/completion.ts')).createCompletionCommand(loadCommands),
  },
}

export const commands = new Map<string, Load>(Object.values(groups).flatMap((group) => Object.entries(group)))

/** Options of every command, which are read before any command. */
const commonOptions = [
  ['-q, --quiet', 'Print no progress and no confirmations'],
  ['--json', 'Print the result as JSON, and ask no questions'],
] as const

async function loadCommands(): Promise<[name: string, command: Command][]> {
  return Promise.all([...commands].map(async ([name, load]) => [name, await load()] as [string, Command]))
}

const runDaemon: RunDaemon = async (...given) => (await import('./daemon/daemon.ts')).runDaemon(...given)
const serveMcp = async (context: Context, options: { isReadOnly: boolean }) =>
  (await import('./mcp/server.ts')).serveMcp(context, options)

/** The command line as commander reads it: `koko` is `koko --help`, and `koko help link` is `koko link --help`. */
function asGiven(given: readonly string[], isRaw: boolean): string[] {
  const [first, name, ...others] = given
  if (first === undefined) return isRaw ? [] : ['--help']
  if (first !== 'help' || others.length > 0) return [...given]
  return name === undefined || name.startsWith('-') ? ['--help'] : [name, ...(commands.has(name) ? ['--help'] : [])]
}

/** The names of the commands that a command line needs: one, none for the version, or all to list or suggest one. */
function neededCommands(given: readonly string[]): string[] {
  const name = given.find((argument) => !argument.startsWith('-'))
  if (name !== undefined && commands.has(name)) return [name]
  return given.some((argument) => ['-V', '--version'].includes(argument)) ? [] : [...commands.keys()]
}

/** Runs one command line. Never throws. */
export async function runCli(system: System): Promise<ExitCode> {
  const errorStyle = styleOf(system.stderr, system.env)
  const isRaw = system.arguments.includes('--json')
  const isQuiet = system.arguments.some((argument) => argument === '-q' || argument === '--quiet')
  const given = asGiven(
    system.arguments.filter((argument) => !['--json', '-q', '--quiet'].includes(argument)),
    isRaw,
  )
  const reporter = createReporter(system.stderr, errorStyle, isQuiet)
  let exitCode: ExitCode = 0
  const program = new Program('koko')
    .description('Runs your agent on your own machine, and publishes how to reach it in a Koko Directory.')
    .version(manifest.version, '-V, --version', 'Show the version')
    .helpOption('-h, --help', 'Show this help')
    .showHelpAfterError(false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => system.stdout.write(text), writeErr: () => undefined })
    .addHelpText('after', help)
  for (const [syntax, description] of commonOptions) program.option(syntax, description)

  function addCommand(name: string, command: Command): void {
    const added = program
      .command(name)
      .description(command.summary)
      .helpOption('-h, --help', 'Show this help')
      .action(async (...given: unknown[]) => {
        const [options] = given.splice(-2) as [Record<string, unknown>]
        const named = Object.fromEntries(
          added.registeredArguments.flatMap((argument, index) =>
            given[index] === undefined ? [] : [[argument.name(), given[index]]],
          ),
        )
        exitCode = await run(command, { ...options, ...named })
      })
    for (const { syntax, description } of command.arguments) added.argument(syntax, description)
    for (const { syntax, description, isList } of command.options) {
      if (isList) added.option(syntax, description, joined)
      else added.option(syntax, description)
    }
    for (const [syntax, description] of commonOptions) added.option(syntax, description)
    if (command.notes !== undefined) added.addHelpText('after', `\n${command.notes}`)
    const examples = command.examples.map((example) => `  koko ${example}`.trimEnd())
    added.addHelpText('after', `\n${examples.length === 1 ? 'Example' : 'Examples'}:\n${examples.join('\n')}`)
  }

  async function run(command: Command, input: Record<string, unknown>): Promise<ExitCode> {
    const { env, nowMs, fetch, openPage, signal, stdin, stderr } = system
    const canAsk = stdin.isTTY === true && stderr.isTTY === true && !isRaw
    const context: Context = {
      home: openHome(homePath(env)),
      env,
      nowMs,
      fetch,
      ask: canAsk ? createAsk({ input: stdin, output: stderr, signal }, () => reporter.clear()) : undefined,
      report: reporter.report,
      readInput: () => textOf(stdin),
      openPage,
      pause: (ms) => wait(ms, undefined, { signal }),
      signal,
    }
    const { value, show, isBad, ...result } = await command.call(context, input)
    reporter.clear()
    const raw = value === undefined ? '' : jsonText(value)
    const text = isRaw ? raw : isQuiet && result.isQuiet ? '' : show(styleOf(system.stdout, env))
    const fault = text === '' ? undefined : await write(system.stdout, `${text}\n`)
    if (fault !== undefined && !isClosed(fault)) {
      throw new UserError(
        `The command finished, but its output could not be written (${String(errnoOf(fault))}).`,
        'Check the disk that the output goes to. `koko status` shows the state of the agent.',
        { cause: fault },
      )
    }
    return isBad ? 1 : 0
  }

  try {
    const needed = neededCommands(given)
    for (const [group, members] of Object.entries(groups)) {
      program.commandsGroup(`${group}:`)
      for (const [name, load] of Object.entries(members)) if (needed.includes(name)) addCommand(name, await load())
    }
    program.helpCommand('help [command]', 'Show this help, or the help of a command')
    await program.parseAsync(given, { from: 'user' })
    return exitCode
  } catch (error) {
    reporter.clear()
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    const expected = expectedFailure(error, system.signal)
    if (expected === null) {
      const defect = defectOf(error)
      const text = isRaw ? JSON.stringify({ error: defect }) : formatDefect(error)
      await write(system.stderr, `${text}\n`)
      return 2
    }
    const { message, hint, code, problem } = expected
    const text = isRaw ? JSON.stringify({ error: { code, ...problem } }) : `${errorStyle.bad('✗')} ${message} ${hint}`
    await write(system.stderr, `${text}\n`)
    return 1
  }
}

function expectedFailure(error: unknown, signal: AbortSignal): UserError | null {
  if (error instanceof UserError) return error
  if (signal.aborted) return new UserError('Stopped.', 'Run the command again to continue.', { code: 'cancelled' })
  if (!(error instanceof CommanderError)) return userErrorOf(error)
  const message = error.code === 'commander.help' ? 'error: no command was given' : error.message
  return new UserError(sentence(message), 'See `koko --help`.', { code: 'invalid-argument' })
}

const help = `
Examples:
  koko init                 Register an agent: asks for the directory and your consent
  koko profile edit         Describe yourself: asks for each field
  koko link telegram        Save a handle here: asks for it
  koko publish --dry-run    See exactly what would be sent
  koko publish              Share it: asks you to agree
  koko discover             Find peers that match
  koko unlink telegram      Stop sharing a handle

Without a terminal koko asks no questions: give every answer as an option. koko saves its files in ~/.koko, or in KOKO_HOME.
Exit codes: 0 done; 1 not done, or something is wrong: the output says why and what to do next; 2 internal error of koko.`

function joined(value: string, before: string | undefined): string {
  return before === undefined ? value : `${before},${value}`
}

/** A relative KOKO_HOME counts from the working folder, and `~` is the user's own: services and containers pass it as is. */
function homePath(env: System['env']): string {
  const own = env.HOME ?? homedir()
  const given = env.KOKO_HOME ?? ''
  if (given === '') return join(own, '.koko')
  return resolve(given.replace(/^~(?=[/\\]|$)/, () => own))
}

/** Turns commander's message into a sentence without what was typed, which can be a handle. */
function sentence(message: string): string {
  const text = message
    .replace(/^error: /, '')
    .replace(/^unknown (command|option) '[^]*?'(?=\n|$)/, 'there is no such $1')
    .replaceAll('\n', ' ')
    .replace(/\.$/, '')
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

/** The error of the stream, if the text could not be written. */
function write(stream: Writable, text: string): Promise<unknown> {
  return new Promise((done) => {
    stream.write(text, (error) => done(error ?? undefined))
  })
}

/** The reader has closed the pipe, as `head` does, or its terminal: that is no failure. */
function isClosed(fault: unknown): boolean {
  return ['EPIPE', 'ECONNRESET', 'EIO', 'ERR_STREAM_DESTROYED'].includes(String(errnoOf(fault)))
}
