import { readFile, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { root } from './stack/addresses.ts'
import { buildAgent, bundle, printSizes } from './build-agent.ts'
import { cutLock } from './deploy/cut-lock.ts'
import type { Lock, Manifest } from './deploy/cut-lock.ts'
import { checksums } from './checksums.ts'
import { Failure, reportFailure } from './failure.ts'
import { writeDeployConfig } from './hosting-config.ts'
import { packagesOf, writeSbom } from './sbom.ts'
import { webSizes } from './web-sizes.ts'

/** The SHA-256 of every built file; git ignores it. docs/hosting.md says how to compare it. */
const sumsName = 'SHA256SUMS'
/** The runtime in firebase.json. */
const NODE_MAJOR = '24'
/**
 * Bundled instead of installed. Our packages are on no registry. The functions use little of the others, and a few files
 * load faster than many: a cold import takes 348 ms instead of 397 ms.
 */
const INLINED = ['@koko/contract', 'zod', 'libphonenumber-js', 'altcha-lib', 'tinyqueue']

export interface Built {
  /** The bundle's files and their sizes: `index.js`, and what it imports on first use. */
  files: Record<string, number>
  /** The versions of the packages that `npm ci` installs, by name. */
  dependencies: Record<string, string>
}

/** Builds everything that is deployed: the functions with a lock of their own, and the web pages. */
export async function build(): Promise<Built> {
  const built = await buildFunctions(join(root, 'functions', 'dist'))
  await buildWeb(join(root, 'web', 'dist'))
  await writeDeployConfig()
  return built
}

/** `firebase deploy` installs and runs only this folder: the bundle, a package.json and its lock. */
export async function buildFunctions(folder: string): Promise<Built> {
  const workspace = JSON.parse(await readFile(join(root, 'functions', 'package.json'), 'utf8')) as Manifest
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lock
  const installed = Object.keys(workspace.dependencies).filter((name) => !INLINED.includes(name))

  const { files, inputs } = await bundle(folder, {
    entryPoints: ['functions/src/index.ts'],
    target: `node${NODE_MAJOR}`,
    external: installed.flatMap((name) => [name, `${name}/*`]),
  })
  const foreign = inputs.filter(
    (path) => path.includes('node_modules/') && !INLINED.some((name) => path.includes(`node_modules/${name}/`)),
  )
  if (foreign.length > 0)
    throw new Failure(`functions/package.json does not name what is imported: ${foreign.join(', ')}`)

  const manifest = { name: 'koko-functions', version: workspace.version ?? '0.0.0' }
  const cut = cutLock(lock, 'functions', manifest, installed)
  const dependencies = cut.packages['']?.dependencies ?? {}
  await writeJson(join(folder, 'package.json'), {
    ...manifest,
    private: true,
    type: 'module',
    main: 'index.js',
    engines: { node: NODE_MAJOR },
    dependencies,
  })
  await writeJson(join(folder, 'package-lock.json'), cut)
  const placed = Object.entries(cut.packages).filter(([path]) => path !== '')
  await writeSbom(folder, manifest, [...placed, ...(await packagesOf(inputs))])
  return { files, dependencies }
}

export async function buildWeb(folder: string): Promise<void> {
  const { build: buildPages } = await import('vite')
  const source = join(root, 'web')
  const built = await buildPages({
    root: source,
    configFile: join(source, 'vite.config.ts'),
    build: { outDir: folder },
    logLevel: 'error',
  })
  if (!('output' in built)) throw new Failure('vite watches instead of building')
  const modules = built.output.flatMap((each) => (each.type === 'chunk' ? each.moduleIds : []))
  const { version = '0.0.0' } = JSON.parse(await readFile(join(source, 'package.json'), 'utf8')) as Manifest
  await writeSbom(folder, { name: 'koko-web', version }, await packagesOf(modules))
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(path, `${JSON.stringify(value, null, 2)}\n`)
}

if (import.meta.main) {
  try {
    const { files, dependencies } = await build()
    const names = Object.entries(dependencies).map(([name, version]) => `${name}@${version}`)
    printSizes('functions/dist', files)
    console.log(`functions/dist  and, installed by npm ci: ${names.join(', ')}`)
    const { before, after } = await webSizes(join(root, 'web', 'dist'))
    const koko = Object.values(await buildAgent(join(root, 'agent', 'dist'))).reduce((sum, bytes) => sum + bytes, 0)
    console.log(`agent/dist  koko: ${kilobytes(koko)}, all commands`)
    console.log(`web/dist  settings: ${kilobytes(before)} gzipped before a link is opened, ${kilobytes(after)} after`)
    const sums = await checksums(root, ['agent/dist', 'functions/dist', 'web/dist'])
    await writeFile(join(root, sumsName), sums)
    console.log(`${sumsName}  ${createHash('sha256').update(sums).digest('hex')}`)
  } catch (error) {
    process.exitCode = reportFailure(error)
  }
}
