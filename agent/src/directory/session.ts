import { createClient, DirectoryError, signInWithToken, type Client, type Config, type ErrorCode } from '@koko/contract'
import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'
import { agentFile, type Agent } from '../home/files.ts'
import { networkOf } from './network.ts'

export type Credential = Pick<Agent, 'origin' | 'projectId' | 'agentId' | 'secret'>

/** A directory, and an agent in it, usually this home's. Signs in on the first call that requires it. */
export interface Directory<Who extends Credential = Agent> {
  agent: Who
  client: Client
  config: () => Promise<Config>
  /** Signs in, unless it did before. Throws `unauthenticated` if the secret is not accepted. */
  signIn: () => Promise<void>
}

/** The directory of this home's agent. Throws `UserError` if there is no agent. */
export async function openDirectory(context: Context): Promise<Directory> {
  const agent = await context.home.read(agentFile)
  if (agent === undefined) {
    throw new UserError(
      `No agent lives in ${context.home.path} yet.`,
      'Run `koko init`, or `koko restore` with a secret.',
    )
  }
  return directoryOf(context, agent)
}

export function directoryOf<Who extends Credential>(context: Context, agent: Who): Directory<Who> {
  const network = networkOf(context, agent)
  let session: ReturnType<typeof openSession> | undefined

  async function openSession() {
    const config = await client.config()
    if (config.projectId !== agent.projectId) {
      throw new UserError(
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

/** Undefined if the directory did not cause the error. */
export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof DirectoryError ? error.code : undefined
}
