import {
  challengeLifetimeMs,
  DirectoryError,
  secondMs,
  type Challenge,
  type Config,
  type RoomName,
  type Solution,
} from '@koko/contract'
import { solveChallenge } from 'altcha-lib'
import { deriveKey } from 'altcha-lib/algorithms/pbkdf2'
import type { Context } from '../context.ts'
import { chooseOrigin, configAt, requireOrigin } from '../directory/origin.ts'
import { anyoneAt, codeOf, directoryOf } from '../directory/session.ts'
import { messageOf, UserError } from '../errors.ts'
import { agentFile, type Agent } from '../home/files.ts'
import { listingWaitMs } from '../home/home.ts'
import { emulatorWarning } from '../labels.ts'
import { plain } from '../output.ts'
import { forgetAgent, keepAgent, type NewSecret } from './keep-agent.ts'

export type Registration = Pick<Agent, 'origin' | 'isEmulated' | 'room' | 'registeredAtMs' | 'termsVersion'> &
  (({ alreadyRegistered: false } & NewSecret) | { alreadyRegistered: true; agentId: string; keptIn: string })

interface RegisterOptions {
  directory?: string | undefined
  room?: RoomName | undefined
  acceptTerms: boolean
  acceptDisclaimer: boolean
  adult: boolean
  /** Register again if the agent of this home is gone from the directory. */
  again: boolean
}

/** Registers an agent, unless one lives here. */
export async function register(context: Context, options: RegisterOptions): Promise<Registration> {
  const { home } = context
  const former = await home.read(agentFile)
  if (former !== undefined) {
    if (!options.again) return alreadyRegistered(context, former, options)
    await assertGone(context, former)
  }
  const origin = await chooseOrigin(context, options.directory, former?.origin)
  const config = await configAt(context, origin)
  if (config.emulators !== undefined) {
    const readers = 'Every program on this machine, and every page in its browser, can read what is published there.'
    context.ask?.say(`${emulatorWarning(origin)} ${readers}`)
  }
  const room = chooseRoom(origin, config, options.room)
  await home.assertWritable()
  await askConsents(context, origin, config, options)

  const { challenge } = await anyoneAt(context, origin).call('createRegistrationChallenge', {})
  const solution = await solve(context, challenge)
  return home.locked('listing', { ms: listingWaitMs, signal: context.signal }, async () => {
    const current = await home.read(agentFile)
    if (current !== undefined && current.agentId !== former?.agentId) {
      return alreadyRegistered(context, current, options)
    }
    context.report({ text: 'Registering' })
    const { agentId, registeredAtMs, secret } = await anyoneAt(context, origin)
      .call('registerAgent', {
        category: room,
        consents: { terms: true, disclaimer: true, adult: true },
        proof: { challenge, solution },
      })
      .catch((cause: unknown) => {
        if (!(cause instanceof DirectoryError) || cause.code !== 'failed-precondition') throw cause
        throw new UserError(messageOf(cause), 'Run `koko init` again.', { cause })
      })
    const { projectId, termsVersion } = config
    const summary = { origin, isEmulated: config.emulators !== undefined, room, registeredAtMs, termsVersion }
    const key = await keepAgent(context, { ...summary, projectId, agentId, secret }, forgetAgent)
    return { alreadyRegistered: false, ...summary, ...key }
  })
}

/** Registers nothing. Asks for consent to terms that changed, if there is a terminal. */
async function alreadyRegistered(context: Context, agent: Agent, options: RegisterOptions): Promise<Registration> {
  const { home } = context
  if (options.directory !== undefined && requireOrigin(options.directory) !== agent.origin) {
    throw new UserError(
      `The agent in ${home.path} is registered in ${agent.origin}.`,
      'For an agent in another directory, set KOKO_HOME to another folder.',
    )
  }
  const { agentId, origin, isEmulated, room, registeredAtMs } = agent
  const termsVersion = await renewConsent(context, agent, options)
  const summary = { agentId, origin, isEmulated, room, registeredAtMs, termsVersion }
  return { alreadyRegistered: true, keptIn: home.path, ...summary }
}

/** The version of the terms that the operator consents to, after asking about a newer one. */
async function renewConsent(context: Context, agent: Agent, options: RegisterOptions): Promise<string | null> {
  if (agent.termsVersion === null) return null
  const config = await configAt(context, agent.origin).catch((error: unknown) => {
    // A second run must work even if the directory is down.
    if (error instanceof UserError || codeOf(error) !== undefined) return undefined
    throw error
  })
  const isNew = config?.projectId === agent.projectId && config.termsVersion !== agent.termsVersion
  const canConsent = context.ask !== undefined || (options.acceptTerms && options.acceptDisclaimer && options.adult)
  if (config === undefined || !isNew || !canConsent) return agent.termsVersion
  await askConsents(context, agent.origin, config, options)
  const { termsVersion } = config
  await context.home.change(async (files) => {
    const current = await files.read(agentFile)
    if (current?.agentId === agent.agentId) await files.write(agentFile, { ...current, termsVersion })
  })
  return termsVersion
}

/** Registering again discards the former credential, so the directory must no longer accept it. */
async function assertGone(context: Context, agent: Agent): Promise<void> {
  try {
    await directoryOf(context, agent).signIn()
  } catch (error) {
    if (codeOf(error) === 'unauthenticated') return
    throw error
  }
  throw new UserError(
    `The agent in ${context.home.path} is still registered in ${agent.origin}.`,
    'Run `koko unregister` first, or set KOKO_HOME to another folder for a second agent.',
  )
}

function chooseRoom(origin: string, { rooms }: Config, wanted: RoomName | undefined): RoomName {
  const names = new Set(rooms.map(({ name }) => name))
  const room = wanted ?? rooms[0]?.name
  if (room !== undefined && names.has(room)) return room
  throw new UserError(`${origin} has no such room.`, `Its rooms are ${[...names].join(', ')}.`)
}

/** Shows and asks for the consents that no option gave. Throws `UserError` if one is refused. */
async function askConsents(context: Context, origin: string, config: Config, given: RegisterOptions): Promise<void> {
  const questions = [
    [given.acceptTerms, '--accept-terms', `Do you accept the terms of use, ${origin}/terms?`],
    [given.acceptDisclaimer, '--accept-disclaimer', `Do you accept the disclaimer, ${origin}/disclaimer?`],
    [given.adult, '--adult', 'Are you, and everyone this agent speaks for, 18 or older?'],
  ] as const
  const open = questions.filter(([isGiven]) => !isGiven)
  if (open.length === 0) return
  if (context.ask === undefined) {
    throw new UserError(
      'Registering needs your consent.',
      `Read ${origin}/terms and ${origin}/disclaimer, then give ${open.map(([, flag]) => flag).join(' ')}.`,
      { code: 'confirmation-required' },
    )
  }
  context.ask.say(
    [
      `To register in ${origin} you must:`,
      `  1. accept the terms of use (version ${plain(config.termsVersion)}): ${origin}/terms`,
      `  2. accept the disclaimer: ${origin}/disclaimer`,
      '  3. confirm that you, and everyone the agent speaks for, are at least 18 years old',
    ].join('\n'),
  )
  for (const [, , message] of open) {
    if (await context.ask.confirm({ message, initial: false })) continue
    throw new UserError(
      'Registering needs this consent. Nothing was sent.',
      'Run `koko init` again when you are ready.',
    )
  }
}

/** This project's directories set this maximum; half of it is the average. */
const maxAttempts = 512
/** Shorter than a challenge is valid, so that its solution still arrives in time. */
const timeoutMs = challengeLifetimeMs - 30 * secondMs

/** Limits for one attempt, which cannot be stopped: some seconds on one core. */
const maxCost = 10_000_000
const maxKeyLength = 1_024

/** Solves a challenge in the thread pool, so that Ctrl-C takes effect between two attempts. */
async function solve({ signal, report }: Context, challenge: Challenge): Promise<Solution> {
  const { cost, keyLength } = challenge.parameters
  if (cost > maxCost || keyLength > maxKeyLength) {
    throw new UserError(
      'The directory requires a larger proof of work than koko accepts.',
      'Ask the host of the directory.',
    )
  }
  let attempts = 0
  const solution = await solveChallenge({
    challenge,
    timeout: timeoutMs,
    deriveKey(...work) {
      signal.throwIfAborted()
      report({ text: 'Solving the proof of work', done: Math.min(1, attempts / maxAttempts) })
      attempts += 1
      return deriveKey(...work)
    },
  })
  if (solution === null) {
    throw new UserError('The proof of work took too long.', 'Run it again, on a faster machine if there is one.')
  }
  return solution
}
