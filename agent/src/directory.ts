import { createClient, signInWithToken, type Client, type Config, type DirectoryError } from '@koko/contract'
import { Advice } from './advice.ts'
import type { Context } from './context.ts'
import { agentFile, type Agent } from './files.ts'

/** A directory, and this home's agent in it. Signs in on the first call that needs it. */
export interface Directory {
  agent: Agent
  client: Client
  config: () => Promise<Config>
}

/** No call waits longer than this for an answer. */
const patienceMs = 30_000

/** The directory that this home's agent is registered in. Throws `Advice` where there is none. */
export async function openDirectory(context: Context): Promise<Directory> {
  const agent = await context.home.read(agentFile)
  if (agent === undefined) {
    throw new Advice(`No agent lives in ${context.home.path} yet.`, 'Run `koko init`, or `koko restore` with a secret.')
  }
  return directoryOf(context, agent)
}

export function directoryOf(context: Context, agent: Agent): Directory {
  const anyone = anyoneAt(context, agent.origin)
  let session: ReturnType<typeof signIn> | undefined

  async function signIn() {
    const config = await anyone.config()
    if (config.projectId !== agent.projectId) {
      throw new Advice(
        `${agent.origin} is another directory now (${config.projectId}, not ${agent.projectId}).`,
        'Ask its host. Your secret was not sent.',
      )
    }
    const { token } = await anyone.call('signInAgent', { agentId: agent.agentId, secret: agent.secret })
    return signInWithToken(config, token, { fetch: patientFetch(context), nowMs: context.nowMs })
  }

  const client = createClient({
    origin: agent.origin,
    fetch: patientFetch(context),
    async idToken() {
      session ??= signIn().catch((error: unknown) => {
        session = undefined
        throw error
      })
      return (await session).idToken()
    },
  })
  return { agent, client, config: () => anyone.config() }
}

/** A directory for calls that need no session. */
export function anyoneAt(context: Context, origin: string): Client {
  return createClient({ origin, fetch: patientFetch(context) })
}

function patientFetch(context: Context): Context['fetch'] {
  return (url, init) =>
    context.fetch(url, { ...init, signal: AbortSignal.any([context.signal, AbortSignal.timeout(patienceMs)]) })
}

/** What the operator can do about a failure of the directory; null where it is a defect of koko. */
export function adviceOf(error: DirectoryError): Advice | null {
  switch (error.code) {
    case 'unavailable':
      return new Advice(error.message, 'Nothing is lost: run it again later. `koko doctor` looks what is wrong.', {
        cause: error,
      })
    case 'unauthenticated':
      return new Advice(
        'The directory does not accept this agent: its secret was replaced, or it was removed.',
        'With the new secret run `koko restore`; an agent that was removed registers anew with `koko init --again`.',
        { cause: error },
      )
    case 'resource-exhausted': {
      const seconds =
        error.details !== undefined && 'retryAfterSeconds' in error.details ? error.details.retryAfterSeconds : 60
      return new Advice(error.message, `Run it again in ${inWords(seconds)}.`, { cause: error })
    }
    case 'aborted':
      return new Advice(error.message, 'Run it again.', { cause: error })
    case 'failed-precondition':
    case 'permission-denied':
    case 'not-found':
      return new Advice(error.message, '`koko doctor` looks what is wrong.', { cause: error })
    case 'invalid-argument':
    case 'internal':
      return null
  }
}

/** Seconds as people say them. */
function inWords(seconds: number): string {
  if (seconds < 120) return `${seconds} seconds`
  if (seconds < 7_200) return `${Math.ceil(seconds / 60)} minutes`
  return `${Math.ceil(seconds / 3_600)} hours`
}
