import { describe, expect, test } from '@jest/globals'
import { formatDuration } from '../limits.ts'
import type { Field } from './fields.ts'
import { forEachRoom, rooms } from './rooms.ts'

describe.each(forEachRoom((name, room) => ({ name, room })))('the room $name', ({ room }) => {
  test('has an area, by which discovery is laid out', () => {
    expect(room.fields.area?.kind).toBe('area')
  })

  test('names fields of the right kind in its matching', () => {
    const kindOf = (name: string) => room.fields[name]?.kind
    for (const each of room.dealbreakers) {
      if (each.kind === 'sought') expect([kindOf(each.of), kindOf(each.in)]).toEqual(['choice', 'list'])
      if (each.kind === 'between') expect([each.of, each.min, each.max].map(kindOf)).toEqual(Array(3).fill('number'))
      if (each.kind === 'near') expect(kindOf(each.within)).toBe('number')
      if (each.kind === 'shared') expect(kindOf(each.of)).toBe('list')
      if (each.kind === 'private') expect(kindOf(each.of)).toBe('choice')
    }
    // Only the distance of `near` may be null, which is no limit.
    const compared = room.dealbreakers.flatMap((each) => (each.kind === 'between' ? [each.of, each.min, each.max] : []))
    const close = room.preferences.flatMap((each) => (each.by === 'close' ? [each.of] : []))
    for (const name of [...compared, ...close]) expect(room.fields[name]).not.toHaveProperty('nullWord')
    for (const preference of room.preferences) {
      if (preference.by === 'same') expect(kindOf(preference.of)).toBe('choice')
      if (preference.by === 'close') expect(kindOf(preference.of)).toBe('number')
    }
    for (const name of room.summary) expect(room.fields).toHaveProperty(name)
  })
})

test('a rule that several rooms name means the same in each', () => {
  const rules = Object.values(rooms).flatMap(({ dealbreakers }) =>
    dealbreakers.flatMap((each) => ('theirs' in each ? [each.mine, each.theirs] : [each.mine])),
  )
  const words = Map.groupBy(rules, ({ name }) => name)
  for (const [, same] of words) expect(new Set(same.map((rule) => rule.words)).size).toBe(1)
})

test('a number field that has a lower bound names a number field of its room', () => {
  for (const { fields } of Object.values(rooms)) {
    for (const field of Object.values<Field>(fields)) {
      if (field.kind === 'number' && field.atLeast !== undefined) expect(fields[field.atLeast]?.kind).toBe('number')
    }
  }
})

test.each([
  [1_000, '1 second'],
  [10_000, '10 seconds'],
  [60_000, '1 minute'],
  [30 * 60_000, '30 minutes'],
  [60 * 3_600_000, '60 hours'],
  [90_000, '90 seconds'],
])('%i ms are %s', (ms, words) => {
  expect(formatDuration(ms)).toBe(words)
})
