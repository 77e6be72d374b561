import { test } from '@jest/globals'
import * as fc from 'fast-check'
import { histories, races, runHistory } from '../test/history.ts'

/** Set `PROMISES_RUNS=20000` for a longer search. */
const numRuns = Number(process.env.PROMISES_RUNS ?? 150)

test(
  'keeps the six promises through any history, and serves what is listed one quiet republish later',
  () => fc.assert(fc.asyncProperty(histories, runHistory), { numRuns }),
  3_000 * numRuns,
)

test(
  'keeps them while agents unlink during discovery, shards are rewritten, and answers are slow',
  () => fc.assert(fc.asyncProperty(races, runHistory), { numRuns }),
  3_000 * numRuns,
)
