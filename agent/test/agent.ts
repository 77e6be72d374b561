import { Channel, type DatingProfile } from '@koko/contract'
import { call, codeOf, profileIn, type Claims } from '../../functions/test/world.ts'
import { openDirectory } from '../src/directory.ts'
import { init } from '../src/commands/init.ts'
import { handlesFile, profileFile, type Handles } from '../src/files.ts'
import type { Context } from '../src/context.ts'
import type { TestDirectory } from './directory.ts'

export type HandleTexts = Partial<Record<Channel, string>>

/** Registers the home's agent, with a profile and with handles that nobody agreed to yet. */
export async function setUpAgent(
  context: Context,
  directory: TestDirectory,
  handles: HandleTexts = {},
  profile: DatingProfile = profileIn('gcpv'),
): Promise<string> {
  const consents = { acceptTerms: true, acceptDisclaimer: true, adult: true, again: false }
  const { agentId } = await init(context, { directory: directory.origin, ...consents })
  await context.home.change((files) => files.write(profileFile, { profile, onlyIntents: [] }))
  await keepHandles(context, handles)
  return agentId
}

/** Replaces every handle; none is agreed to. */
export async function keepHandles({ home }: Context, handles: HandleTexts): Promise<void> {
  const kept: Handles = {}
  for (const channel of Channel.options) {
    const handle = handles[channel]
    if (handle !== undefined) kept[channel] = { handle, agreedAtMs: null }
  }
  await home.change((files) => files.write(handlesFile, kept))
}

/** The claims of a session on the settings page, opened with a link of the home's agent. */
export async function openSettings(context: Context, { world }: TestDirectory): Promise<Claims> {
  const { client } = await openDirectory(context)
  const { url } = await client.call('createSettingsLink', {})
  const { token } = await call(world, 'redeemSettingsLink', undefined, { code: codeOf(url) })
  return world.signIns.exchange(token)
}
