import { expect, test } from '@jest/globals'
import { PassThrough } from 'node:stream'
import { styleOf } from './output.ts'
import { createReporter } from './terminal.ts'

test('a quiet reporter shows the lines of a log, and no progress', () => {
  const shownBy = (isQuiet: boolean) => {
    const stream = Object.assign(new PassThrough(), { isTTY: false })
    const { report } = createReporter(stream, styleOf(stream, {}), isQuiet)
    report({ text: 'Publishing' })
    report({ text: '09:00 Online', isLasting: true })
    return String(stream.read())
  }
  expect(shownBy(false)).toBe('Publishing\n09:00 Online\n')
  expect(shownBy(true)).toBe('09:00 Online\n')
})
