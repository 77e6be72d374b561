import { keysOf } from '../contract/src/keys-of.ts'
import { limitedForEveryone } from '../functions/src/calls.ts'
import { republishDiscovery } from '../functions/src/discovery/republish.ts'
import { batchGet } from '../functions/src/discovery/discover.ts'
import { allowanceLimits, changesPerQuery, maxInstances, republishLimits } from '../functions/src/limits.ts'
import type { Ports, Store } from '../functions/src/ports.ts'
import { sessionOf } from '../functions/src/sessions.ts'
import { sampleChannels } from '../testing/samples.ts'
import { call, codeOf, createWorld, look, openSettings, profileIn, register, type TestAgent } from '../testing/world.ts'

/** List prices in us-central1, US dollars, as published in November 2026. Free quotas are not deducted. */
export const prices = {
  /** A document: https://cloud.google.com/firestore/pricing */
  read: 0.03 / 100_000,
  write: 0.09 / 100_000,
  delete: 0.01 / 100_000,
  storedGibMonth: 0.15,
  /** Request-based billing, tier 1: https://cloud.google.com/run/pricing */
  request: 0.4 / 1_000_000,
  cpuSecond: 0.000_024,
  memoryGibSecond: 0.000_002_5,
  /** https://cloud.google.com/scheduler/pricing */
  schedulerJobMonth: 0.1,
  /** https://cloud.google.com/secret-manager/pricing */
  secretVersionMonth: 0.06,
  /** Data transfer of Hosting: https://firebase.google.com/pricing */
  hostingGb: 0.15,
}

/** What one agent does in a day. */
export const agentDay = {
  registrations: 1 / 90,
  signIns: 1,
  heartbeats: 1,
  publishes: 0.1,
  unlinks: 0.01,
  walks: 1,
  /** Beyond the first page of a walk. */
  laterPages: 1,
  pageSize: 50,
  /** In one `batchGet`. */
  refreshed: 20,
}

/** Assumptions about the platform, which this does not measure. */
export const platform = {
  /** Cloud Run bills each tenth of a second in which an instance has a call. */
  secondsPerCall: 0.1,
  cpus: 1,
  memoryGib: 0.5,
  /** A run reads, packs and writes its shards one after another. */
  secondsPerRun: 1,
  secondsPerShard: 0.03,
  agentsPerShard: 700,
  /** The benchmark measured 66 bytes in gzipped pages of 50 and 76 in pages of 20; the rest is headers. */
  bytesPerListing: 90,
  /** Badge, account, listing, and the share of a shard. */
  storedBytesPerAgent: 1_600,
  /**
   * Calls a second for each instance: a third of the calls that a core half as fast as the benchmark's could serve. That
   * core served 302. Cloud Run adds instances at 60 % of a core.
   */
  callsPerInstance: 50,
  viewSeconds: 3,
  /** The shards that a page reads if the instance has not cached them or they have changed. */
  coldShards: 2,
  /** More than a core can do in a second: calls that it refuses, calls that it serves, documents that it reads. */
  mostRefused: 1_000,
  mostServed: 300,
  mostRead: 2_500,
  /** Of a short answer, with its headers. */
  bytesPerAnswer: 1_000,
}

/** What Firestore charges for documents, in US dollars. */
export function priceOf({ reads, writes, deletes }: Operations): number {
  return reads * prices.read + writes * prices.write + deletes * prices.delete
}

export interface Operations {
  reads: number
  writes: number
  deletes: number
}

const minutesPerDay = 1_440
const secondsPerDay = 86_400
const daysPerMonth = 30
const none: Operations = { reads: 0, writes: 0, deletes: 0 }

function sum(...parts: readonly (readonly [times: number, operations: Operations])[]): Operations {
  return parts.reduce(
    (total, [times, { reads, writes, deletes }]) => ({
      reads: total.reads + times * reads,
      writes: total.writes + times * writes,
      deletes: total.deletes + times * deletes,
    }),
    none,
  )
}

/** Counts what Firestore bills: each requested document, even if missing, at least one for each query, each write, each delete. */
function counting(store: Store): Store & { counted: Operations } {
  const counted: Operations = { ...none }
  const get = (reader: Pick<Store, 'get'>) => (paths: readonly string[]) => {
    counted.reads += paths.length
    return reader.get(paths)
  }
  return {
    counted,
    get: get(store),
    async query(query) {
      const found = await store.query(query)
      counted.reads += Math.max(1, found.length)
      return found
    },
    async count(collection) {
      const found = await store.count(collection)
      // Firestore bills a count as a read for each thousand.
      counted.reads += Math.max(1, Math.ceil(found / 1_000))
      return found
    },
    transaction: (work) =>
      store.transaction((transaction) =>
        work({
          ...transaction,
          get: get(transaction),
          set(path, fields) {
            counted.writes += 1
            transaction.set(path, fields)
          },
          delete(path) {
            counted.deletes += 1
            transaction.delete(path)
          },
        }),
      ),
  }
}

type Measured = Awaited<ReturnType<typeof measure>>

/** Counts the operations of each call by running the real code on 400 agents in memory. */
export async function measure() {
  const day = 86_400_000
  const world = createWorld(Date.UTC(2026, 10, 21, 12))
  const store = counting(world.store)
  const ports: Ports = { ...world.ports, store }
  const counted = { ...world, ports }
  const of = async (work: () => Promise<unknown>): Promise<Operations> => {
    const before = { ...store.counted }
    await work()
    return sum([1, store.counted], [-1, before])
  }
  // Small shards, so that this room has as many as one transaction takes.
  const limits = { ...republishLimits, shardAgents: 80, mergeAgents: 40 }
  const republish = () => republishDiscovery(ports, world.clock.now, limits)
  const agents: TestAgent[] = []
  for (let index = 0; index < 400; index += 1) agents.push(await register(world))
  const publish = (agent: TestAgent) => {
    const area = `${'0145hjnp'[agents.indexOf(agent) % 8] ?? ''}x`
    return call(counted, 'publishProfile', agent.claims, { channels: sampleChannels, profile: profileIn(area) })
  }
  const [first, second] = agents
  if (first === undefined || second === undefined) throw new Error('there are no agents')
  for (const agent of agents) await publish(agent)
  await republish()
  const registration = await of(() => register(counted))
  const { agentId, secret } = first
  const signIn = await of(() => call(counted, 'signInAgent', undefined, { agentId, secret }))
  world.clock.advance(day)
  const heartbeat = await of(() => call(counted, 'heartbeat', first.claims))
  const again = await of(() => publish(second))

  await republish()
  const idleRun = await of(republish)
  /** A run after changes of these agents. */
  const after = async (changed: readonly TestAgent[]) => {
    for (const agent of changed) await publish(agent)
    let shards = 0
    const operations = await of(async () => {
      shards = (await republish()).shardsWritten
    })
    return { operations, shards }
  }
  const oneChange = await after([first])
  // In one shard, and in as many as a transaction takes.
  const [nearby, spread] = [agents.filter((_, index) => index % 8 === 0).slice(0, 8), agents.slice(0, 8)]
  const fewShards = await after(nearby)
  const manyShards = await after(spread)
  const perShard = 1 / (manyShards.shards - fewShards.shards)
  const touchedShard = sum([perShard, manyShards.operations], [-perShard, fewShards.operations])
  const change = sum(
    [1 / 7, fewShards.operations],
    [-1 / 7, oneChange.operations],
    [(oneChange.shards - fewShards.shards) / 7, touchedShard],
  )
  const batch = sum([1, oneChange.operations], [-1, idleRun], [-1, change], [-oneChange.shards, touchedShard])

  // After three days, so that the agents have the usual budget.
  world.clock.advance(3 * day)
  for (const agent of agents) await call(world, 'heartbeat', agent.claims)
  await republishDiscovery(ports, world.clock.now)
  const instance = world.newInstance(ports)
  await look(counted, instance, second.claims, { pageSize: agentDay.pageSize })
  let nextPageToken: string | null = null
  const firstPage = await of(async () => {
    ;({ nextPageToken } = await look(counted, instance, first.claims, { pageSize: agentDay.pageSize }))
  })
  const laterPage = await of(() =>
    look(counted, instance, first.claims, { pageSize: agentDay.pageSize, pageToken: nextPageToken ?? '' }),
  )
  const session = sessionOf(first.claims)
  if (session === null) throw new Error('there is no session')
  const agentIds = agents.slice(1, 1 + agentDay.refreshed).map((agent) => agent.agentId)
  const refresh = await of(() => batchGet(ports, session, 'dating', { agentIds }, world.clock.now()))
  const unlink = await of(() => call(counted, 'unlinkChannel', first.claims, { channel: 'whatsapp' }))
  const exported = await of(() => call(counted, 'exportAgent', first.claims))
  const link = { url: '' }
  const settingsLink = await of(async () => {
    link.url = (await call(counted, 'createSettingsLink', first.claims)).url
  })
  const redeem = await of(() => call(counted, 'redeemSettingsLink', undefined, { code: codeOf(link.url) }))
  const settings = await openSettings(world, first)
  const relink = await of(() => call(counted, 'relinkChannel', settings, { channel: 'whatsapp' }))
  const rotation = await of(() => call(counted, 'rotateSecret', second.claims))
  const unregistration = await of(() => call(counted, 'unregisterAgent', first.claims))
  return {
    registration,
    signIn,
    heartbeat,
    publish: again,
    unlink,
    // With a recent view and cached shards.
    firstPage,
    laterPage,
    refresh,
    exported,
    settingsLink,
    redeem,
    relink,
    rotation,
    unregistration,
    // A run without a change; a transaction of a run; one shard that changed; each change.
    idleRun,
    batch,
    touchedShard,
    change,
  }
}

export interface Day {
  agents: number
  operations: Operations
  calls: number
  /** US dollars. */
  costs: Record<'documents' | 'functions' | 'transfer' | 'storage' | 'fixed', number>
  total: number
  /** The price of the same agents at Identity Platform, which Koko does not use. */
  identityPlatform: number
}

/** The operations and costs of a day. */
export function dayOf(agents: number, measured: Measured): Day {
  const { registrations, signIns, heartbeats, publishes, unlinks, walks, laterPages, pageSize, refreshed } = agentDay
  const changesPerRun = (agents * (heartbeats + publishes + unlinks + registrations)) / minutesPerDay
  const shards = Math.max(1, Math.ceil(agents / platform.agentsPerShard))
  // The expected number of shards with at least one change.
  const touchedPerRun = shards * (1 - (1 - 1 / shards) ** changesPerRun)
  const pages = agents * (walks + laterPages)
  const discoveries = pages + agents
  const views = Math.min(discoveries, (instancesFor(discoveries) * secondsPerDay) / platform.viewSeconds)
  // Each callable is a separate service; the HTTP API is one service.
  const { batchShards, batchAgents } = republishLimits
  const services = [registrations, registrations, signIns, heartbeats, publishes, unlinks].map((each) => agents * each)
  const calls = [...services, discoveries].reduce((all, each) => all + each, 0)

  const operations = sum(
    [agents * registrations, measured.registration],
    [agents * signIns, measured.signIn],
    [agents * heartbeats, measured.heartbeat],
    [agents * publishes, measured.publish],
    [agents * unlinks, measured.unlink],
    [agents * walks, measured.firstPage],
    [agents * laterPages, measured.laterPage],
    [agents, measured.refresh],
    [minutesPerDay, measured.idleRun],
    [minutesPerDay * changesPerRun, measured.change],
    [minutesPerDay * touchedPerRun, measured.touchedShard],
    [minutesPerDay * Math.max(touchedPerRun / batchShards, changesPerRun / batchAgents), measured.batch],
    // A view is the manifest and the removals, of which there are rarely any.
    [views, { ...none, reads: 2 }],
    [pages, { ...none, reads: Math.min(shards, platform.coldShards) }],
  )
  const seconds =
    [...services, discoveries].reduce((all, each) => all + busySeconds(each), 0) +
    minutesPerDay * (platform.secondsPerRun + touchedPerRun * platform.secondsPerShard)
  const listings = pages * pageSize + agents * refreshed
  // In a room smaller than a page, each call returns the whole room.
  const served = Math.min(listings, (pages + agents) * agents)
  const costs: Day['costs'] = {
    documents: priceOf(operations),
    functions:
      calls * prices.request +
      seconds * (platform.cpus * prices.cpuSecond + platform.memoryGib * prices.memoryGibSecond),
    transfer: ((served * platform.bytesPerListing) / 1e9) * prices.hostingGb,
    storage: ((agents * platform.storedBytesPerAgent) / 2 ** 30) * (prices.storedGibMonth / daysPerMonth),
    fixed: (prices.schedulerJobMonth + prices.secretVersionMonth) / daysPerMonth,
  }
  const total = totalOf(costs)
  return { agents, operations, calls, costs, total, identityPlatform: identityPlatformMonth(agents) / daysPerMonth }
}

/**
 * The most that a day can cost while every instance of every function is kept busy all day with the calls that cost most:
 * US dollars for each function. Not in it, because nothing here limits them: what Hosting transfers of the pages, and
 * what agents read of their own documents directly from Firestore.
 */
export function ceilingOf(measured: Measured): Record<keyof typeof maxInstances, number> {
  const dearest: Record<keyof typeof maxInstances, Operations> = {
    // Each id of a refresh is a read, of which a core does `mostRead`.
    api: { ...measured.firstPage, reads: platform.mostRead },
    createRegistrationChallenge: none,
    registerAgent: measured.registration,
    signInAgent: measured.signIn,
    rotateSecret: measured.rotation,
    publishProfile: measured.publish,
    unlinkChannel: measured.unlink,
    relinkChannel: measured.relink,
    heartbeat: measured.heartbeat,
    unregisterAgent: measured.unregistration,
    exportAgent: measured.exported,
    createSettingsLink: measured.settingsLink,
    redeemSettingsLink: measured.redeem,
    republishDiscovery: sum([1, measured.change], [1, measured.touchedShard]),
  }
  const limited: ReadonlySet<string> = limitedForEveryone
  const second = platform.cpus * prices.cpuSecond + platform.memoryGib * prices.memoryGibSecond
  const perDay = (name: keyof typeof maxInstances) => {
    const isRepublish = name === 'republishDiscovery'
    const served = isRepublish
      ? changesPerQuery / 60
      : limited.has(name)
        ? 1_000 / allowanceLimits.anonymous.intervalMs
        : platform.mostServed
    const { reads, writes, deletes } = sum([served, dearest[name]])
    const requests = isRepublish ? 0 : platform.mostRefused
    const listings = name === 'api' ? served * agentDay.pageSize : 0
    const bytes = requests * platform.bytesPerAnswer + listings * platform.bytesPerListing
    const everySecond =
      second +
      requests * prices.request +
      priceOf({ reads: Math.min(reads, platform.mostRead), writes, deletes }) +
      (bytes / 1e9) * prices.hostingGb
    return maxInstances[name] * secondsPerDay * everySecond
  }
  return Object.fromEntries(keysOf(maxInstances).map((name) => [name, perDay(name)])) as Record<
    keyof typeof maxInstances,
    number
  >
}

export function totalOf(costs: Readonly<Record<string, number>>): number {
  return Object.values(costs).reduce((all, cost) => all + cost, 0)
}

function instancesFor(callsPerDay: number): number {
  return Math.max(1, Math.ceil(callsPerDay / secondsPerDay / platform.callsPerInstance))
}

/** How long a service's instances are busy if calls arrive at random: each for 1 − e^(−concurrent calls) of the time. */
export function busySeconds(callsPerDay: number): number {
  const instances = instancesFor(callsPerDay)
  const underWay = ((callsPerDay / instances) * platform.secondsPerCall) / secondsPerDay
  return instances * secondsPerDay * -Math.expm1(-underWay)
}

/** https://cloud.google.com/identity-platform/pricing, tier 1, for agents that sign in within the month. */
export function identityPlatformMonth(agents: number): number {
  const tiers: [from: number, price: number][] = [
    [0, 0],
    [50_000, 0.0055],
    [100_000, 0.0046],
    [1_000_000, 0.0032],
    [10_000_000, 0.0025],
  ]
  return tiers.reduce((total, [from, price], index) => {
    const to = tiers[index + 1]?.[0] ?? Infinity
    return total + Math.max(0, Math.min(agents, to) - from) * price
  }, 0)
}

/** What the cost sheet calls each count. */
const titles: Record<keyof Measured, string> = {
  registration: 'registration',
  signIn: 'sign-in',
  heartbeat: 'heartbeat',
  publish: 'publish',
  unlink: 'unlink',
  firstPage: 'first page of discovery',
  laterPage: 'later page of discovery',
  refresh: `refresh of ${agentDay.refreshed} peers`,
  exported: 'export',
  settingsLink: 'settings link',
  redeem: 'opening of a settings link',
  relink: 'relink',
  rotation: 'rotation of a secret',
  unregistration: 'unregistration',
  idleRun: 'run of the republish without a change',
  batch: 'transaction of a run',
  touchedShard: 'changed shard in a run',
  change: 'change in a run',
}

/** The cost sheet, as Markdown. */
export function costSheet(measured: Measured, sizes: readonly number[]): string {
  const dollars = (amount: number) => `$${amount.toFixed(amount < 1 ? 3 : 2)}`
  const whole = (amount: number) => Math.round(amount).toLocaleString('en-US')
  const table = (rows: readonly (readonly string[])[]) =>
    rows
      .flatMap((row, index) => [
        `| ${row.join(' | ')} |`,
        ...(index === 0 ? [`|${row.map(() => '---').join('|')}|`] : []),
      ])
      .join('\n')
  const days = sizes.map((agents) => dayOf(agents, measured))
  return [
    table([
      ['a day of', ...days.map(({ agents }) => `${whole(agents)} agents`)],
      ['documents read', ...days.map(({ operations }) => whole(operations.reads))],
      ['written', ...days.map(({ operations }) => whole(operations.writes))],
      ['deleted', ...days.map(({ operations }) => whole(operations.deletes))],
      ['calls', ...days.map(({ calls }) => whole(calls))],
      ['Firestore, documents', ...days.map(({ costs }) => dollars(costs.documents))],
      ['Cloud Run', ...days.map(({ costs }) => dollars(costs.functions))],
      ['Hosting, transfer', ...days.map(({ costs }) => dollars(costs.transfer))],
      ['Firestore, storage', ...days.map(({ costs }) => dollars(costs.storage))],
      ['Scheduler, secret', ...days.map(({ costs }) => dollars(costs.fixed))],
      ['**all**', ...days.map(({ total }) => `**${dollars(total)}**`)],
      ['with Identity Platform', ...days.map(({ total, identityPlatform }) => dollars(total + identityPlatform))],
    ]),
    table([
      ['documents for one', 'read', 'written', 'deleted'],
      ...keysOf(titles).map((name) => [
        titles[name],
        ...[measured[name].reads, measured[name].writes, measured[name].deletes].map((amount) =>
          String(Math.round(amount * 10) / 10),
        ),
      ]),
    ]),
  ].join('\n\n')
}

if (import.meta.main) {
  const measured = await measure()
  console.log(costSheet(measured, [1_000, 100_000, 1_000_000]))
  const ceiling = ceilingOf(measured)
  console.log('\nAt most, in a day under attack:')
  for (const [name, dollars] of Object.entries({ ...ceiling, all: totalOf(ceiling) })) {
    console.log(`${name.padEnd(30)} $${dollars.toFixed(0).padStart(5)}`)
  }
}
