import { jest, test } from '@jest/globals'
import * as fc from 'fast-check'
import { runHistory } from '../test/history/run-history.ts'
import { histories, races } from '../test/history/steps.ts'

/** `PROMISES_RUNS=20000` searches longer. */
const numRuns = Number(process.env.PROMISES_RUNS ?? 150)
jest.setTimeout(450_000 * (numRuns / 150))

test('keeps the six promises through any history, and serves what is listed one undisturbed republish later', () =>
  fc.assert(fc.asyncProperty(histories, runHistory), { numRuns }))

test('keeps the six promises while agents unlink what others discover, shards are rewritten and answers are slow', () =>
  fc.assert(fc.asyncProperty(races, runHistory), { numRuns }))
