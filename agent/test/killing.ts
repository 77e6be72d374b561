import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'

export interface Killing<Lane> {
  times: number
  /** A lane has one process at a time, all lanes at once. */
  lanes: readonly Lane[]
  /** Decides the moments. */
  seed: string
  /** The longest time that a process is at work. */
  withinMs: number
  /** Starts a process with piped output and errors. */
  start: (lane: Lane) => ChildProcess | Promise<ChildProcess>
  /** Whether a line of its output says that it is at work. */
  isAtWork: (line: string) => boolean
  /** Checks what it left behind; `lines` is its whole output. */
  afterwards: (lane: Lane, lines: readonly string[]) => Promise<void>
}

/** Kills processes with SIGKILL, each at another moment of its work. */
export async function killAgainAndAgain<Lane>(killing: Killing<Lane>): Promise<void> {
  let killed = 0
  await Promise.all(
    killing.lanes.map(async (lane) => {
      while (killed < killing.times) {
        killed += 1
        const afterMs = fraction(`${killing.seed} ${killed}`) * killing.withinMs
        const lines = await killOne(await killing.start(lane), killing.isAtWork, afterMs)
        await killing.afterwards(lane, lines)
      }
    }),
  )
}

/** The output of the process. Throws if it ended before the kill. */
async function killOne(process: ChildProcess, isAtWork: (line: string) => boolean, afterMs: number): Promise<string[]> {
  const lines: string[] = []
  const ended = once(process, 'close')
  await new Promise<void>((resolve) => {
    for (const stream of [process.stdout, process.stderr]) {
      if (stream === null) continue
      createInterface(stream).on('line', (line) => {
        lines.push(line)
        if (isAtWork(line)) resolve()
      })
    }
    process.on('exit', () => resolve())
  })
  await setTimeout(afterMs)
  process.kill('SIGKILL')
  await ended
  if (process.signalCode !== 'SIGKILL') throw new Error(`It ended before the kill:\n${lines.join('\n')}`)
  return lines
}

/** A number from 0 to 1 that depends on the text alone. */
function fraction(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE() / 2 ** 32
}
