import {
  createClient,
  DirectoryError,
  signInWithToken,
  type Channel,
  type Client,
  type Config,
  type ErrorCode,
} from '@koko/contract'
import { UserError } from '../errors.ts'
import type { Context } from '../context.ts'
import { agentFile, type Agent } from '../home/files.ts'
import { ignoreUserError } from '../home/read-if-whole.ts'
import { networkOf } from './network.ts'
import { deliver, markOutbox, type Delivery } from './outbox.ts'

export type Credential = Pick<Agent, 'origin' | 'projectId' | 'agentId' | 'secret' | 'pendingSecret'>

/** A directory, and an agent in it, usually this home's. Signs in on the first call that requires it. */
export interface Directory<Who extends Credential = Agent> {
  agent: Who
  client: Client
  config: () => Promise<Config>
  /** Signs in, unless it did before. Returns the secret. Throws `unauthenticated` if the directory does not accept it. */
  signIn: () => Promise<string>
  /**
   * Sends the unlinks that wait in this home. Signing in sends them too, before anything else is asked. Reports each, but
   * not a failure of `own`, which the caller reports.
   */
  sendOutbox: (own?: Channel) => Promise<Delivery>
}

/** The directory of this home's agent. Throws `UserError` if there is no agent. */
export async function openDirectory(context: Context): Promise<Directory> {
  const agent = await context.home.read(agentFile)
  if (agent === undefined) {
    throw new UserError(
      `There is no agent in ${context.home.path} yet.`,
      'Run `koko init`, or `koko restore` with a secret.',
    )
  }
  return directoryOf(context, agent)
}

export function directoryOf<Who extends Credential>(context: Context, agent: Who): Directory<Who> {
  const network = networkOf(context, agent)
  let session: ReturnType<typeof openSession> | undefined

  async function openSession(own?: Channel) {
    const config = await client.config()
    if (config.projectId !== agent.projectId) {
      throw new UserError(
        `${agent.origin} now belongs to another directory (${config.projectId}, not ${agent.projectId}).`,
        'Ask the host of the directory. Your secret was not sent.',
      )
    }
    const { secret, token } = await chooseSecret().catch(async (error: unknown) => {
      if (codeOf(error) === 'unauthenticated') await markOutbox(context, agent.agentId, { isRefused: true })
      throw error
    })
    const opened = await signInWithToken(config, token, { fetch: network, nowMs: context.nowMs })
    if (agent.pendingSecret !== undefined) {
      await keepOnly(context, agent, secret)
      const text =
        secret === agent.pendingSecret
          ? 'An interrupted rotation of the secret is now complete. To see a new secret, run `koko rotate` again.'
          : 'An interrupted rotation of the secret is void. Your current secret stays valid.'
      context.report({ text, isLasting: true })
    }
    const idToken = () => opened.idToken()
    const authorised = createClient({ origin: agent.origin, fetch: network, idToken })
    return { idToken, secret, delivery: await deliver(context, authorised, agent.agentId, own) }
  }

  async function tokenFor(secret: string) {
    const { token } = await client.call('signInAgent', { agentId: agent.agentId, secret })
    return { secret, token }
  }

  /** After a rotation that was cut off, the new secret comes first: the directory then completes it, unless it is void. */
  async function chooseSecret() {
    const { secret, pendingSecret } = agent
    if (pendingSecret === undefined) return tokenFor(secret)
    return tokenFor(pendingSecret).catch((error: unknown) => {
      if (codeOf(error) !== 'unauthenticated') throw error
      return tokenFor(secret)
    })
  }

  function signedIn(own?: Channel) {
    session ??= openSession(own).catch((error: unknown) => {
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
    signIn: async () => (await signedIn()).secret,
    async sendOutbox(own) {
      const isOpen = session !== undefined
      const { delivery } = await signedIn(own)
      return isOpen ? deliver(context, client, agent.agentId, own) : delivery
    },
  }
}

/** Drops the other secret of a home that has two. If that fails, the next command does it. */
async function keepOnly({ home }: Context, { agentId, secret: old, pendingSecret }: Credential, secret: string) {
  const drop = home.change(async (files) => {
    const current = await files.read(agentFile)
    const isSame = current?.agentId === agentId && current.secret === old && current.pendingSecret === pendingSecret
    if (!isSame) return
    const { pendingSecret: _dropped, ...agent } = current
    await files.write(agentFile, { ...agent, secret })
  })
  await drop.catch(ignoreUserError)
}

/** A directory for calls that need no session. */
export function anyoneAt(context: Context, origin: string): Client {
  return createClient({ origin, fetch: networkOf(context, { origin }) })
}

/** Undefined if the directory did not cause the error. */
export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof DirectoryError ? error.code : undefined
}
