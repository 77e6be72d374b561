import { expect, test } from '@jest/globals'
import { dayMs, DirectoryError, Listing, type CallableName } from '@koko/contract'
import { republishDiscovery } from './discovery/republish.ts'
import { handleHttp } from './http.ts'
import { OutcomeUnknown, type Ports } from './ports.ts'
import { createRecentErrors } from './status.ts'
import { consents } from '../../testing/samples.ts'
import {
  call,
  createWorld,
  newSettingsCode,
  openSettings,
  pathsUnder,
  profileIn,
  refusalOf,
  register,
  registerListed,
  solution,
  storedAt,
  type Claims,
  type TestAgent,
  type World,
} from '../../testing/world.ts'

const noon = Date.UTC(2026, 10, 21, 12)
const channels = { telegram: 'ann_repeats', slack: 'U0REPEATS1' }
const profile = profileIn('gcpv')
const outcomes = ['stored', 'lost'] as const

/** The ports of a directory whose database confirms no commit, which is stored or lost. */
function unconfirmed({ ports }: World, outcome: (typeof outcomes)[number]): Ports {
  const { store } = ports
  return {
    ...ports,
    store: {
      ...store,
      async transaction(work) {
        if (outcome === 'stored') await store.transaction(work)
        throw new OutcomeUnknown('The test did not confirm it.')
      },
    },
  }
}

/** Makes a call whose outcome is unknown, and expects what its caller is told. */
async function callUnconfirmed(
  world: World,
  outcome: (typeof outcomes)[number],
  name: CallableName,
  claims?: Claims,
  data?: unknown,
): Promise<void> {
  const { code, message } = await refusalOf(call({ ...world, ports: unconfirmed(world, outcome) }, name, claims, data))
  expect(code).toBe('unavailable')
  expect(message).toMatch(
    /^The database did not confirm this call in time, so it may or may not have taken effect\. \w/,
  )
}

const repeatable: {
  name: CallableName
  data?: unknown
  settings?: true
  isDone: (world: World, agent: TestAgent) => void
}[] = [
  {
    name: 'publishProfile',
    data: { channels: { telegram: 'ann_again' }, profile },
    isDone(world, { agentId }) {
      const listing = Listing.parse(storedAt(world, `mcpDirectory/dating/agents/${agentId}`))
      expect(listing.channels).toEqual({ telegram: 'ann_again' })
    },
  },
  {
    name: 'unlinkChannel',
    data: { channel: 'slack' },
    isDone(world, { agentId }) {
      expect(storedAt(world, `unlinks/${agentId}`)).toEqual({ slack: { unlinkedAtMs: noon, goneAtMs: null } })
    },
  },
  { name: 'relinkChannel', data: { channel: 'telegram' }, settings: true, isDone: () => undefined },
  {
    name: 'heartbeat',
    isDone(world, { agentId }) {
      const listing = Listing.parse(storedAt(world, `mcpDirectory/dating/agents/${agentId}`))
      expect(listing.presence.lastSeenAtMs).toBe(noon - (noon % dayMs))
    },
  },
  {
    name: 'unregisterAgent',
    isDone(world, { agentId }) {
      expect(pathsUnder(world, 'agents/')).toEqual([])
      expect(world.signIns.existing.has(agentId)).toBe(false)
    },
  },
  { name: 'createSettingsLink', isDone: (world) => expect(pathsUnder(world, 'settingsLinks/')).toHaveLength(1) },
]

test.each(repeatable.flatMap((each) => outcomes.map((outcome) => [each.name, outcome, each] as const)))(
  'a %s whose commit was %s without a confirmation has one effect when it is repeated',
  async (name, outcome, { data, settings, isDone }) => {
    const world = createWorld(noon)
    const agent = await registerListed(world, channels)
    const claims = settings ? await openSettings(world, agent) : agent.claims
    await callUnconfirmed(world, outcome, name, claims, data)
    await call(world, name, claims, data)
    isDone(world, agent)
  },
)

test.each(outcomes)(
  'a registration that was %s without a confirmation is made again with a new proof',
  async (outcome) => {
    const world = createWorld(noon)
    const { challenge } = await call(world, 'createRegistrationChallenge')
    const input = { category: 'dating', consents, proof: { challenge, solution } }
    await callUnconfirmed(world, outcome, 'registerAgent', undefined, input)
    await register(world)
    // What nobody can use is removed after 30 days.
    world.clock.advance(31 * dayMs)
    await republishDiscovery(world.ports, world.clock.now)
    expect(pathsUnder(world, 'agents/')).toEqual([])
  },
)

test.each(outcomes)(
  'a settings link whose use was %s without a confirmation is opened again, or replaced',
  async (outcome) => {
    const world = createWorld(noon)
    const agent = await registerListed(world, channels)
    const open = async () => ({ code: await newSettingsCode(world, agent) })
    const link = await open()
    await callUnconfirmed(world, outcome, 'redeemSettingsLink', undefined, link)
    const again = call(world, 'redeemSettingsLink', undefined, link)
    if (outcome === 'lost') {
      await again
      return
    }
    expect(await refusalOf(again)).toMatchObject({ code: 'not-found' })
    await call(world, 'redeemSettingsLink', undefined, await open())
  },
)

test.each(['discover', 'batchGet'])('%s says that the budget may have been charged', async (name) => {
  const world = createWorld(noon)
  const { claims, agentId } = await registerListed(world, channels)
  // A page that is empty costs nothing.
  await registerListed(world, channels)
  await republishDiscovery(world.ports, world.clock.now)
  const api = {
    ports: unconfirmed(world, 'stored'),
    view: world.newInstance(),
    project: { projectId: 'demo-unknown', apiKey: 'a key', emulators: undefined },
    recentErrors: createRecentErrors(world.clock.monotonicMs),
    onFault: () => undefined,
  }
  const answer = await handleHttp(
    api,
    {
      method: 'POST',
      url: `/api/v1/rooms/dating/agents:${name}`,
      authorization: `Bearer ${JSON.stringify(claims)}`,
      contentType: 'application/json',
      body: new TextEncoder().encode(JSON.stringify(name === 'discover' ? {} : { agentIds: [agentId] })),
    },
    world.clock.now(),
  )
  expect(answer).toMatchObject({
    status: 503,
    body: { error: { message: expect.stringMatching(/may or may not have taken effect\. .* budget/) } },
  })
})

test('an agent that is removed, but whose sign-in does not answer, is told both', async () => {
  const world = createWorld(noon)
  const agent = await registerListed(world, channels)
  const remove = () => Promise.reject(new DirectoryError('unavailable', 'Sign-ins do not answer.'))
  const ports = { ...world.ports, signIns: { ...world.signIns, remove } }
  const refusal = await refusalOf(call({ ...world, ports }, 'unregisterAgent', agent.claims))
  expect(refusal).toMatchObject({ code: 'unavailable', message: expect.stringContaining('The agent is removed') })
  expect(world.store.all().has(`agents/${agent.agentId}`)).toBe(false)
})
