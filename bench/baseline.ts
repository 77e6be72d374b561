// The obvious implementation, to measure ours against: discovery as a live query over the listings, with the same
// checks of token, badge, account and listing, the same budgets, and the same platform around it.
import {
  defaultPageSize,
  DirectoryError,
  endpoints,
  invalidArgument,
  isOnline,
  Listing,
  parse,
  rooms,
  utcDay,
  type DiscoverInput,
  type DiscoverOutput,
} from '@koko/contract'
import { Firestore, type Query } from '@google-cloud/firestore'
import { http } from '@google-cloud/functions-framework'
import * as z from 'zod'
import { createAllowances } from '../functions/src/allowances.ts'
import { createSignIns, loadAuth } from '../functions/src/adapters/firebase-auth.ts'
import { createFirestoreStore } from '../functions/src/adapters/firestore.ts'
import { codec, createVault } from '../functions/src/adapters/node.ts'
import { keepBodiesRaw } from '../functions/src/adapters/firebase-http.ts'
import { parseBody } from '../functions/src/body.ts'
import { budgetLeft, budgetSpent, chargeBudget } from '../functions/src/discovery/budgets.ts'
import { paths } from '../functions/src/documents.ts'
import { errorResponse } from '../functions/src/http.ts'
import { callDeadlines, pageTokenLifetimeMs, signInDeadlineMs } from '../functions/src/limits.ts'
import type { SignIns, Store, Vault } from '../functions/src/ports.ts'
import {
  assertMayCall,
  claimsOf,
  ownerOf,
  ownerPaths,
  sessionOf,
  unauthenticated,
  type Session,
} from '../functions/src/sessions.ts'

keepBodiesRaw()

const projectId = process.env.GCLOUD_PROJECT ?? ''

interface Baseline {
  firestore: Firestore
  store: Store
  signIns: SignIns
  vault: Vault
}
const made: { baseline?: Baseline } = {}

function getBaseline(): Baseline {
  const firestore = made.baseline?.firestore ?? new Firestore({ projectId, ignoreUndefinedProperties: true })
  return (made.baseline ??= {
    firestore,
    store: createFirestoreStore(projectId, callDeadlines),
    signIns: createSignIns(() => loadAuth(projectId), signInDeadlineMs),
    vault: createVault(process.env.KOKO_SECRET ?? ''),
  })
}

http('api', async (request, response) => {
  try {
    const baseline = getBaseline()
    const session = sessionOf(await claimsOf(portsOf(baseline), request.header('authorization')))
    if (session === null) throw unauthenticated()
    const input = parse(endpoints.discover.input, parseBody(request.rawBody ?? new Uint8Array()))
    response.json(await discoverLive(baseline, session, input, new Date()))
  } catch (error) {
    const { status, headers, body } = errorResponse(error)
    if (status >= 500) console.error(error)
    response.status(status).set(headers).json(body)
  }
})

function portsOf({ store, signIns, vault }: Baseline) {
  const proofs = { create: () => Promise.reject(new Error()), verify: () => Promise.reject(new Error()) }
  const monotonicMs = () => performance.now()
  return { store, signIns, vault, codec, proofs, allowances: createAllowances(monotonicMs), monotonicMs, webOrigin: '' }
}

const PageToken = z.strictObject({ after: z.string(), isWrapped: z.boolean(), expiresAtMs: z.int() })
const room = 'dating'

async function discoverLive(
  { firestore, store, vault }: Baseline,
  session: Session,
  { pageSize = defaultPageSize, pageToken, near, withinKm = Infinity }: DiscoverInput,
  now: Date,
): Promise<DiscoverOutput> {
  assertMayCall(session, 'agent', now)
  const purpose = `live page of ${session.agentId} near ${near ?? 'anywhere'} within ${withinKm}`
  const start = vault
    .fraction('walk', `${session.agentId} ${utcDay(now.getTime())}`)
    .toString(16)
    .slice(2, 10)
  const opened = pageToken === undefined ? null : vault.open(purpose, pageToken)
  const from = PageToken.safeParse(opened === null ? null : JSON.parse(opened)).data
  if (pageToken !== undefined && (from === undefined || from.expiresAtMs <= now.getTime())) {
    throw invalidArgument([{ path: 'pageToken', message: 'must be the nextPageToken of the previous page' }])
  }

  const size = await store.transaction(async (transaction) => {
    const [badge, account, fields] = await transaction.get([
      ...ownerPaths(session),
      paths.listing(room, session.agentId),
    ])
    const owner = ownerOf(session, badge, account)
    if (owner === null) throw unauthenticated()
    const listing = Listing.safeParse(fields)
    if (!listing.success || !isOnline(listing.data, now.getTime())) {
      throw new DirectoryError('failed-precondition', 'Only agents that are listed and online discover others.')
    }
    const allowed = Math.min(pageSize, budgetLeft(owner, 'discovered', now))
    if (allowed <= 0) throw budgetSpent(now)
    chargeBudget(transaction, owner.account, session.agentId, 'discovered', allowed, now)
    return allowed
  })

  const inOrder = (): Query => {
    const online = firestore
      .collection(paths.listings(room))
      .where('category', '==', room)
      .where('presence.lastSeenAtMs', '>=', now.getTime() - rooms[room].onlineWindowMs)
      .orderBy('agentId')
    return near === undefined ? online : online.where('profile.area', '==', near)
  }
  let isWrapped = from?.isWrapped ?? false
  const query = inOrder().startAfter(from?.after ?? start)
  let { docs } = await (isWrapped ? query.endBefore(start) : query).limit(size).get()
  if (docs.length < size && !isWrapped) {
    isWrapped = true
    const rest = await inOrder()
      .endBefore(start)
      .limit(size - docs.length)
      .get()
    docs = [...docs, ...rest.docs]
  }
  const last = docs.at(-1)
  return {
    room,
    agents: docs.map((document) => Listing.parse(document.data())).filter(({ agentId }) => agentId !== session.agentId),
    nextPageToken:
      docs.length === size && last !== undefined
        ? vault.seal(
            purpose,
            JSON.stringify({ after: last.id, isWrapped, expiresAtMs: now.getTime() + pageTokenLifetimeMs }),
          )
        : null,
    asOfMs: now.getTime(),
  }
}
