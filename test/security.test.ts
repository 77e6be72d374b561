import { expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { paths } from '../functions/src/documents.ts'

const text = readFileSync(new URL('../SECURITY.md', import.meta.url), 'utf8')

test.each(Object.entries(paths))('SECURITY.md names where %s is stored', (_, path) => {
  const collection = (typeof path === 'string' ? path : path('dating', 'x')).split('/')[0] ?? ''
  expect(collection).not.toBe('')
  expect(text).toContain(`\`${collection}/`)
})
