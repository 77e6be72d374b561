// A process that works in a home, for tests to start and kill.
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { UserError } from '../src/errors.ts'
import { openHome } from '../src/home/home.ts'
import { counterFile, homeOf, writeHome } from './home-values.ts'

const [task = '', path = '', amount = '0'] = process.argv.slice(2)
const home = openHome(path)
const say = (line: string) => void process.stdout.write(`${line}\n`)

switch (task) {
  // Writes every file of the home, again and again.
  case 'write': {
    say('at work')
    for (let value = Number(amount) + 1; ; value += 1) {
      await writeHome(home, homeOf(value))
      say(`wrote ${value}`)
    }
  }
  // Adds one to a file of the home, so many times.
  case 'count':
    say('at work')
    for (let left = Number(amount); left > 0; left -= 1) {
      await home.change(async (files) => {
        const count = (await files.read(counterFile))?.count ?? 0
        await files.write(counterFile, { count: count + 1 })
      })
      say('counted')
    }
    break
  // Holds a lock until it reads a line, and lives on until its input ends.
  case 'hold': {
    const lines = createInterface(process.stdin)
    await home.locked('daemon', 0, async () => {
      say('holds')
      await once(lines, 'line')
    })
    say('released')
    await once(lines, 'close')
    break
  }
  // Tries each operation, and prints its outcome.
  case 'try': {
    const deeds: Record<string, () => Promise<unknown>> = {
      read: () => home.read(counterFile),
      lockedBy: async () => (await home.lockedBy('files')) ?? null,
      assertWritable: () => home.assertWritable(),
      write: () => home.change((files) => files.write(counterFile, { count: 2, filler: 'x'.repeat(100_000) })),
      remove: () => home.change((files) => files.remove(counterFile)),
    }
    for (const [name, deed] of Object.entries(deeds)) {
      const outcome = await deed().catch((error: unknown) => {
        if (error instanceof UserError) return { advice: error.message }
        throw error
      })
      say(JSON.stringify({ [name]: outcome ?? 'done' }))
    }
    break
  }
  default:
    throw new Error('No such task')
}
