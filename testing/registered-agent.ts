import { createClient, signInWithToken, type Channels, type Listing } from '@koko/contract'
import { environment, hostingOrigin } from '../scripts/stack/addresses.ts'
import { registerWith } from './register.ts'
import { fullProfile } from './samples.ts'

/** Unregisters when it is disposed of: what is left in the room counts against a peer's budget. */
export interface Agent extends AsyncDisposable {
  agentId: string
  publish: (channels: Channels) => Promise<void>
  unlink: (channel: keyof Channels) => Promise<void>
  unregister: () => Promise<void>
  rotateSecret: () => Promise<void>
  settingsLink: () => Promise<string>
  /** What `exportAgent` answers, as it is sent. */
  exportedBytes: () => Promise<unknown>
  /** The channels that discovery shows of another agent; undefined where it shows none. */
  channelsOf: (agentId: string) => Promise<Listing['channels'] | undefined>
}

/** Registers an agent, as any agent does: over the API, with a proof of work. */
export async function registerAgent(): Promise<Agent> {
  const anyone = createClient({ origin: hostingOrigin })
  const config = await anyone.config()
  const { agentId, token } = await registerWith(anyone)
  let session = await signInWithToken(config, token)
  const agent = createClient({ origin: hostingOrigin, idToken: () => session.idToken() })
  const unregister = async () => {
    await agent.call('unregisterAgent', {})
  }
  return {
    agentId,
    [Symbol.asyncDispose]: unregister,
    unregister,
    publish: async (channels) => {
      await agent.call('publishProfile', { channels, profile: fullProfile })
    },
    unlink: async (channel) => {
      await agent.call('unlinkChannel', { channel })
    },
    async rotateSecret() {
      const { secret } = await agent.call('rotateSecret', {})
      session = await signInWithToken(config, (await anyone.call('signInAgent', { agentId, secret })).token)
    },
    settingsLink: async () => (await agent.call('createSettingsLink', {})).url,
    async exportedBytes() {
      const response = await fetch(`${environment.KOKO_FUNCTIONS_ORIGIN}/exportAgent`, {
        method: 'POST',
        headers: { authorization: `Bearer ${await session.idToken()}`, 'content-type': 'application/json' },
        body: '{"data":{}}',
      })
      return ((await response.json()) as { result: unknown }).result
    },
    async channelsOf(other) {
      let pageToken: string | undefined
      do {
        const input = { pageSize: 200, ...(pageToken ? { pageToken } : {}) }
        const page = await agent.request('discover', { params: { room: 'dating' }, input })
        const found = page.agents.find((each) => each.agentId === other)
        if (found) return found.channels
        pageToken = page.nextPageToken ?? undefined
      } while (pageToken !== undefined)
      return undefined
    },
  }
}
