import { DirectoryError, type Challenge, type Config, type RoomName, type Solution } from '@koko/contract'
import { solveChallenge } from 'altcha-lib'
import { deriveKey } from 'altcha-lib/algorithms/pbkdf2'
import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'
import { anyoneAt } from '../directory/session.ts'
import type { Agent } from '../home/files.ts'
import { plain } from '../output.ts'

export interface Consents {
  acceptTerms: boolean
  acceptDisclaimer: boolean
  adult: boolean
}

/** Shows and asks the consents that no option gave. Throws `UserError` where one is missing. */
export async function askConsents(context: Context, origin: string, config: Config, given: Consents): Promise<void> {
  const questions = [
    [given.acceptTerms, '--accept-terms', `Do you accept the terms of use, ${origin}/terms?`],
    [given.acceptDisclaimer, '--accept-disclaimer', `Do you accept the disclaimer, ${origin}/disclaimer?`],
    [given.adult, '--adult', 'Are you, and everybody whom this agent speaks for, 18 or older?'],
  ] as const
  const open = questions.filter(([isGiven]) => !isGiven)
  if (open.length === 0) return
  if (context.ask === undefined) {
    throw new UserError(
      'Registering needs your consent.',
      `Read ${origin}/terms and ${origin}/disclaimer, then give ${open.map(([, flag]) => flag).join(' ')}.`,
    )
  }
  context.ask.say(
    [
      `Registering in ${origin} needs three things of you:`,
      `  1. consent to the terms of use (version ${plain(config.termsVersion)}): ${origin}/terms`,
      `  2. consent to the disclaimer: ${origin}/disclaimer`,
      '  3. that you, and everybody whom the agent speaks for, are at least 18 years old',
    ].join('\n'),
  )
  for (const [, , message] of open) {
    if (await context.ask.confirm({ message, initial: false })) continue
    throw new UserError('Without it there is no registering. Nothing was sent.', 'Run `koko init` when you want it.')
  }
}

/** A directory of this project takes this many attempts at most, and half of them on average. */
const mostAttempts = 512
/** A challenge is good for ten minutes. */
const longestMs = 570_000

/** Of one attempt, which nothing can stop: some seconds of a core. */
const mostCost = 10_000_000
const mostKeyLength = 1_024

/** Solves a challenge in the thread pool, so that Ctrl-C is heard between two attempts. */
export async function solve(
  { signal, report }: Pick<Context, 'signal' | 'report'>,
  challenge: Challenge,
): Promise<Solution> {
  const { cost, keyLength } = challenge.parameters
  if (cost > mostCost || keyLength > mostKeyLength) {
    throw new UserError('The directory asks for more work than any does.', 'Tell its host.')
  }
  let attempts = 0
  const solution = await solveChallenge({
    challenge,
    timeout: longestMs,
    deriveKey(...work) {
      signal.throwIfAborted()
      report({ text: 'Solving the proof of work', done: Math.min(1, attempts / mostAttempts) })
      attempts += 1
      return deriveKey(...work)
    },
  })
  if (solution === null) {
    throw new UserError('The proof of work took too long.', 'Run it again, on a faster machine if there is one.')
  }
  return solution
}

/** Registers an agent. The secret in the answer is its only copy. */
export async function register(
  context: Context,
  place: { origin: string; config: Config; room: RoomName },
  proof: { challenge: Challenge; solution: Solution },
): Promise<Agent> {
  const { origin, config, room } = place
  const consents = { terms: true, disclaimer: true, adult: true }
  const { agentId, registeredAtMs, secret } = await anyoneAt(context, origin)
    .call('registerAgent', { category: room, consents, proof })
    .catch((cause: unknown) => {
      if (!(cause instanceof DirectoryError) || cause.code !== 'failed-precondition') throw cause
      throw new UserError(cause.message, 'Run `koko init` again.', { cause })
    })
  return {
    origin,
    projectId: config.projectId,
    isEmulated: config.emulators !== undefined,
    room,
    agentId,
    registeredAtMs,
    secret,
    termsVersion: config.termsVersion,
  }
}
