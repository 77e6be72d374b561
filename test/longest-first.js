import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { default: Sequencer } = createRequire(import.meta.url)('@jest/test-sequencer')

/** Jest's own timeout, in milliseconds. */
const defaultTimeoutMs = 5_000
const timeouts = /(?:setTimeout\(|timeout_?ms = |^\}, )([\d_]+)/gim

/**
 * Starts the longest suites first, so that none of them runs on alone at the end. Jest knows how long each took last time;
 * on a machine without that record, as in CI, the longest timeout that a suite sets shows which are long.
 */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests)
    if (sorted.some(({ duration }) => duration !== undefined)) return sorted
    const timeoutsMs = new Map(sorted.map(({ path }) => [path, longestTimeoutMs(path)]))
    return sorted.toSorted(
      (a, b) => timeoutsMs.get(b.path) - timeoutsMs.get(a.path) || isOnEmulators(b.path) - isOnEmulators(a.path),
    )
  }
}

function longestTimeoutMs(path) {
  const found = [...readFileSync(path, 'utf8').matchAll(timeouts)].map(([, text]) => Number(text.replaceAll('_', '')))
  return Math.max(defaultTimeoutMs, ...found)
}

function isOnEmulators(path) {
  return path.endsWith('.emulator.test.ts')
}
