import { isDeepStrictEqual } from 'node:util'
import {
  agentFile,
  daemonFile,
  handlesFile,
  outboxFile,
  peersFile,
  profileFile,
  publishedFile,
} from '../src/home/files.ts'
import type { Home } from '../src/home/home.ts'
import { homeOf } from './home-values.ts'

/** For each file the number of the value that it holds, 0 for a missing one. Throws if a file mixes two values. */
export async function numbersIn(home: Home): Promise<number[]> {
  const agent = await home.read(agentFile)
  const profile = await home.read(profileFile)
  const handles = await home.read(handlesFile)
  const published = await home.read(publishedFile)
  const outbox = await home.read(outboxFile)
  const peers = await home.read(peersFile)
  const daemon = await home.read(daemonFile)
  const numbers = {
    agent: agent?.registeredAtMs,
    profile: profile === undefined ? undefined : Number(profile.profile.maxDistanceKm),
    handles: handles?.whatsapp?.agreedAtMs,
    published: published?.publishedAtMs,
    outbox: outbox?.unlinks[0]?.askedAtMs,
    peers: peers?.budget.dayMs,
    daemon: daemon?.onlineUntilMs,
  }
  const found = { agent, profile, handles, published, outbox, peers, daemon }
  return names.map((name) => {
    if (found[name] === undefined) return 0
    const number = numbers[name] ?? Number.NaN
    if (!isDeepStrictEqual(found[name], homeOf(number)[name]))
      throw new Error(`${name} does not hold the value of a single number`)
    return number
  })
}

const names = ['agent', 'profile', 'handles', 'published', 'outbox', 'peers', 'daemon'] as const
