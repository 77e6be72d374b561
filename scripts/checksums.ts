import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The SHA-256 of every file below these folders of `base`, in the format that `sha256sum --check` reads. */
export async function checksums(base: string, folders: readonly string[]): Promise<string> {
  const found = await Promise.all(
    folders.map(async (folder) => {
      const entries = await readdir(join(base, folder), { recursive: true, withFileTypes: true })
      return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    }),
  )
  const lines = found.flat().map(async (path) => {
    const hash = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
    return { path: path.slice(base.length + 1), hash }
  })
  const sorted = (await Promise.all(lines)).sort((a, b) => (a.path < b.path ? -1 : 1))
  return sorted.map(({ path, hash }) => `${hash}  ${path}\n`).join('')
}
