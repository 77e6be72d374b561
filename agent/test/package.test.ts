import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import manifest from '../package.json' with { type: 'json' }

// Packs koko as it is handed out, and installs it where nothing of this repository is in reach.
jest.setTimeout(120_000)

const run = promisify(execFile)
const agent = join(import.meta.dirname, '..')
let folder: string

/** Without the variables of this repository that npm sets for its scripts. */
const env = {
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  npm_config_cache: process.env.npm_config_cache,
  npm_config_loglevel: 'error',
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'koko-package-'))
  await run('npm', ['pack', '--pack-destination', folder], { cwd: agent, env })
  const [packed = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', '--prefix', folder, join(folder, packed)], {
    env,
  })
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const koko = (...given: string[]) =>
  run(join(folder, 'node_modules', '.bin', 'koko'), given, { env: { ...env, KOKO_HOME: join(folder, 'home') } })

test('installs nothing but itself', async () => {
  expect(await readdir(join(folder, 'node_modules'))).toEqual(['.bin', '.package-lock.json', '@koko'])
  expect(await readdir(join(folder, 'node_modules', '@koko'))).toEqual(['agent'])
})

test('runs in an empty folder', async () => {
  expect(await koko('--version')).toMatchObject({ stdout: `${manifest.version}\n` })
  const { stdout } = await koko('status', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ agent: null })
})

test('runs on every Node of this machine', async () => {
  const found = await Promise.all(
    (process.env.PATH ?? '').split(delimiter).map((path) => realpath(join(path, 'node')).catch(() => undefined)),
  )
  const nodes = [...new Set(found.filter((path) => path !== undefined))]
  const entry = join(folder, 'node_modules', '@koko', 'agent', 'dist', 'koko.js')
  const said = await Promise.all(
    nodes.map((node) => run(node, [entry, 'status', '--json'], { env: { ...env, KOKO_HOME: join(folder, 'home') } })),
  )
  expect(said.length).toBeGreaterThan(0)
  for (const { stdout } of said) expect(JSON.parse(stdout)).toMatchObject({ agent: null })
})

test('contains no path of the machine that built it, and the licenses of what it bundles', async () => {
  const dist = join(folder, 'node_modules', '@koko', 'agent', 'dist')
  const files = await readdir(dist)
  expect(files).toEqual(expect.arrayContaining(['koko.js', 'LICENSE', 'LICENSES.txt']))
  for (const file of files) expect(await readFile(join(dist, file), 'utf8')).not.toContain(agent)
  expect(await readFile(join(dist, 'LICENSES.txt'), 'utf8')).toMatch(/^commander .+^zod /ms)
})

test('names no file of the documentation that it does not contain', async () => {
  const root = join(folder, 'node_modules', '@koko', 'agent')
  const files = await readdir(root, { recursive: true })
  const texts = files.filter((name) => name.endsWith('.js') || name.endsWith('.md'))
  const named = await Promise.all(
    texts.map(async (name) => (await readFile(join(root, name), 'utf8')).match(/(?<![\w./-])docs\/[\w-]+\.md/g) ?? []),
  )
  expect(named.flat().filter((name) => !files.includes(name))).toEqual([])
})

test.each(['discover', 'peer 00000000', 'run --once', 'publish', 'mcp'])(
  'needs no built-in that the oldest supported Node lacks: %s',
  async (given) => {
    const newer = 'Map.groupBy Object.groupBy Promise.withResolvers Promise.try Array.fromAsync RegExp.escape'
    const without = newer.replaceAll(/\S+/g, (name) => `delete ${name};`)
    const entry = join(folder, 'node_modules', '@koko', 'agent', 'dist', 'koko.js')
    const imported = `data:text/javascript,${encodeURIComponent(without)}`
    const running = run(process.execPath, ['--import', imported, entry, ...given.split(' ')], {
      env: { ...env, KOKO_HOME: join(folder, 'home') },
    })
    // The MCP server ends with its input.
    running.child.stdin?.end()
    const outcome = await running.catch((error: unknown) => error)
    // There is no agent yet, which is an error of the operator (1) and no defect (2).
    expect(outcome).not.toMatchObject({ code: 2 })
  },
)
