import { goneWithinMs, secondMs, AgentId, Channel, DirectoryError } from '@koko/contract'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { parseArgs, promisify } from 'node:util'
import { createFirestoreStore } from '../functions/src/adapters/firestore.ts'
import { withCheckedClock } from '../functions/src/checked-clock.ts'
import { createVault } from '../functions/src/adapters/node.ts'
import { batchDeadlines } from '../functions/src/limits.ts'
import { OutcomeUnknown, type Store } from '../functions/src/ports.ts'
import {
  channelsOf,
  liftTakedown,
  takeDownAgent,
  takeDownHandle,
  takeDownListing,
} from '../functions/src/directory/takedown.ts'
import { environment, ports, project as localProject, root } from './stack/addresses.ts'
import { Failure, reportFailure } from './failure.ts'
import { isTaken } from './stack/ports.ts'

const USAGE = `usage: npm run takedown                      takes down the handle on standard input
       npm run takedown -- --lift            allows it to be published again
       npm run takedown -- --agent <id>      takes down an agent's listing and its handles
                           --listing-only    with --agent: its handles may be published again
                           --channel <name>  if the handle fits several channels
                           --project <id>    a deployed project (default: the stack on this machine)`

interface Options {
  agent?: string | undefined
  listingOnly: boolean
  lift: boolean
  channel?: string | undefined
  project?: string | undefined
}

/** Takes down a handle or an agent, or lifts a takedown. Returns a message for people that never contains a handle. */
export async function runTakedown(options: Options, readHandle: () => Promise<string>): Promise<string> {
  const { agent, listingOnly, lift, channel: named, project } = options
  if (agent !== undefined && (lift || named !== undefined)) {
    throw new Failure('--lift and --channel are for a handle on standard input, and not allowed with --agent.')
  }
  if (agent === undefined && listingOnly) throw new Failure('--listing-only needs --agent.')
  if (agent !== undefined && !AgentId.safeParse(agent).success)
    throw new Failure("--agent must be an agent's id, which is a UUID.")

  const handle = agent === undefined ? toHandle(await readHandle(), named) : undefined
  await using connection = await connect(project)
  const store = withCheckedClock(connection, () => new Date())
  const takedownPorts = { store, vault: createVault(await readSecret(project)) }
  if (handle === undefined && agent !== undefined) {
    if (listingOnly) {
      const isRemoved = await takeDownListing(takedownPorts, agent, new Date())
      return `${isRemoved ? 'The listing is gone.' : 'The agent has no listing.'} The agent may publish again.`
    }
    const { listings, handles } = await takeDownAgent(takedownPorts, agent, new Date())
    return [
      `${count(listings, 'listing')} changed; ${count(handles, 'handle')} of the agent refused from now on.`,
      'The agent is still registered, and may publish other handles. To end that, disable its sign-in in the Firebase',
      'console (Authentication, by this id): no new session starts, and the last one ends within an hour.',
    ].join('\n')
  }
  if (handle === undefined) throw new Failure(USAGE)
  if (lift) {
    const isLifted = await liftTakedown(takedownPorts, handle)
    return isLifted ? 'The handle may be published again.' : 'There was no takedown of this handle.'
  }
  const { listings } = await takeDownHandle(takedownPorts, handle, new Date())
  return [
    `${count(listings, 'listing')} changed; the handle is refused from now on.`,
    ...(listings === 0 ? ['No listing had it. Compare it with the report, digit by digit.'] : []),
    `No answer that starts more than ${goneWithinMs / secondMs} s from now contains it.`,
  ].join('\n')
}

/** Parses the handle from the input. No message may quote it. */
function toHandle(input: string, named: string | undefined) {
  const handle = input.trim()
  const wanted = Channel.safeParse(named)
  if (named !== undefined && !wanted.success)
    throw new Failure(`--channel must be one of ${Channel.options.join(', ')}.`)
  if (handle === '' || /\s/.test(handle))
    throw new Failure('Standard input must contain exactly one handle, without spaces.')
  const fitting = channelsOf(handle).filter((channel) => !wanted.success || channel === wanted.data)
  const [channel] = fitting
  if (channel === undefined) {
    throw new Failure(
      'Standard input contains no handle in its exact form, such as +447700900123 or a Telegram username without @.',
    )
  }
  if (fitting.length > 1) throw new Failure(`The handle fits ${fitting.join(' and ')}. Say which with --channel.`)
  return { channel, handle }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** The database of a project, with this machine's credentials, or of the local stack. */
async function connect(project: string | undefined): Promise<Store & AsyncDisposable> {
  if (project === undefined && !(await isTaken(ports.Firestore))) {
    throw new Failure(
      'No stack is running on this machine. Run "npm start", or name a deployed project with --project <id>.',
    )
  }
  // The client reads the emulator's address only from the environment.
  if (project === undefined) process.env.FIRESTORE_EMULATOR_HOST = environment.FIRESTORE_EMULATOR_HOST
  else delete process.env.FIRESTORE_EMULATOR_HOST
  return createFirestoreStore(project ?? localProject, batchDeadlines)
}

/** The server's key. A hash with another key would match no handle. */
async function readSecret(project: string | undefined): Promise<string> {
  if (project === undefined) {
    const path = join(root, 'functions', '.secret.local')
    const secret = /^KOKO_SECRET=(.+)$/m.exec(await readFile(path, 'utf8'))?.[1]
    if (secret === undefined) throw new Failure(`${path} has no KOKO_SECRET`)
    return secret
  }
  if (process.env.KOKO_SECRET) return process.env.KOKO_SECRET
  const arguments_ = ['secrets', 'versions', 'access', 'latest', '--secret=KOKO_SECRET', `--project=${project}`]
  try {
    // Encoded, because gcloud adds a newline otherwise.
    const { stdout } = await promisify(execFile)('gcloud', [...arguments_, '--format=get(payload.data)'])
    return Buffer.from(stdout.trim(), 'base64url').toString('utf8')
  } catch (cause) {
    throw new Failure(`KOKO_SECRET cannot be read. To see why, run: gcloud ${arguments_.join(' ')} > /dev/null`, {
      cause,
    })
  }
}

async function readStandardInput(): Promise<string> {
  if (process.stdin.isTTY) console.error('Type the handle, then press Enter and Ctrl-D:')
  return text(process.stdin)
}

/** A Failure for errors of the store, and of Google's client without credentials or a database. */
function toFailure(error: unknown): unknown {
  const isGoogles = error instanceof Error && /credentials|^\d+ [A-Z_]+: /.test(error.message)
  if (!isGoogles && !(error instanceof DirectoryError) && !(error instanceof OutcomeUnknown)) return error
  return new Failure(`The takedown did not finish: ${error.message}\nRun it again: what is done stays done.`, {
    cause: error,
  })
}

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        agent: { type: 'string' },
        'listing-only': { type: 'boolean', default: false },
        lift: { type: 'boolean', default: false },
        channel: { type: 'string' },
        project: { type: 'string' },
      },
    })
    return { ...values, listingOnly: values['listing-only'] }
  } catch {
    // Its message would quote an argument, which may be the handle.
    throw new Failure(USAGE)
  }
}

if (import.meta.main) {
  // Without credentials, Google's client rejects a promise that no caller can await.
  process.on('unhandledRejection', (error) => process.exit(reportFailure(toFailure(error))))
  try {
    console.log(await runTakedown(readOptions(), readStandardInput))
  } catch (error) {
    process.exitCode = reportFailure(toFailure(error))
  }
}
