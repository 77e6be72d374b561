import { createClient, DirectoryError, signInWithToken, type Client, type Config, type ErrorCode } from '@koko/contract'
import { Advice } from '../errors.ts'
import type { Context } from '../context.ts'
import { agentFile, type Agent } from '../home/files.ts'
import { networkOf } from './network.ts'

/** What signing in takes. */
export type Credential = Pick<Agent, 'origin' | 'projectId' | 'agentId' | 'secret'>

/** A directory, and an agent in it: this home's, mostly. Signs in on the first call that needs it. */
export interface Directory<Who extends Credential = Agent> {
  agent: Who
  client: Client
  config: () => Promise<Config>
  /** Signs in, unless it has. Throws `unauthenticated` where the secret is not accepted. */
  signIn: () => Promise<void>
}

/** The directory that this home's agent is registered in. Throws `Advice` where there is none. */
export async function openDirectory(context: Context): Promise<Directory> {
  const agent = await context.home.read(agentFile)
  if (agent === undefined) {
    throw new Advice(`No agent lives in ${context.home.path} yet.`, 'Run `koko init`, or `koko restore` with a secret.')
  }
  return directoryOf(context, agent)
}

export function directoryOf<Who extends Credential>(context: Context, agent: Who): Directory<Who> {
  const network = networkOf(context, agent)
  let session: ReturnType<typeof openSession> | undefined

  async function openSession() {
    const config = await client.config()
    if (config.projectId !== agent.projectId) {
      throw new Advice(
        `${agent.origin} is another directory now (${config.projectId}, not ${agent.projectId}).`,
        'Ask its host. Your secret was not sent.',
      )
    }
    const { token } = await client.call('signInAgent', { agentId: agent.agentId, secret: agent.secret })
    return signInWithToken(config, token, { fetch: network, nowMs: context.nowMs })
  }

  function signedIn() {
    session ??= openSession().catch((error: unknown) => {
      session = undefined
      throw error
    })
    return session
  }

  const client = createClient({
    origin: agent.origin,
    fetch: network,
    idToken: async () => (await signedIn()).idToken(),
  })
  return {
    agent,
    client,
    config: () => client.config(),
    async signIn() {
      await signedIn()
    },
  }
}

/** A directory for calls that need no session. */
export function anyoneAt(context: Context, origin: string): Client {
  return createClient({ origin, fetch: networkOf(context, { origin }) })
}

/** The code of a failure of the directory; undefined for anything else. */
export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof DirectoryError ? error.code : undefined
}

/** A sentence of a directory is no longer than this. */
const longestSentence = 300

/** What the operator can do about a failure of the directory; null where it is a defect of koko. */
export function adviceOf(error: DirectoryError): Advice | null {
  if (error.cause instanceof Advice) return error.cause
  const message = error.message.slice(0, longestSentence)
  switch (error.code) {
    case 'unavailable':
      return new Advice(message, 'Nothing is lost: run it again later. `koko doctor` shows what is wrong.', {
        cause: error,
      })
    case 'unauthenticated':
      return new Advice(
        'The directory does not accept this agent: its secret was replaced, or it was removed.',
        'With the new secret run `koko restore`; an agent that was removed registers anew with `koko init --again`.',
        { cause: error },
      )
    case 'resource-exhausted':
      return new Advice(message, `Run it again in ${inWords(retryAfterSecondsOf(error) ?? 60)}.`, { cause: error })
    case 'aborted':
      return new Advice(message, 'Run it again.', { cause: error })
    case 'failed-precondition':
    case 'permission-denied':
    case 'not-found':
      return new Advice(message, '`koko doctor` shows what is wrong.', { cause: error })
    case 'internal':
      return new Advice(message, 'Run it again later; if it stays, install the newest koko, or tell its host.', {
        cause: error,
      })
    case 'invalid-argument':
      return null
  }
}

/** Budgets are whole again within a day: who asks to wait for longer is not believed. */
const longestWaitSeconds = 86_400

/** How long the directory asks to wait; undefined where it does not. */
export function retryAfterSecondsOf({ details }: DirectoryError): number | undefined {
  if (details === undefined || !('retryAfterSeconds' in details)) return undefined
  return Math.min(longestWaitSeconds, Math.max(0, details.retryAfterSeconds))
}

/** Seconds as people say them. */
function inWords(seconds: number): string {
  if (seconds < 120) return `${seconds} seconds`
  if (seconds < 7_200) return `${Math.ceil(seconds / 60)} minutes`
  return `${Math.ceil(seconds / 3_600)} hours`
}
