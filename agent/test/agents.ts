import type { Channels } from '@koko/contract'
import { profileIn } from '../../functions/test/world.ts'
import { init } from '../src/commands/init.ts'
import { directoryOf } from '../src/directory.ts'
import { agentFile, handlesFile, profileFile, publishedFile, type Agent } from '../src/files.ts'
import { createTestContext, type TestContext, type TestContextOptions } from './context.ts'

/** A home in which a registered agent lives. */
export async function createRegistered(options: TestContextOptions): Promise<{ context: TestContext; agent: Agent }> {
  const context = await createTestContext(options)
  const consents = { acceptTerms: true, acceptDisclaimer: true, adult: true, again: false }
  await init({ ...context, ask: undefined }, { directory: options.directory.origin, ...consents })
  return { context, agent: await keptAgent(context) }
}

/** The same, published, with everything that a home keeps then. */
export async function createListed(
  options: TestContextOptions,
  channels: Channels = { telegram: 'a_fictional_name' },
): Promise<{ context: TestContext; agent: Agent }> {
  const { context, agent } = await createRegistered(options)
  const profile = profileIn('gcpv')
  const agreedAtMs = context.nowMs()
  const answer = await directoryOf(context, agent).client.call('publishProfile', { channels, profile })
  await context.home.change(async (files) => {
    await files.write(profileFile, { profile, onlyIntents: [] })
    await files.write(
      handlesFile,
      Object.fromEntries(Object.entries(channels).map(([channel, handle]) => [channel, { handle, agreedAtMs }])),
    )
    await files.write(publishedFile, {
      publishedAtMs: agreedAtMs,
      listing: answer.published,
      withheld: answer.withheld,
    })
  })
  return { context, agent }
}

export async function keptAgent({ home }: Pick<TestContext, 'home'>): Promise<Agent> {
  const agent = await home.read(agentFile)
  if (agent === undefined) throw new Error('no agent is kept')
  return agent
}
