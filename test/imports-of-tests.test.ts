import { expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../', import.meta.url))
/** Code that runs outside the tests. What it shares with them lies in `testing/`. */
const folders = ['contract/src', 'functions/src', 'web/src', 'agent/src', 'scripts', 'bench', 'docs', 'testing']

const isTest = (path: string) => /(^|\/)test\/|\.test\.(ts|tsx|js|mjs)$/.test(path)

/** The files of the tests that a file imports, by their paths from the repository's root. */
function testsImportedBy(file: string, text: string): string[] {
  return ts
    .preProcessFile(text, true, true)
    .importedFiles.filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => posix.join(posix.dirname(file), fileName))
    .filter(isTest)
}

const files = folders.flatMap((folder) =>
  readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name}`)
    .filter((file) => /\.(ts|tsx|js|mjs)$/.test(file) && !file.includes('/node_modules/') && !isTest(file)),
)

test.each(folders)('finds source files in %s', (folder) => {
  expect(files.filter((file) => file.startsWith(`${folder}/`))).not.toEqual([])
})

test('no product, script or benchmark imports a test', () => {
  const imports = files.map((file): [string, string[]] => [
    file,
    testsImportedBy(file, readFileSync(root + file, 'utf8')),
  ])
  expect(imports.filter(([, tests]) => tests.length > 0)).toEqual([])
})

test.each([
  ['scripts/costs.ts', "import { call } from '../functions/test/world.ts'"],
  ['scripts/seed.ts', "import type { Agent } from '../test/web/agent.ts'"],
  ['bench/instrument.ts', "import '../test/deployed/production-network.ts'"],
  ['agent/src/cli.ts', "const { run } = await import('./cli.test.ts')"],
  ['functions/src/http.ts', "export { send } from './http.emulator.test.ts'"],
])('notices that %s says: %s', (file, text) => {
  expect(testsImportedBy(file, text)).toHaveLength(1)
})

test.each(["import { createWorld } from '../testing/world.ts'", "import { test } from '@jest/globals'"])(
  'lets a script say: %s',
  (text) => {
    expect(testsImportedBy('scripts/costs.ts', text)).toEqual([])
  },
)
