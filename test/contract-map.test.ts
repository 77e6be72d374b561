import { describe, expect, test } from '@jest/globals'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { contractMap } from './contract-map.ts'

const root = fileURLToPath(new URL('../', import.meta.url))

/** The titles of the tests and describes in a text, those of `test.each(…)(…)` included. */
function titlesIn(text: string): string[] {
  const titles: string[] = []
  function visit(node: ts.Node): void {
    const [title] = ts.isCallExpression(node) ? node.arguments : []
    if (ts.isCallExpression(node) && title !== undefined && ts.isStringLiteralLike(title)) {
      if (/^(describe|test|it)\b/.test(node.expression.getText(source))) titles.push(title.text)
    }
    ts.forEachChild(node, visit)
  }
  const source = ts.createSourceFile('a.test.ts', text, ts.ScriptTarget.Latest)
  visit(source)
  return titles
}

const sections = Object.entries(contractMap)
const references = sections.flatMap(([section, tests]) =>
  tests === 'planned' ? [] : tests.map(({ file, title }) => ({ section, file, title })),
)

test('every section of the contract is in the map, in order', () => {
  const numbers = sections.map(([section]) => section.split(' ')[0])
  const promises = ['0', '0.1', '0.2', '0.3', '0.4', '0.5', '0.6']
  expect(numbers).toEqual([...promises, '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11'])
})

test('sections 0 to 8 are held by a test each; only sections 9 to 11 are planned', () => {
  const isPlanned = (section: string) => /^(9|10|11) /.test(section)
  expect(sections.filter(([section, tests]) => (tests === 'planned') !== isPlanned(section))).toEqual([])
  expect(sections.filter(([, tests]) => tests.length === 0)).toEqual([])
})

test.each(references)('$section: $file has the test "$title"', ({ file, title }) => {
  expect(existsSync(root + file)).toBe(true)
  expect(titlesIn(readFileSync(root + file, 'utf8'))).toContainEqual(expect.stringContaining(title))
})

describe('a title is found', () => {
  test.each([
    "test('works', () => {})",
    'it("works", () => {})',
    "describe('x', () => { test('works') })",
    "test.each([1])('works', () => {})",
    'test.each`a ${1}`("works")',
    "test('works', async () => {}, 5)",
  ])('in %s', (text) => {
    expect(titlesIn(text)).toContain('works')
  })

  test.each(["// test('works')", "expect('works')", "const works = 'test'"])('but not in %s', (text) => {
    expect(titlesIn(text)).not.toContain('works')
  })
})
