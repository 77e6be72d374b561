// Runs in a separate process, as `matching.ts match|parse <listings>`: generates a room page by page, and times either the
// dealbreakers and the ranking, or only parsing the pages' JSON. Prints the result as JSON.
import { createMatcher, type Me } from '../agent/src/matching/engine.ts'
import { createShortlist } from '../agent/src/matching/ranking.ts'
import { sampleProfile } from '../testing/samples.ts'
import type { Matching } from './agent.ts'
import { peakBytes } from './peak.ts'
import { generateRoom } from './room.ts'

const pageSize = 200
/** How many listings an agent keeps of a room. */
const maxKept = 1_900

/** Someone whose cheap dealbreakers exclude few, so that most distances are computed. */
const me: Me = {
  agentId: '00000000-0000-4000-8000-000000000000',
  profile: { ...sampleProfile, age: 35, ageMin: 18, ageMax: 60, maxDistanceKm: 20_000 },
  room: 'dating',
  dealbreakers: { onlyIntents: [] },
  channels: ['whatsapp', 'telegram', 'discord', 'slack'],
}

/** Pages of listings, as they come from a directory. */
function* pages(size: number, seed: number) {
  let page = []
  for (const { listing } of generateRoom(size, Date.UTC(2026, 10, 21), seed)) {
    page.push(listing)
    if (page.length < pageSize) continue
    yield page
    page = []
  }
  yield page
}

function goThrough(size: number, seed: number, isMatched: boolean): { ms: number; matched: number } {
  const shortlist = createShortlist(me, createMatcher(me), maxKept)
  let ms = 0
  for (const page of pages(size, seed)) {
    const text = JSON.stringify(page)
    const startedMs = performance.now()
    if (isMatched) for (const listing of page) shortlist.take(listing)
    else JSON.parse(text)
    ms += performance.now() - startedMs
  }
  const startedMs = performance.now()
  shortlist.matches()
  return { ms: ms + performance.now() - startedMs, matched: shortlist.matched }
}

const [arm, size] = process.argv.slice(2)
goThrough(10_000, 1, arm === 'match')
const beforeBytes = peakBytes()
const listings = Number(size)
const { ms, matched } = goThrough(listings, 2, arm === 'match')
const grownBytes = peakBytes() - beforeBytes
console.log(JSON.stringify({ listings, ms, matched, grownBytes } satisfies Matching))
