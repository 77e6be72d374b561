import { jest, test } from '@jest/globals'
import * as fc from 'fast-check'
import { runHistory } from '../test/history/run-history.ts'
import { histories, races, type DiscoverDraft, type Step } from '../test/history/steps.ts'

/** `PROMISES_RUNS=20000` searches longer. */
const numRuns = Number(process.env.PROMISES_RUNS ?? 150)
jest.setTimeout(450_000 * (numRuns / 150))

test('keeps the six promises through any history, and serves what is listed one undisturbed republish later', () =>
  fc.assert(fc.asyncProperty(histories, runHistory), { numRuns }))

test('keeps the six promises while agents unlink what others discover, shards are rewritten and answers are slow', () =>
  fc.assert(fc.asyncProperty(races, runHistory), { numRuns }))

test('counts the budget of a day when a charged call fails after the clock was set back', async () => {
  const day = 86_400_000
  const draft: DiscoverDraft = {
    who: 0,
    session: 0,
    instance: 0,
    pageSize: 50,
    near: 0,
    within: 0,
    continuesWalk: false,
  }
  const publish = { kind: 'publish', session: 0, channels: 1, variant: 0, area: 0, old: 0 } as const
  const join = (who: number): Step[] => [{ kind: 'register' }, { kind: 'call', draft: { ...publish, who } }]
  for (let failAt = 1; failAt <= 10; failAt += 1) {
    await runHistory([
      ...join(0),
      ...join(1),
      { kind: 'republish', killedAt: null },
      { kind: 'discover', draft },
      { kind: 'setClockBack', ms: 3 * day },
      { kind: 'discoverWhileFailing', draft, failAt },
      { kind: 'pass', ms: day },
      { kind: 'discover', draft },
    ])
  }
})
