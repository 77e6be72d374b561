import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

/** The gzipped size of the settings page in bytes: before its link is opened, and with everything it loads afterwards. */
export async function webSizes(dist: string): Promise<{ before: number; after: number }> {
  const page = await readFile(join(dist, 'settings.html'), 'utf8')
  const named = [...page.matchAll(/(?:src|href)="\/((?:assets\/)?[\w.-]+\.(?:js|css|svg))"/g)].map(
    ([, path]) => path ?? '',
  )
  const assets = (await readdir(join(dist, 'assets'))).map((name) => join('assets', name))
  const weigh = async (paths: Iterable<string>) => {
    const sizes = await Promise.all(
      [...new Set(paths)].map(
        async (path) => (await promisify(gzip)(await readFile(join(dist, path)), { level: 9 })).length,
      ),
    )
    return sizes.reduce((sum, size) => sum + size, 0)
  }
  return {
    before: await weigh(['settings.html', ...named]),
    after: await weigh(['settings.html', ...named, ...assets]),
  }
}
