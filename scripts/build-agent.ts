import * as esbuild from 'esbuild'
import { chmod, copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { root } from './stack/addresses.ts'
import { reportFailure } from './failure.ts'
import { packagesOf, writeSbom } from './sbom.ts'

/** The oldest Node that koko runs on; `engines` of its package says the same. */
const minNode = '20.12'

/**
 * Bundles an entry file into a folder and deletes stale files there. Modules imported on first use stay in separate files.
 * Returns the files with their sizes in bytes, and the paths of the sources.
 */
export async function bundle(
  folder: string,
  options: esbuild.BuildOptions,
): Promise<{ files: Record<string, number>; inputs: string[] }> {
  const { metafile } = await esbuild.build({
    absWorkingDir: root,
    outdir: folder,
    bundle: true,
    splitting: true,
    chunkNames: '[name]-[hash]',
    format: 'esm',
    platform: 'node',
    legalComments: 'none',
    logLevel: 'silent',
    ...options,
    metafile: true,
  })
  const files = Object.fromEntries(Object.entries(metafile.outputs).map(([path, { bytes }]) => [basename(path), bytes]))
  const stale = (await readdir(folder)).filter((name) => name.endsWith('.js') && !(name in files))
  await Promise.all(stale.map((name) => rm(join(folder, name))))
  return { files, inputs: Object.keys(metafile.inputs) }
}

/**
 * Builds koko into a folder: one small file that starts, and a file per command, so that no command loads another's code.
 * All packages are bundled, so that koko installs without dependencies. Returns the files and their sizes in bytes.
 */
export async function buildAgent(folder: string): Promise<Record<string, number>> {
  const { files, inputs } = await bundle(folder, {
    entryPoints: ['agent/src/koko.ts'],
    target: `node${minNode}`,
    // CommonJS packages load Node's own modules with `require`.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'\nconst require = __createRequire(import.meta.url)",
    },
    minifySyntax: true,
    minifyWhitespace: true,
  })
  await chmod(join(folder, 'koko.js'), 0o755)
  await copyFile(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  const packages = await packagesOf(inputs)
  await writeFile(join(folder, 'LICENSES.txt'), await licensesOf(packages.map(([path]) => path)))
  const { name, version } = JSON.parse(await readFile(join(root, 'agent', 'package.json'), 'utf8')) as Named
  await writeSbom(folder, { name, version }, packages)
  return files
}

/** Prints each file with its size. */
export function printSizes(folder: string, files: Readonly<Record<string, number>>): void {
  for (const [name, bytes] of Object.entries(files)) {
    console.log(`${folder}/${name}`.padEnd(40), `${Math.ceil(bytes / 1024)} kB`.padStart(8))
  }
}

interface Named {
  name: string
  version: string
}

/** The licenses of the bundled packages, by their folders, which must accompany them. */
async function licensesOf(packages: readonly string[]): Promise<string> {
  const texts = await Promise.all(
    [...packages].sort().map(async (folder) => {
      const { name, version, license } = JSON.parse(
        await readFile(join(root, folder, 'package.json'), 'utf8'),
      ) as Record<'name' | 'version' | 'license', string>
      const file = (await readdir(join(root, folder))).find((found) => /^licen[cs]e/i.test(found))
      const text = file === undefined ? '' : await readFile(join(root, folder, file), 'utf8')
      return `${name} ${version} (${license})\n\n${text.trim()}\n`
    }),
  )
  return texts.join(`\n${'-'.repeat(80)}\n\n`)
}

if (import.meta.main) {
  try {
    printSizes('agent/dist', await buildAgent(join(root, 'agent', 'dist')))
  } catch (error) {
    process.exitCode = reportFailure(error)
  }
}
