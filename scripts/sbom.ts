import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Lock, LockedPackage } from './deploy/cut-lock.ts'
import { root } from './stack/addresses.ts'

const fileName = 'sbom.cdx.json'

/** A package of the lock, by its folder. */
type Placed = readonly [folder: string, locked: LockedPackage]

/**
 * The packages that bundled files come from, as the whole workspace's lock has them. Our own code is in none. A path may
 * lead to the packages of another folder, through a link.
 */
export async function packagesOf(paths: Iterable<string>): Promise<Placed[]> {
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lock
  const folders = new Set(
    [...paths].flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.slice(0, 1) ?? []),
  )
  const placed = [...folders].map((path) => {
    const segments = path.split('/')
    const folder = segments.map((_, index) => segments.slice(index).join('/')).find((each) => each in packages)
    const locked = packages[folder ?? '']
    if (folder === undefined || locked === undefined) throw new Error(`${path} is not in the lock`)
    return [folder, locked] as const
  })
  return [...new Map(placed)]
}

/**
 * Writes a software bill of materials (https://cyclonedx.org, 1.5) beside what it describes: every package that is bundled or
 * installed, with the hash that the lock has. The same input gives the same bytes. `npm sbom` fits neither need: it leaves
 * out what several workspaces share, and what a bundle holds, and stamps each document with a time and a random number.
 */
export async function writeSbom(
  folder: string,
  { name, version }: { name: string; version: string },
  packages: readonly Placed[],
): Promise<void> {
  const components = Object.fromEntries(packages.map((placed) => [purlOf(placed), componentOf(placed)]))
  const refs = Object.keys(components).sort()
  const subject = `pkg:npm/${name.replace('@', '%40')}@${version}`
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { 'bom-ref': subject, type: 'application', name, version, purl: subject } },
    components: refs.map((ref) => components[ref]),
    dependencies: [{ ref: subject, dependsOn: refs }],
  }
  await writeFile(join(folder, fileName), `${JSON.stringify(document, null, 2)}\n`)
}

function componentOf(placed: Placed) {
  const [folder, { version, integrity = '', license }] = placed
  const purl = purlOf(placed)
  const [algorithm = '', digest = ''] = integrity.split('-', 2)
  if (algorithm !== 'sha512') throw new Error(`the lock has no SHA-512 of ${folder}`)
  return {
    'bom-ref': purl,
    type: 'library',
    name: nameOf(folder),
    version,
    purl,
    hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }],
    ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
  }
}

/** https://github.com/package-url/purl-spec */
function purlOf([folder, { version = '' }]: Placed): string {
  return `pkg:npm/${nameOf(folder).replace('@', '%40')}@${version}`
}

function nameOf(folder: string): string {
  return folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length)
}
