import { beforeAll, expect, test } from '@jest/globals'
import { firestoreRules } from '../../scripts/generate/generate-rules.ts'
import { cases, operations } from './cases.ts'
import type { Case } from './cases.ts'
import { rows } from './documents.ts'
import { brokenCases, emulatorOf, loadRules, plant, restore } from './emulator.ts'
import { mutantsOf } from './mutants.ts'
import type { Mutant } from './mutants.ts'

const emulator = emulatorOf(`demo-rules-mutation-${process.pid}`)
const mutants = mutantsOf(firestoreRules())
/** Each case and the words of its name: who may get the readable documents, then their fields, then everything else. */
const worded = [
  ...cases.filter(({ operation, subject }) => operations[operation].isGet && subject.slice('the '.length) in rows),
  ...cases,
].map((one) => ({ one, words: wordsOf(one.name) }))
/** A broken rule that nothing notices costs a run of all cases. */
const timeoutMs = 60_000

beforeAll(() => plant(emulator), timeoutMs)

test('finds a mutation for every line with a condition', () => {
  expect(mutants.length).toBeGreaterThan(150)
})

test.each(mutants)(
  'notices a broken rule, $name',
  async (mutant) => {
    await loadRules(emulator, mutant.rules)
    const broken = await brokenCases(emulator, likelyFirst(mutant), true)
    await restore(emulator, broken)
    expect(broken).not.toEqual([])
  },
  timeoutMs,
)

test(
  'finds the store unchanged once the rules are restored',
  async () => {
    await loadRules(emulator, firestoreRules())
    const broken = await brokenCases(
      emulator,
      cases.filter(({ operation }) => operations[operation].isGet),
    )
    expect(broken).toEqual([])
  },
  timeoutMs,
)

/**
 * All cases, first those that the change can break, and of them those that name what was changed. This decides how long
 * the search takes, not what it finds.
 */
function likelyFirst({ clause, replacement, effect }: Mutant): Case[] {
  const [before, after] = [wordsOf(clause), wordsOf(replacement)]
  const weights = new Map([...before, ...after].map((word) => [word, before.has(word) && after.has(word) ? 1 : 2]))
  const scored = worded.map(({ one, words }) => ({
    one,
    isBreakable: effect !== (one.allowed ? 'more' : 'less'),
    score: [...words].reduce((score, word) => score + (weights.get(word) ?? 0), 0),
  }))
  return scored
    .toSorted((a, b) => Number(b.isBreakable) - Number(a.isBreakable) || b.score - a.score)
    .map(({ one }) => one)
}

function wordsOf(text: string): Set<string> {
  return new Set((text.match(/[A-Za-z]\w+/g) ?? []).map((word) => word.replace(/^is(?=[A-Z])|s$/g, '').toLowerCase()))
}
