import { expect, it } from '@jest/globals'
import { isRecentEnough } from './firestore-emulator.ts'

it.each([
  ['1.18.2', false],
  ['1.19.0', true],
  ['1.19.9', true],
  ['1.22', true],
  ['2.0.0', true],
  ['0.20.0', false],
])("decides whether the Google Cloud CLI's emulator %s is recent enough: %s", (version, will) => {
  expect(isRecentEnough(version)).toBe(will)
})
