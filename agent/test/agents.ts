import { Channel, type Channels, type DatingProfile } from '@koko/contract'
import { call, codeOf, profileIn, type Claims } from '../../testing/world.ts'
import { register as registerAgent } from '../src/operations/register.ts'
import type { Context } from '../src/context.ts'
import { directoryOf, openDirectory } from '../src/directory/session.ts'
import {
  agentFile,
  handlesFile,
  profileFile,
  publishedFile,
  type Agent,
  type Handles,
  type Profile,
} from '../src/home/files.ts'
import { createTestContext, type TestContext, type TestContextOptions } from './context.ts'
import type { TestDirectory } from '../../testing/directory.ts'

export type HandleTexts = Partial<Record<Channel, string | undefined>>

/** Registers the home's agent, with a profile and with handles that are not agreed to yet. */
export async function setUpAgent(
  context: Context,
  directory: TestDirectory,
  handles: HandleTexts = {},
  profile: DatingProfile = profileIn('gcpv'),
): Promise<string> {
  const { agentId } = await register(context, directory)
  await context.home.change((files) => files.write(profileFile, ownProfile(profile)))
  await keepHandles(context, handles)
  return agentId
}

/** A home in which a registered agent lives. */
export async function createRegistered(options: TestContextOptions): Promise<{ context: TestContext; agent: Agent }> {
  const context = await createTestContext(options)
  return { context, agent: await register(context, options.directory) }
}

/** A home in which a published agent lives. */
export async function createListed(
  options: TestContextOptions,
  channels: Channels = { telegram: 'a_fictional_name' },
): Promise<{ context: TestContext; agent: Agent }> {
  const { context, agent } = await createRegistered(options)
  const profile = profileIn('gcpv')
  const agreedAtMs = context.nowMs()
  const answer = await directoryOf(context, agent).client.call('publishProfile', { channels, profile })
  await context.home.change(async (files) => {
    await files.write(profileFile, ownProfile(profile))
    await files.write(handlesFile, handlesOf(channels, agreedAtMs))
    const { published: listing, withheld } = answer
    await files.write(publishedFile, { publishedAtMs: agreedAtMs, listing, withheld })
  })
  return { context, agent }
}

/** Replaces every handle; none is agreed to. */
export async function keepHandles({ home }: Context, handles: HandleTexts): Promise<void> {
  await home.change((files) => files.write(handlesFile, handlesOf(handles, null)))
}

/** Replaces the agent's secret from elsewhere. Returns the new one, which no home has. */
export async function replaceSecret(context: Context, agent: Agent): Promise<string> {
  const { secret } = await directoryOf(context, agent).client.call('rotateSecret', {})
  await directoryOf(context, { ...agent, secret }).signIn()
  return secret
}

export async function keptAgent({ home }: Pick<Context, 'home'>): Promise<Agent> {
  const agent = await home.read(agentFile)
  if (agent === undefined) throw new Error('no agent is kept')
  return agent
}

/** The claims of a session on the settings page, opened with a link of the home's agent. */
export async function openSettings(context: Context, { world }: TestDirectory): Promise<Claims> {
  const { client } = await openDirectory(context)
  const { url } = await client.call('createSettingsLink', {})
  const { token } = await call(world, 'redeemSettingsLink', undefined, { code: codeOf(url) })
  return world.signIns.exchange(token)
}

function ownProfile(profile: DatingProfile): Profile {
  return { room: 'dating', profile, dealbreakers: { onlyIntents: [] } }
}

async function register(context: Context, { origin }: TestDirectory): Promise<Agent> {
  const consents = { acceptTerms: true, acceptDisclaimer: true, adult: true, again: false }
  await registerAgent({ ...context, ask: undefined }, { directory: origin, ...consents })
  return keptAgent(context)
}

function handlesOf(texts: HandleTexts, agreedAtMs: number | null): Handles {
  const kept: Handles = {}
  for (const channel of Channel.options) {
    const handle = texts[channel]
    if (handle !== undefined) kept[channel] = { handle, agreedAtMs }
  }
  return kept
}
