import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { environment } from './stack/addresses.ts'
import { Failure, runUntilStopped } from './failure.ts'
import { keepSchedule } from './stack/scheduler.ts'
import { exitCodeOf, type Stopped } from './signals.ts'
import { startStack } from './stack/stack.ts'

/** A command may take this long to stop; the emulators need the rest of 15 s. */
const COMMAND_GRACE_MS = 5_000

/**
 * Runs a shell command, or a program with arguments, beside a new, empty stack with a running schedule, and returns its exit
 * status. Only the command writes to standard output.
 */
export async function runWithEmulators(
  command: string | [program: string, ...arguments_: string[]],
  signal: AbortSignal,
  report: (progress: string) => void,
): Promise<number> {
  report('starting the emulators')
  await using stack = await startStack({ signal })
  await using schedule = await keepSchedule(signal)

  report(`running ${typeof command === 'string' ? command : command.join(' ')}`)
  const [program, ...arguments_] = typeof command === 'string' ? [command] : command
  const child = spawn(program, arguments_, {
    shell: typeof command === 'string',
    stdio: 'inherit',
    env: { ...process.env, ...environment, KOKO_SCHEDULER_ORIGIN: schedule.origin, KOKO_STACK_LOG: stack.logPath },
    // A separate process group, because a shell does not forward signals to its children.
    detached: process.platform !== 'win32',
  })
  const end = (name: NodeJS.Signals) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    process.kill(process.platform === 'win32' ? child.pid : -child.pid, name)
  }
  signal.addEventListener('abort', () => {
    end((signal.reason as Stopped).signal)
    setTimeout(() => end('SIGKILL'), COMMAND_GRACE_MS).unref()
  })
  void stack.ended.then((reason) => {
    report(reason)
    end('SIGTERM')
  })
  const [code, killedBy] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  report('stopping the emulators')
  return killedBy ? exitCodeOf(killedBy) : (code ?? 1)
}

if (import.meta.main) {
  await runUntilStopped((signal) => {
    const command = process.argv.slice(2).join(' ')
    if (!command) throw new Failure("usage: npm run with-emulators -- '<command>'")
    return runWithEmulators(command, signal, (progress) => console.error(`with-emulators: ${progress}`))
  })
}
