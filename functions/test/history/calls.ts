import type { CallableName } from '@koko/contract'
import assert from 'node:assert/strict'
import type { OnAwait } from '../../../testing/memory-store.ts'
import { call, codeOf, profileIn } from '../../../testing/world.ts'
import { liftTakedown, takeDownAgent, takeDownHandle } from '../../src/directory/takedown.ts'
import { republishDiscovery } from '../../src/discovery/republish.ts'
import { interleave } from '../interleave.ts'
import { channelNames, handleFor, type Operation, type Outcome } from '../model.ts'
import { codeOfError, ifAborted, limits, pickActor, sessionFor, type Actor, type History } from './actors.ts'
import { checkPage, discoverAs, type DiscoverResult } from './discovery.ts'
import { explain, type Call, type Done } from './explanation.ts'
import { areas, second, type CallDraft, type Meanwhile } from './steps.ts'

const nothing: Meanwhile = { discoveries: [], republishes: 0, slow: false, picks: [{ which: 0, stay: 0 }] }

/** Makes a draft into a call. A relink with the newest session opens a settings session first if none is open. */
export async function toCall(history: History, { who, kind, ...rest }: CallDraft): Promise<Call | null> {
  const actor = pickActor(history, who)
  if (actor === undefined) return null
  if (kind === 'relink' && rest.session === 0 && !actor.state.removed) {
    const opened = sessionFor(actor, 0, true)
    if (opened?.model.settingsUntilMs == null || opened.model.settingsUntilMs <= history.world.clock.now().getTime()) {
      const blank = { who, session: 0, channels: 1, variant: 0, area: 0, old: 0 }
      for (const opening of ['createLink', 'redeem'] as const) {
        const call = await toCall(history, { ...blank, kind: opening })
        if (call !== null) await runCalls(history, [call])
      }
    }
  }
  const session = sessionFor(actor, rest.session, kind === 'relink')
  if (session === undefined) return null
  return { actor, operation: operationOf(actor, kind, rest), session: session.model, claims: session.claims }
}

function operationOf(
  actor: Actor,
  kind: CallDraft['kind'],
  draft: Omit<CallDraft, 'who' | 'kind' | 'session'>,
): Operation {
  const channel = channelNames[draft.channels % 4] ?? 'whatsapp'
  switch (kind) {
    case 'publish': {
      const offered = channelNames.filter((_, bit) => (draft.channels >> bit) % 2 === 1)
      return {
        kind,
        channels: Object.fromEntries(offered.map((each) => [each, handleFor(each, actor.index, draft.variant)])),
        profile: profileIn(areas[draft.area] ?? ''),
      }
    }
    case 'unlink':
    case 'relink':
      return { kind, channel }
    case 'takeDown':
    case 'lift':
      return { kind, channel, handle: handleFor(channel, actor.index, draft.variant) }
    case 'redeem':
      return { kind, code: actor.codes.at(-1 - draft.old) ?? 'x'.repeat(43) }
    case 'signIn':
      return { kind, secret: actor.secrets.at(-1 - draft.old) ?? 'x'.repeat(43) }
    case 'takeDownDamaged':
      return { kind: actor.state.listing === null ? 'takeDownAgent' : kind }
    case 'heartbeat':
    case 'unregister':
    case 'rotate':
    case 'export':
    case 'createLink':
    case 'takeDownAgent':
      return { kind }
  }
}

/** Runs calls side by side, and checks that the model explains what came of them in some order. */
export async function runCalls(
  history: History,
  calls: readonly Call[],
  { discoveries, republishes, slow, picks }: Meanwhile = nothing,
): Promise<void> {
  const { world, hook } = history
  const nowMs = world.clock.now().getTime()
  const done = new Map<Call, Done>()
  const pages: DiscoverResult[] = []
  const tasks: ((onAwait: OnAwait) => Promise<void>)[] = [
    ...calls.map((each) => async () => void done.set(each, await performCall(history, each))),
    ...discoveries.map((each) => async () => {
      const result = await discoverAs(history, each)
      if (result !== null) pages.push(result)
    }),
    ...Array.from({ length: republishes }, () => async () => {
      await republishDiscovery(world.ports, world.clock.now, limits).catch(ifAborted)
    }),
    ...(slow
      ? [
          async (onAwait: OnAwait) => {
            for (let times = 0; times < 6; times += 1) {
              await onAwait()
              world.clock.advance(3 * second)
            }
          },
        ]
      : []),
  ]
  let step = 0
  let stay = 0
  const settled = await interleave(
    tasks.map((task) => (onAwait) => {
      hook.onAwait = onAwait
      return task(onAwait)
    }),
    (waiting) => {
      // The task that continued last is the last in the queue.
      if (stay > 0) {
        stay -= 1
        return waiting - 1
      }
      const next = picks[(step += 1) % picks.length]
      stay = next?.stay ?? 0
      return next?.which ?? 0
    },
  )
  hook.onAwait = null
  for (const each of settled) if (each.status === 'rejected') throw each.reason
  for (const actor of history.actors) {
    const own = calls.filter((each) => each.actor === actor)
    explain(history, actor, own, done, nowMs, republishes > 0)
  }
  for (const each of pages) checkPage(history, each)
}

async function performCall({ world, actors }: History, { actor, operation, claims }: Call): Promise<Done> {
  const run = async (): Promise<Outcome> => {
    switch (operation.kind) {
      case 'publish':
        return {
          answer: await call(world, 'publishProfile', claims, {
            channels: operation.channels,
            profile: operation.profile,
          }),
        }
      case 'unlink':
      case 'relink': {
        const name: CallableName = operation.kind === 'unlink' ? 'unlinkChannel' : 'relinkChannel'
        return { answer: await call(world, name, claims, { channel: operation.channel }) }
      }
      case 'takeDown': {
        // A host who is told to try again does so.
        for (;;) {
          const taken = await takeDownHandle(world.ports, operation, world.clock.now()).catch(ifAborted)
          if (taken !== undefined) return { answer: taken }
        }
      }
      case 'takeDownDamaged': {
        const path = `accounts/${actor.state.agentId}`
        world.store.put([[path, { ...world.store.all().get(path), revision: 'damaged' }]])
        return { answer: await takeDownAgent(world.ports, actor.state.agentId, world.clock.now()) }
      }
      case 'takeDownAgent':
        return { answer: await takeDownAgent(world.ports, actor.state.agentId, world.clock.now()) }
      case 'lift':
        return { answer: await liftTakedown(world.ports, operation) }
      case 'heartbeat':
        return { answer: await call(world, 'heartbeat', claims) }
      case 'unregister':
        return { answer: await call(world, 'unregisterAgent', claims) }
      case 'rotate':
        return { answer: 'a secret', minted: (await call(world, 'rotateSecret', claims)).secret }
      case 'export': {
        const text = JSON.stringify(await call(world, 'exportAgent', claims))
        for (const other of actors) {
          if (other === actor) continue
          assert.ok(!text.includes(other.state.agentId), "an export holds another agent's id")
        }
        return { answer: 'an export' }
      }
      case 'createLink':
        return { answer: 'a link', minted: codeOf((await call(world, 'createSettingsLink', claims)).url) }
      case 'redeem': {
        const { token } = await call(world, 'redeemSettingsLink', undefined, { code: operation.code })
        return { answer: 'a token', minted: token }
      }
      case 'signIn': {
        const input = { agentId: actor.state.agentId, secret: operation.secret }
        return { answer: 'a token', minted: (await call(world, 'signInAgent', undefined, input)).token }
      }
      case 'retire':
        throw new Error('retirement is not a call')
    }
  }
  const outcome = await run().catch((error: unknown) => ({ error: codeOfError(error) }))
  return { outcome, endMs: world.clock.monotonicMs() }
}
