import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as z from 'zod'
import { figuresOf, type Figure } from './figures.ts'
import { percentile } from './statistics.ts'

const mebibyte = 2 ** 20
/** Small enough that garbage awaiting collection hardly counts as kept memory. */
const smallHeap = ['--max-old-space-size=32', '--max-semi-space-size=2']

/** The output of a process that matched a room. */
const Matching = z.strictObject({
  listings: z.int(),
  ms: z.number(),
  matched: z.int(),
  /** The peak growth of its memory. */
  grownBytes: z.int(),
})
export type Matching = z.infer<typeof Matching>

/** How fast, and in how much memory, an agent matches a room locally, compared with parsing the same room's JSON. */
export async function measureMatching(times: number): Promise<Figure[]> {
  const samples = { match: [] as Matching[], parse: [] as Matching[] }
  for (let time = 0; time < times; time += 1) {
    for (const arm of ['match', 'parse'] as const) samples[arm].push(await measure(arm, 100_000))
  }
  // With ten times as many, the kept memory must not grow.
  const many = {
    match: await measure('match', 1_000_000, smallHeap),
    parse: await measure('parse', 1_000_000, smallHeap),
  }
  const median = (arm: keyof typeof samples, of: (matching: Matching) => number) =>
    percentile(samples[arm].map(of), 0.5)
  const figure = figuresOf('Matching at home')
  const both = (of: (matching: Matching) => number) => [median('match', of), median('parse', of)] as const
  const grown = ({ grownBytes }: Matching) => grownBytes / mebibyte
  return [
    figure('100,000 listings matched and ranked', 'ms', ...both(({ ms }) => ms), {
      target: { atMost: 1_000 },
      note: `median of ${times}; baseline: JSON.parse of the same listings, no rules`,
    }),
    figure('the same, in a second', 'listings/s', ...both(({ listings, ms }) => (listings / ms) * 1_000)),
    figure('100,000 listings, memory that the process grew by', 'MiB', ...both(grown), {
      note: 'a page at a time; at its peak',
    }),
    figure('1,000,000 listings, the same', 'MiB', grown(many.match), grown(many.parse), {
      note: `node ${smallHeap.join(' ')}`,
    }),
  ]
}

async function measure(arm: 'match' | 'parse', listings: number, flags: readonly string[] = []): Promise<Matching> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...flags,
    join(import.meta.dirname, 'matching.ts'),
    arm,
    String(listings),
  ])
  return Matching.parse(JSON.parse(stdout))
}
