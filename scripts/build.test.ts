import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as z from 'zod'
import { buildAgent } from './build-agent.ts'
import { buildFunctions } from './build.ts'
import { checksums } from './checksums.ts'
import type { Built } from './build.ts'
import type { Lock } from './deploy/cut-lock.ts'

const run = promisify(execFile)
const INSTALL_TIMEOUT_MS = 300_000
const buildPath = join(import.meta.dirname, 'build.ts')

describe('what is built', () => {
  const folders = ['agent', 'functions', 'web']
  let base: string

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'koko-build-'))
    for (const folder of ['first', 'second']) {
      for (const each of folders) await mkdir(join(base, folder, each), { recursive: true })
      await buildAgent(join(base, folder, 'agent'))
      await buildFunctions(join(base, folder, 'functions'))
      // Vite's native parts refuse objects of Jest's realm.
      const script = `import(${JSON.stringify(buildPath)}).then(({ buildWeb }) => buildWeb(${JSON.stringify(join(base, folder, 'web'))}))`
      await run(process.execPath, ['--eval', script])
    }
  }, INSTALL_TIMEOUT_MS)
  afterAll(async () => {
    await rm(base, { recursive: true, force: true })
  })

  it('has the same bytes in two builds', async () => {
    const first = await checksums(join(base, 'first'), folders)
    expect(first.split('\n').length).toBeGreaterThan(30)
    expect(first).toMatch(/^[0-9a-f]{64} {2}functions\/index\.js$/m)
    expect(await checksums(join(base, 'second'), folders)).toBe(first)
  })

  it.each([
    ['agent', ['@modelcontextprotocol/server', 'commander', 'libphonenumber-js', 'zod'], ['esbuild', 'jest']],
    // zod is bundled, firebase-admin is installed.
    ['functions', ['@google-cloud/firestore', 'altcha-lib', 'firebase-admin', 'zod'], ['esbuild', 'preact']],
    ['web', ['libphonenumber-js', 'preact', 'zod'], ['vite', 'firebase-admin']],
  ])('lists in the SBOM of %s each package with its hash, and none that it lacks', async (folder, names, foreign) => {
    const { components, ...bom } = Sbom.parse(
      JSON.parse(await readFile(join(base, 'first', folder, 'sbom.cdx.json'), 'utf8')),
    )
    const found = components.map(({ name }) => name)
    expect(found).toEqual(expect.arrayContaining(names))
    for (const name of foreign) expect(found).not.toContain(name)
    expect(new Set(components.map(({ purl }) => purl)).size).toBe(components.length)
    expect(bom.dependencies[0]?.dependsOn).toEqual(components.map((each) => each['bom-ref']))
  })
})

/** What we write of CycloneDX 1.5. */
const Sbom = z.strictObject({
  $schema: z.string(),
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.literal('1.5'),
  version: z.literal(1),
  metadata: z.strictObject({ component: z.looseObject({ 'bom-ref': z.string(), type: z.literal('application') }) }),
  components: z.array(
    z.strictObject({
      'bom-ref': z.string(),
      type: z.literal('library'),
      name: z.string(),
      version: z.string().regex(/^\d/),
      purl: z.string().regex(/^pkg:npm\/(%40[\w.-]+\/)?[\w.-]+@[\w.+-]+$/),
      hashes: z.tuple([z.strictObject({ alg: z.literal('SHA-512'), content: z.string().regex(/^[0-9a-f]{128}$/) })]),
      licenses: z.array(z.strictObject({ expression: z.string().min(1) })).optional(),
    }),
  ),
  dependencies: z.array(z.strictObject({ ref: z.string(), dependsOn: z.array(z.string()) })),
})

describe('what firebase deploys', () => {
  let folder: string
  let built: Built

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'koko-build-'))
    built = await buildFunctions(folder)
  })
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  it('depends on exact versions of the packages that it does not bundle', async () => {
    const manifest: unknown = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    expect(manifest).toMatchObject({ type: 'module', main: 'index.js', engines: { node: '24' } })
    expect(manifest).toHaveProperty('dependencies', built.dependencies)
    expect(Object.keys(built.dependencies)).toEqual(['@google-cloud/firestore', 'firebase-admin', 'firebase-functions'])
    for (const version of Object.values(built.dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/)
  })

  it('has a lock that names no registry, and the integrity of every package', async () => {
    const lock = JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8')) as Lock
    const packages = Object.entries(lock.packages).filter(([path]) => path !== '')
    expect(packages.length).toBeGreaterThan(50)
    for (const [path, locked] of packages) {
      expect(path).toMatch(/^node_modules\//)
      expect(locked).not.toHaveProperty('resolved')
      expect(locked.integrity).toMatch(/^sha512-/)
    }
  })

  it('leaves nothing of an earlier build behind', async () => {
    const before = await readdir(folder)
    await writeFile(join(folder, 'chunk-OF8AN0EARLIER.js'), '')
    await buildFunctions(folder)
    expect((await readdir(folder)).sort()).toEqual(before.sort())
    expect(before.filter((name) => name.endsWith('.js')).sort()).toEqual(Object.keys(built.files).sort())
  })

  it(
    'installs into an empty folder with npm ci, and can be imported there',
    async () => {
      await run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'], {
        cwd: folder,
      })
      const script = "import('./index.js').then((all) => console.log(JSON.stringify(Object.keys(all))))"
      const { stdout } = await run(process.execPath, ['--eval', script], {
        cwd: folder,
        env: { ...process.env, GCLOUD_PROJECT: 'demo-koko' },
      })
      expect(JSON.parse(stdout)).toEqual(expect.arrayContaining(['api', 'registerAgent', 'republishDiscovery']))
    },
    INSTALL_TIMEOUT_MS,
  )
})
