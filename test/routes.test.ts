import { describe, expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import ts from 'typescript'
import * as z from 'zod'
import { callables, endpoints, region, RoomName } from '@koko/contract'

const root = new URL('../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')

const Rewrite = z.looseObject({
  source: z.string(),
  function: z.looseObject({ functionId: z.string(), region: z.string().optional() }).optional(),
})
const Header = z.object({ source: z.string(), headers: z.array(z.object({ key: z.string(), value: z.string() })) })
const Firebase = z.looseObject({
  hosting: z.looseObject({
    rewrites: z.array(Rewrite),
    redirects: z.array(z.looseObject({ source: z.string() })).default([]),
    headers: z.array(Header).default([]),
  }),
})

const { hosting } = Firebase.parse(JSON.parse(read('firebase.json')))

/** Where Hosting sends a path: the first rewrite that matches. */
function rewriteOf(path: string): z.infer<typeof Rewrite> | undefined {
  return hosting.rewrites.find(({ source }) => posix.matchesGlob(path, source))
}

const paths = Object.values(endpoints).flatMap(({ path }) =>
  path.includes('{room}') ? RoomName.options.map((room) => path.replace('{room}', room)) : [path],
)

describe('Hosting', () => {
  test.each(paths)('sends %s to the function of the HTTP API, in its region', (path) => {
    expect(rewriteOf(path)?.function).toMatchObject({ functionId: 'api', region })
  })

  test('lets no redirect shadow a path of the HTTP API', () => {
    const taken = (path: string) => hosting.redirects.some(({ source }) => posix.matchesGlob(path, source))
    expect(paths.filter(taken)).toEqual([])
  })

  test('sends unknown paths of the HTTP API to the function too, which answers 404', () => {
    expect(rewriteOf('/api/v1/nothing')?.function?.functionId).toBe('api')
    expect(rewriteOf('/api/v1/rooms/nowhere/agents:discover')?.function?.functionId).toBe('api')
  })

  test('sends nothing else to a function', () => {
    const elsewhere = ['/', '/settings', '/report', '/api', '/api/v2/config', '/heartbeat', '/apiv1']
    expect(elsewhere.filter((path) => rewriteOf(path)?.function !== undefined)).toEqual([])
  })

  test('sends the callables of the settings page, and no others, to their own functions', () => {
    const ofSettings = Object.entries(callables)
      .filter(([name, { caller }]) => caller.includes('settings') || name === 'redeemSettingsLink')
      .map(([name]) => name)
    expect(ofSettings).toContain('unlinkChannel')
    for (const name of ofSettings) {
      expect(rewriteOf(`/api/v1/callables/${name}`)?.function).toMatchObject({ functionId: name, region })
    }
    expect(hosting.rewrites.filter((rewrite) => rewrite.function !== undefined)).toHaveLength(ofSettings.length + 1)
  })

  test.each(paths)('keeps %s out of every cache', (path) => {
    const values = hosting.headers
      .filter(({ source }) => posix.matchesGlob(path, source))
      .flatMap(({ headers }) => headers)
      .filter(({ key }) => key.toLowerCase() === 'cache-control')
      .map(({ value }) => value)
    expect(values).toEqual(['private, no-store'])
  })
})

describe('the functions that are deployed', () => {
  /** The names that a module exports as constants or functions. */
  function exportsOf(text: string): string[] {
    const source = ts.createSourceFile('index.ts', text, ts.ScriptTarget.Latest)
    const isExported = (node: ts.VariableStatement | ts.FunctionDeclaration) =>
      node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false
    return source.statements.flatMap((statement) => {
      if (ts.isVariableStatement(statement) && isExported(statement)) {
        return statement.declarationList.declarations.map(({ name }) => name.getText(source))
      }
      if (ts.isFunctionDeclaration(statement) && isExported(statement)) return [statement.name?.text ?? 'default']
      return ts.isExportDeclaration(statement) ? [statement.getText(source)] : []
    })
  }

  test('are the callables of the table, the HTTP API and the schedule, and nothing else', () => {
    expect(exportsOf(read('functions/src/index.ts')).sort()).toEqual(
      [...Object.keys(callables), 'api', 'republishDiscovery'].sort(),
    )
  })

  test('are found, however they are exported', () => {
    expect(
      exportsOf("export const a = 1, b = 2\nexport function c() {}\nconst d = 1\nexport { e } from './e.ts'"),
    ).toEqual(['a', 'b', 'c', "export { e } from './e.ts'"])
  })
})
