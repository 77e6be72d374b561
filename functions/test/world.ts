import { createDiscoveryView, type DiscoveryView } from '../src/discovery-view.ts'
import { codec, createVault } from '../src/adapters/node.ts'
import type { Fields, Ports, SignIns } from '../src/ports.ts'
import { createMemoryStore, type MemoryStore } from './memory-store.ts'

/** The sign-ins of a test: tokens are JSON of their claims, and a sign-in exists once a token was exchanged. */
export interface TestSignIns extends SignIns {
  /** Exchanges a custom token, as a client does; it (re)creates the sign-in. */
  exchange: (token: string) => Record<string, unknown>
  existing: Set<string>
}

export function createTestSignIns(): TestSignIns {
  const existing = new Set<string>()
  const claimsOf = (token: string) => JSON.parse(token) as Record<string, unknown> & { uid: string }
  return {
    existing,
    exchange(token) {
      const claims = claimsOf(token)
      existing.add(claims.uid)
      return claims
    },
    mint: (agentId, claims) => Promise.resolve(JSON.stringify({ uid: agentId, ...claims })),
    verify: (idToken) => Promise.resolve(claimsOf(idToken)),
    record: (agentId) => Promise.resolve<Fields>(existing.has(agentId) ? { uid: agentId } : {}),
    revoke: () => Promise.resolve(),
    remove(agentId) {
      existing.delete(agentId)
      return Promise.resolve()
    },
  }
}

/** A directory on a store in memory, with a clock that the test moves. */
export interface World {
  ports: Ports
  store: MemoryStore
  signIns: TestSignIns
  /** The wall clock and the monotonic clock. */
  clock: { now: () => Date; advance: (ms: number) => void }
  /** A discovery view as a fresh instance has it. */
  newInstance: () => DiscoveryView
}

export function createWorld(startMs: number, onAwait?: () => Promise<void>): World {
  const store = createMemoryStore(onAwait)
  const signIns = createTestSignIns()
  let nowMs = startMs
  let solved = 0
  const ports: Ports = {
    store,
    signIns,
    proofs: {
      create: (expiresAtMs) =>
        Promise.resolve({
          parameters: {
            algorithm: 'none',
            nonce: '',
            salt: '',
            cost: 0,
            keyLength: 1,
            keyPrefix: '00',
            expiresAt: expiresAtMs / 1_000,
          },
          signature: `challenge ${(solved += 1)}`,
        }),
      verify: ({ parameters }) => Promise.resolve({ expiresAtMs: Number(parameters.expiresAt) * 1_000 }),
    },
    vault: createVault('a secret of the tests'),
    codec,
    monotonicMs: () => nowMs,
    webOrigin: 'https://directory.example',
  }
  return {
    ports,
    store,
    signIns,
    clock: {
      now: () => new Date(nowMs),
      advance(ms) {
        nowMs += ms
      },
    },
    newInstance: () => createDiscoveryView(ports),
  }
}
