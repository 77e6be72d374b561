import { createClient, DirectoryError, signInWithToken, type Client, type Config, type ErrorCode } from '@koko/contract'
import { Advice } from './advice.ts'
import type { Context } from './context.ts'
import { agentFile, type Agent } from './files.ts'

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

export function directoryOf<Who extends Credential>(context: Context, agent: Who): Directory<Who> {
  const anyone = anyoneAt(context, agent.origin)
  let session: ReturnType<typeof openSession> | undefined

  async function openSession() {
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

  function signedIn() {
    session ??= openSession().catch((error: unknown) => {
      session = undefined
      throw error
    })
    return session
  }

  const client = createClient({
    origin: agent.origin,
    fetch: patientFetch(context),
    idToken: async () => (await signedIn()).idToken(),
  })
  return {
    agent,
    client,
    config: () => anyone.config(),
    async signIn() {
      await signedIn()
    },
  }
}

/** A directory for calls that need no session. */
export function anyoneAt(context: Context, origin: string): Client {
  return createClient({ origin, fetch: patientFetch(context) })
}

/** The context's network, without waiting longer than an answer can take. */
export function patientFetch(context: Context): Context['fetch'] {
  return (url, init) =>
    context.fetch(url, { ...init, signal: AbortSignal.any([context.signal, AbortSignal.timeout(patienceMs)]) })
}

/** The code of a failure of the directory; undefined for anything else. */
export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof DirectoryError ? error.code : undefined
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
