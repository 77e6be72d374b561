import { expect, jest, test } from '@jest/globals'
import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { generate } from '../../scripts/generate.ts'

// Each generation reads 30 MB of GeoNames data.
jest.setTimeout(60_000)

const root = new URL('../../', import.meta.url)

test('keeps every generated file up to date with the contract', async () => {
  expect(await generate(root, true)).toEqual([])
})

test('names a generated file that drifted, without touching it, and rewrites it on request', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'generated-'))
  const copy = pathToFileURL(`${folder.path}/`)
  const rules = new URL('firestore.rules', copy)
  await generate(copy, false)
  await writeFile(rules, 'rules_version = "2";')
  expect(await generate(copy, true)).toEqual(['firestore.rules'])
  expect(await readFile(rules, 'utf8')).toBe('rules_version = "2";')
  expect(await generate(copy, false)).toEqual(['firestore.rules'])
  expect(await readFile(rules, 'utf8')).toBe(await readFile(new URL('firestore.rules', root), 'utf8'))
  expect(await generate(copy, true)).toEqual([])
})
