import assert from 'node:assert/strict'
import type { Fields } from '../../src/ports.ts'
import { channelNames, handlesIn, type AgentState } from '../model.ts'
import { shardListings, type StoredListing } from '../oracle.ts'
import type { Actor, History } from './actors.ts'

/** Checks every stored document: whom it belongs to, its fields, and that it holds no secret and no stray handle. */
export function checkDocuments({ world, actors }: History): void {
  const documents = world.store.all()
  const byId = new Map(actors.map((actor) => [actor.state.agentId, actor]))
  const secrets = actors.flatMap((actor) => [...actor.secrets, ...actor.codes])
  const inShards = new Map<string, StoredListing>()
  let [links, refusals] = [0, 0]
  for (const [path, fields] of documents) {
    const id = path.slice(path.lastIndexOf('/') + 1)
    const actor = byId.get(id)
    const kind = path.slice(0, -id.length - 1)
    const isShard = kind === 'discovery/dating/shards'
    const listings = isShard ? shardListings(fields) : []
    const text = JSON.stringify(isShard ? listings : fields)
    if (kind !== 'mcpDirectory/dating/agents' && !isShard) {
      assert.deepEqual(handlesIn(`${path} ${text}`), [], `${kind} holds a handle`)
    }
    if (secrets.some((secret) => text.includes(secret) || path.includes(secret)))
      throw new Error(`${kind} holds a secret`)
    const keys = Object.keys(fields).sort()
    switch (kind) {
      case 'agents': {
        const { agentId, registeredAtMs } = presentState(actor)
        assert.deepEqual(fields, { agentId, category: 'dating', registeredAtMs })
        break
      }
      case 'mcpDirectory/dating/agents':
        assert.deepEqual(fields, presentState(actor).listing)
        break
      case 'unlinks':
        assert.deepEqual(keys, Object.keys(presentState(actor).unlinkedAtMs).sort())
        for (const unlink of Object.values(fields)) {
          assert.deepEqual(Object.keys(unlink as Fields).sort(), ['goneAtMs', 'unlinkedAtMs'])
        }
        break
      case 'accounts':
        presentState(actor)
        assert.deepEqual(keys, [
          'area',
          'budget',
          'generation',
          'pendingSecret',
          'publishAllowance',
          'revision',
          'secretHash',
          'settingsLinkHash',
          'unlistedSinceMs',
        ])
        assert.deepEqual(Object.keys(fields.budget as Fields).sort(), ['dayMs', 'discovered', 'fetched'])
        break
      case 'changes':
        assert.ok(actor)
        assert.deepEqual(keys, ['from', 'revision', 'room', 'to', 'unlinked'])
        break
      case 'removals':
        assert.ok(actor)
        assert.deepEqual(keys, ['channels', 'number', 'revision', 'room'])
        break
      case 'settingsLinks':
        links += 1
        assert.deepEqual(keys, ['agentId', 'expiresAt'])
        assert.equal(presentState(byId.get(String(fields.agentId))).link?.codeHash, id)
        break
      case 'takedowns':
        refusals += 1
        assert.deepEqual(keys, ['sinceMs'])
        assert.match(id, /^[0-9a-f]{64}$/)
        break
      case 'proofs':
        assert.deepEqual(keys, ['expiresAt'])
        break
      case 'departures':
        assert.deepEqual(keys, ['dueAtMs', 'sealedAgentId'])
        assert.ok(![...byId.keys()].some((agentId) => text.includes(agentId)))
        break
      case 'discovery':
        assert.equal(id, 'dating')
        assert.deepEqual(keys, ['revision', 'shards'])
        assert.ok(![...byId.keys()].some((agentId) => text.includes(agentId)), "the manifest holds an agent's id")
        break
      case 'discovery/dating/shards':
        assert.deepEqual(keys, ['entries', 'revision'])
        for (const listing of listings) inShards.set(listing.agentId, listing)
        break
      case 'runs':
        assert.deepEqual(keys, id === 'removals' ? ['last'] : ['cutOffRuns', 'finishedAtMs'])
        break
      default:
        throw new Error('a document of an unknown kind')
    }
  }
  for (const { state } of actors) {
    const present = ['agents', 'accounts'].map((kind) => documents.has(`${kind}/${state.agentId}`))
    assert.deepEqual(present, [!state.removed, !state.removed])
    assert.equal(documents.has(`mcpDirectory/dating/agents/${state.agentId}`), state.listing !== null)
    assert.equal(documents.has(`unlinks/${state.agentId}`), Object.keys(state.unlinkedAtMs).length > 0)
  }
  assert.equal(refusals, actors.flatMap(({ state }) => state.refused).length)
  assert.equal(links, actors.filter(({ state }) => state.link !== null).length)
  for (const [agentId, { channels }] of inShards) {
    const listed = Object.values(byId.get(agentId)?.state.listing?.channels ?? {})
    const isDue = documents.has(`changes/${agentId}`)
    assert.ok(
      isDue || Object.values(channels).every((handle) => listed.includes(handle)),
      'a shard holds an old handle',
    )
  }
  for (const actor of actors) checkUnlinks(actor, documents.get(`unlinks/${actor.state.agentId}`), inShards)
}

/** `goneAtMs` is set once, and never while a shard holds a handle of the channel. */
function checkUnlinks(actor: Actor, unlinks: Fields | undefined, inShards: ReadonlyMap<string, StoredListing>): void {
  for (const channel of channelNames) {
    const unlink = unlinks?.[channel] as { unlinkedAtMs: number; goneAtMs: number | null } | undefined
    if (unlink === undefined) continue
    const { unlinkedAtMs, goneAtMs } = unlink
    assert.equal(unlinkedAtMs, actor.state.unlinkedAtMs[channel])
    const which = `${channel} ${unlinkedAtMs}`
    const earlier = actor.goneAtMs.get(which)
    if (goneAtMs === null) continue
    assert.ok(earlier === undefined || earlier === goneAtMs, 'a goneAtMs has changed')
    actor.goneAtMs.set(which, goneAtMs)
    assert.ok(goneAtMs >= unlinkedAtMs)
    assert.equal(inShards.get(actor.state.agentId)?.channels[channel], undefined, 'a handle that is gone is in a shard')
  }
}

function presentState(actor: Actor | undefined): AgentState {
  if (actor === undefined || actor.state.removed) throw new Error('a document of an agent that does not exist')
  return actor.state
}
