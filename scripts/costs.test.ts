import { expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { maxInstances } from '../functions/src/limits.ts'
import { busySeconds, ceilingOf, costSheet, dayOf, identityPlatformMonth, measure, totalOf } from './costs.ts'
import { root } from './stack/addresses.ts'

test('a cost sheet adds up its counted operations', async () => {
  const measured = await measure()
  for (const [name, { reads, writes }] of Object.entries(measured)) {
    expect([name, reads > 0, Number.isFinite(writes)]).toEqual([name, true, true])
  }
  const [small, large] = [dayOf(1_000, measured), dayOf(1_000_000, measured)]
  for (const { costs, total } of [small, large]) {
    expect(Object.values(costs).reduce((all, cost) => all + cost, 0)).toBeCloseTo(total, 10)
  }
  // What grows faster than the room would be a mistake; what is fixed, and shared instances, grow slower.
  expect(large.total).toBeLessThan(1_000 * small.total)
  expect(large.operations.reads).toBeLessThan(1_000 * small.operations.reads)
  expect(costSheet(measured, [1_000, 1_000_000])).toMatch(/^\| a day of \| 1,000 agents \| 1,000,000 agents \|\n/)
})

test('docs/hosting.md shows the tables that npm run costs prints', async () => {
  const page = readFileSync(join(root, 'docs/hosting.md'), 'utf8')
  for (const table of costSheet(await measure(), [1_000, 100_000, 1_000_000]).split('\n\n')) {
    expect(page).toContain(table)
  }
})

test('the documents state what a day under attack costs at most, and the instances from which it follows', async () => {
  const ceiling = totalOf(ceilingOf(await measure()))
  const read = (path: string) => readFileSync(join(root, path), 'utf8')
  for (const path of ['SECURITY.md', 'docs/hosting.md']) {
    const stated = Number(/at most \*?\*?\$([\d,]+)/.exec(read(path))?.[1]?.replaceAll(',', ''))
    // Rounded up, and not by much.
    expect([path, stated >= ceiling, stated < 1.3 * ceiling]).toEqual([path, true, true])
  }
  for (const [name, count] of Object.entries(maxInstances)) {
    expect(read('docs/hosting.md')).toMatch(new RegExp(`^\\| .*\`${name}\`.* \\| ${count} \\|`, 'm'))
  }
})

test('an instance costs per call when calls are rare, and per day when they never stop', () => {
  expect(busySeconds(0)).toBe(0)
  expect(busySeconds(100)).toBeCloseTo(10, 2)
  expect(busySeconds(1_500_000)).toBeLessThanOrEqual(86_400)
  expect(busySeconds(1_500_000)).toBeGreaterThan(0.8 * 86_400)
})

test('Identity Platform charges per monthly agent, in tiers', () => {
  expect(identityPlatformMonth(50_000)).toBe(0)
  expect(identityPlatformMonth(100_000)).toBeCloseTo(275)
  expect(identityPlatformMonth(1_000_000)).toBeCloseTo(275 + 900_000 * 0.0046)
})
