import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { maxInstances } from '../functions/src/limits.ts'
import { buildFunctions } from './build.ts'
import type { Built } from './build.ts'
import type { Lock } from './deploy/cut-lock.ts'

const run = promisify(execFile)
const INSTALL_TIMEOUT_MS = 300_000

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
    'installs into an empty folder with npm ci, and tells the platform how many instances each function may have',
    async () => {
      await run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'], {
        cwd: folder,
      })
      const shown = 'Object.entries(all).map(([name, { __endpoint }]) => [name, __endpoint.maxInstances])'
      const script = `import('./index.js').then((all) => console.log(JSON.stringify(Object.fromEntries(${shown}))))`
      const { stdout } = await run(process.execPath, ['--eval', script], {
        cwd: folder,
        env: { ...process.env, GCLOUD_PROJECT: 'demo-koko' },
      })
      expect(JSON.parse(stdout)).toEqual(maxInstances)
    },
    INSTALL_TIMEOUT_MS,
  )
})
