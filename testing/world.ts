import {
  callables,
  type Channels,
  DirectoryError,
  DiscoverOutput,
  type CallableName,
  type DatingProfile,
  type DiscoverInput,
} from '@koko/contract'
import type * as z from 'zod'
import { createAllowances } from '../functions/src/allowances.ts'
import { codec, createVault } from '../functions/src/adapters/node.ts'
import { runCallable } from '../functions/src/calls.ts'
import { createDiscoveryView, type DiscoveryView } from '../functions/src/discovery/view.ts'
import { discover } from '../functions/src/discovery/discover.ts'
import { allowanceLimits, customTokenLifetimeMs, type RemovalLimits } from '../functions/src/limits.ts'
import type { Fields, Ports, SignIns, Store } from '../functions/src/ports.ts'
import { sessionOf } from '../functions/src/sessions.ts'
import { createMemoryStore, type MemoryStore, type OnAwait } from './memory-store.ts'
import { consents, sampleProfile } from './samples.ts'

/** The claims of an ID token. */
export type Claims = Record<string, unknown> & { uid: string }

/** The sign-ins of a test: tokens are JSON of their claims, and a sign-in exists once a token was exchanged. */
export interface TestSignIns extends SignIns {
  /** Exchanges a custom token, as a client does; it (re)creates the sign-in. Throws an hour after it was minted. */
  exchange: (token: string) => Claims
  existing: Set<string>
  /** The agents whose refresh tokens were revoked, in order. */
  revoked: string[]
}

function createTestSignIns(realMs: () => number, initial: Iterable<string>): TestSignIns {
  const existing = new Set(initial)
  const open = (token: string) => JSON.parse(token) as { mintedAtMs: number; claims: Claims }
  const revoked: string[] = []
  return {
    existing,
    revoked,
    exchange(token) {
      const { mintedAtMs, claims } = open(token)
      if (realMs() - mintedAtMs >= customTokenLifetimeMs) throw new Error('the custom token has expired')
      existing.add(claims.uid)
      return { ...claims, firebase: { sign_in_provider: 'custom' } }
    },
    mint: (agentId, claims) =>
      Promise.resolve(
        JSON.stringify({
          mintedAtMs: realMs(),
          claims: { uid: agentId, firebase: { sign_in_provider: 'custom' }, ...claims },
        }),
      ),
    verify(idToken) {
      try {
        return Promise.resolve(JSON.parse(idToken) as Claims)
      } catch {
        return Promise.resolve(null)
      }
    },
    record: (agentId) => Promise.resolve<Fields>(existing.has(agentId) ? { uid: agentId } : {}),
    revoke(agentId) {
      revoked.push(agentId)
      return Promise.resolve()
    },
    remove(agentId) {
      existing.delete(agentId)
      return Promise.resolve()
    },
  }
}

/** The clocks of a test. */
export interface Clock {
  now: () => Date
  /** Real time, from 0. */
  monotonicMs: () => number
  /** Lets time pass on both clocks. */
  advance: (ms: number) => void
  /** Sets the wall clock forward or back, while real time goes on. */
  jump: (ms: number) => void
}

/** A directory on a store in memory, with clocks that the test moves. */
export interface World {
  ports: Ports
  store: MemoryStore
  signIns: TestSignIns
  clock: Clock
  /** A discovery view as a fresh instance has it. */
  newInstance: (ports?: Ports, limits?: RemovalLimits) => DiscoveryView
  /** The same directory, reached with another `onAwait`. */
  through: (onAwait: OnAwait) => Ports
  /** A second world that begins where this one is. */
  fork: () => World
}

export function createWorld(startMs: number, onAwait?: OnAwait): World {
  return worldFrom({ wallOffsetMs: startMs, realMs: 0, documents: new Map(), signIns: [] }, onAwait)
}

interface Beginning {
  wallOffsetMs: number
  realMs: number
  documents: ReadonlyMap<string, Fields>
  signIns: Iterable<string>
}

function worldFrom(beginning: Beginning, onAwait?: OnAwait): World {
  let { wallOffsetMs, realMs } = beginning
  const clock: Clock = {
    now: () => new Date(wallOffsetMs + realMs),
    monotonicMs: () => realMs,
    advance(ms) {
      realMs += ms
    },
    jump(ms) {
      wallOffsetMs += ms
    },
  }
  const store = createMemoryStore(onAwait, beginning.documents, clock.now)
  const signIns = createTestSignIns(clock.monotonicMs, beginning.signIns)
  const vault = createVault('a secret of the tests')
  const ports: Ports = {
    store,
    signIns,
    proofs: {
      create(expiresAtMs) {
        const parameters = { algorithm: '', nonce: '', salt: '', cost: 1, keyLength: 32, keyPrefix: '' }
        const signature = `challenge ${vault.uuid()}`
        return Promise.resolve({ parameters: { ...parameters, expiresAt: expiresAtMs / 1_000 }, signature })
      },
      verify: ({ parameters }, { counter }) =>
        Promise.resolve(counter === 1 ? { expiresAtMs: Number(parameters.expiresAt) * 1_000 } : 'invalid'),
    },
    vault,
    codec,
    // Many tests register at one moment more agents than an instance would.
    allowances: createAllowances(clock.monotonicMs, { ...allowanceLimits, anonymous: { burst: 1e9, intervalMs: 1 } }),
    monotonicMs: clock.monotonicMs,
    webOrigin: 'https://directory.example',
  }
  return {
    ports,
    store,
    signIns,
    clock,
    newInstance: (instancePorts = ports, limits) => createDiscoveryView(instancePorts, limits),
    through: (other) => ({ ...ports, store: store.through(other) }),
    fork: () => worldFrom({ wallOffsetMs, realMs, documents: store.all(), signIns: signIns.existing }, onAwait),
  }
}

/** Runs a callable as a client does, and holds its answer against the contract. */
export async function call<Name extends CallableName>(
  { ports, clock }: Pick<World, 'ports' | 'clock'>,
  name: Name,
  claims?: Claims,
  data: unknown = {},
): Promise<z.output<(typeof callables)[Name]['output']>> {
  const answer = await runCallable(ports, name, claims, data, clock.now())
  return callables[name].output.parse(answer) as z.output<(typeof callables)[Name]['output']>
}

/** A registered agent, as its own machine knows it. */
export interface TestAgent {
  agentId: string
  secret: string
  token: string
  claims: Claims
  registeredAtMs: number
}

export const solution = { counter: 1, derivedKey: '00' }

export async function register(world: World): Promise<TestAgent> {
  const { challenge } = await call(world, 'createRegistrationChallenge')
  const { agentId, secret, token, registeredAtMs } = await call(world, 'registerAgent', undefined, {
    category: 'dating',
    consents,
    proof: { challenge, solution },
  })
  return { agentId, secret, token, registeredAtMs, claims: world.signIns.exchange(token) }
}

/** A registered agent with a listing. */
export async function registerListed(world: World, channels: Channels, area = 'gcpv'): Promise<TestAgent> {
  const agent = await register(world)
  await call(world, 'publishProfile', agent.claims, { channels, profile: profileIn(area) })
  return agent
}

/** Replaces the agent's secret, which ends every session of the old one. The claims of a session of the new one. */
export async function replaceSecret(world: World, { agentId, claims }: Pick<TestAgent, 'agentId' | 'claims'>) {
  const { secret } = await call(world, 'rotateSecret', claims)
  const { token } = await call(world, 'signInAgent', undefined, { agentId, secret })
  return world.signIns.exchange(token)
}

/** The code of a new settings link of the agent. */
export async function newSettingsCode(
  world: Pick<World, 'ports' | 'clock'>,
  { claims }: Pick<TestAgent, 'claims'>,
): Promise<string> {
  return codeOf((await call(world, 'createSettingsLink', claims)).url)
}

/** The claims of a fresh settings session of the agent. */
export async function openSettings(world: World, agent: TestAgent): Promise<Claims> {
  const code = await newSettingsCode(world, agent)
  const { token } = await call(world, 'redeemSettingsLink', undefined, { code })
  return world.signIns.exchange(token)
}

export function codeOf(url: string): string {
  return new URLSearchParams(new URL(url).hash.slice(1)).get('code') ?? ''
}

/** One page of discovery, held against the contract. */
export async function look(
  { ports, clock }: Pick<World, 'ports' | 'clock'>,
  instance: DiscoveryView,
  claims: Claims,
  input: DiscoverInput = {},
): Promise<DiscoverOutput> {
  const session = sessionOf(claims)
  if (session === null) throw new Error('these claims are no session')
  return DiscoverOutput.parse(await discover(ports, instance, session, 'dating', input, clock.now()))
}

/** The same directory, and how many listings its queries have returned. */
export function countListingsRead({ ports, store }: World): { ports: Ports; listingsRead: () => number } {
  let listingsRead = 0
  const query: Store['query'] = async (asked) => {
    const found = await store.query(asked)
    if (asked.collection.endsWith('/agents')) listingsRead += found.length
    return found
  }
  return { ports: { ...ports, store: { ...store, query } }, listingsRead: () => listingsRead }
}

/** Every page of one walk. */
export async function walk(world: World, instance: DiscoveryView, claims: Claims, pageSize: number) {
  const agents: DiscoverOutput['agents'] = []
  let pageToken: string | null = null
  do {
    const page: DiscoverOutput = await look(world, instance, claims, {
      pageSize,
      ...(pageToken === null ? {} : { pageToken }),
    })
    agents.push(...page.agents)
    pageToken = page.nextPageToken
  } while (pageToken !== null)
  return agents
}

/** The sample profile, where discovery puts it into an area. */
export function profileIn(area: string): DatingProfile {
  return { ...sampleProfile, area }
}

/** The refusal that the work ends in; throws where it does not end in one of ours. */
export async function refusalOf(work: Promise<unknown>): Promise<Pick<DirectoryError, 'code' | 'details' | 'message'>> {
  const error: unknown = await work.then(
    () => null,
    (cause: unknown) => cause,
  )
  if (!(error instanceof DirectoryError)) throw new Error('this was not refused', { cause: error })
  const { code, details, message } = error
  return { code, details, message }
}

/** The paths of the stored documents that begin with this. */
export function pathsUnder({ store }: Pick<World, 'store'>, folder: string): string[] {
  return [...store.all().keys()].filter((path) => path.startsWith(folder))
}

/** The fields stored at a path; throws where there is nothing. */
export function storedAt({ store }: World, path: string): Fields {
  const fields = store.all().get(path)
  if (fields === undefined) throw new Error('there is nothing at this path')
  return fields
}
