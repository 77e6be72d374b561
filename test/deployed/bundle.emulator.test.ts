import { callables } from '@koko/contract'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import * as z from 'zod'
import { root } from '../../scripts/stack/addresses.ts'
import { maxInstances } from '../../functions/src/limits.ts'
import { buildFunctions } from '../../scripts/build.ts'

const timeoutMs = 120_000
const cleanUp = new AsyncDisposableStack()
const run = promisify(execFile)

/** The built folder as Cloud Build gets it: elsewhere, with nothing installed around it. */
let folder: string

beforeAll(async () => {
  const built = await temporaryFolder()
  await buildFunctions(built)
  folder = join(await temporaryFolder(), 'functions')
  await cp(built, folder, { recursive: true })
  await run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'], {
    cwd: folder,
    // npm itself runs on the Node that the functions get, and warns of no other.
    env: { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) },
    shell: process.platform === 'win32',
  })
}, timeoutMs)
afterAll(() => cleanUp.disposeAsync())

test('exports the callables of the contract, the HTTP API and the republish, and nothing else', async () => {
  expect(await exportsOf('index.js')).toEqual([...Object.keys(callables), 'api', 'republishDiscovery'].sort())
})

test('finds everything that it imports on first use', async () => {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.js'))
  expect(files.length).toBeGreaterThan(1)
  for (const file of files) expect((await exportsOf(file)).length).toBeGreaterThan(0)
}, 30_000)

test('names the exact version of each package that it needs', async () => {
  const { dependencies } = Package.parse(await json('package.json'))
  const lock = Lock.parse(await json('package-lock.json'))
  expect(lock.packages['']?.dependencies).toEqual(dependencies)
  for (const [name, version] of Object.entries(dependencies)) {
    expect(version).toMatch(/^\d+\.\d+\.\d+$/)
    expect(Package.parse(await json(`node_modules/${name}/package.json`)).version).toBe(version)
  }
})

test('contains no path of the machine that built it', async () => {
  for (const name of await readdir(folder)) {
    if (name !== 'node_modules') expect(await readFile(join(folder, name), 'utf8')).not.toContain(root)
  }
})

test('is deployed as the contract says, before any secret exists', async () => {
  const { endpoints, params } = await manifest()
  const shared = {
    platform: 'gcfv2',
    region: ['us-central1'],
    secretEnvironmentVariables: [{ key: 'KOKO_SECRET' }],
    availableMemoryMb: 512,
    concurrency: 40,
    timeoutSeconds: 40,
  }
  expect(Object.keys(endpoints).sort()).toEqual([...Object.keys(callables), 'api', 'republishDiscovery'].sort())
  // The ceiling of a day's bill follows from these numbers.
  for (const [name, instances] of Object.entries(maxInstances)) {
    expect([name, endpoints[name]]).toEqual([name, expect.objectContaining({ maxInstances: instances })])
  }
  for (const name of Object.keys(callables)) {
    expect(endpoints[name]).toMatchObject({ ...shared, entryPoint: name, callableTrigger: {} })
    expect(triggersOf(endpoints[name])).toEqual(['callableTrigger'])
  }
  expect(endpoints.api).toMatchObject({ ...shared, entryPoint: 'api', httpsTrigger: { invoker: ['public'] } })
  expect(triggersOf(endpoints.api)).toEqual(['httpsTrigger'])
  // One copy of itself at a time, and none that the next minute's would wait for long.
  expect(endpoints.republishDiscovery).toMatchObject({
    ...shared,
    entryPoint: 'republishDiscovery',
    timeoutSeconds: 120,
    scheduleTrigger: { schedule: 'every 1 minutes', retryConfig: { retryCount: 0 } },
  })
  expect(triggersOf(endpoints.republishDiscovery)).toEqual(['scheduleTrigger'])
  expect(params).toEqual([
    expect.objectContaining({ name: 'KOKO_SECRET', type: 'secret' }),
    expect.objectContaining({ name: 'REGISTRATION_COST', type: 'int', default: 26_000 }),
    expect.objectContaining({ name: 'WEB_ORIGIN', type: 'string', default: '' }),
    expect.objectContaining({ name: 'WEB_API_KEY', type: 'string', default: '' }),
  ])
})

const Package = z.object({
  version: z.string(),
  dependencies: z.record(z.string(), z.string()).default({}),
})
const Lock = z.object({
  packages: z.record(z.string(), z.object({ dependencies: z.record(z.string(), z.string()).optional() })),
})
const Manifest = z.object({
  endpoints: z.record(z.string(), z.record(z.string(), z.unknown())),
  params: z.array(z.record(z.string(), z.unknown())),
})

/** The exports of a file of the folder, imported in a separate process. */
async function exportsOf(file: string): Promise<string[]> {
  const url = pathToFileURL(join(folder, file)).href
  const script = `process.stdout.write(JSON.stringify(Object.keys(await import(${JSON.stringify(url)})).sort()))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: folder, env })
  return z.array(z.string()).parse(JSON.parse(stdout))
}

/** What `firebase deploy` reads of the folder, by the same program. */
async function manifest() {
  const program = join(folder, 'node_modules', 'firebase-functions', 'lib', 'bin', 'firebase-functions.js')
  const outputPath = join(await temporaryFolder(), 'manifest.json')
  await run(process.execPath, [program, folder], {
    cwd: folder,
    env: { ...env, FUNCTIONS_MANIFEST_OUTPUT_PATH: outputPath },
  })
  return Manifest.parse(JSON.parse(await readFile(outputPath, 'utf8')))
}

const env = { GCLOUD_PROJECT: 'demo-bundle', FIREBASE_CONFIG: JSON.stringify({ projectId: 'demo-bundle' }) }

function triggersOf(endpoint: Record<string, unknown> | undefined): string[] {
  return Object.keys(endpoint ?? {}).filter((key) => key.endsWith('Trigger'))
}

async function json(path: string): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, path), 'utf8'))
}

async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'koko-bundle-'))
  cleanUp.defer(() => rm(path, { recursive: true, force: true }))
  return path
}
