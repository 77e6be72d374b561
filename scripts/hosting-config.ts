import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import firebase from '../firebase.json' with { type: 'json' }
import { root } from './stack/addresses.ts'

/** What `firebase deploy` reads; git ignores it. It is beside firebase.json, whose folder is the project's. */
export const deployConfigName = 'firebase.deploy.json'

/**
 * firebase.json, with a rule for each built asset: caches may keep it for a year, because its name has a hash of its bytes.
 * Hosting applies a rule to every path that matches, found or not, so a rule for the whole folder would let a browser keep
 * a "not found" for a year.
 */
export async function readHostingConfig(): Promise<typeof firebase> {
  const assets = (await readdir(join(root, 'web', 'dist', 'assets'))).sort()
  const rules = assets.map((file) => ({
    source: `/assets/${file}`,
    headers: [{ key: 'Cache-Control', value: 'public, max-age=31536000, immutable' }],
  }))
  // The last rule that matches wins.
  return { ...firebase, hosting: { ...firebase.hosting, headers: [...firebase.hosting.headers, ...rules] } }
}

export async function writeDeployConfig(): Promise<void> {
  const { emulators: _emulators, ...config } = await readHostingConfig()
  await writeFile(join(root, deployConfigName), `${JSON.stringify(config, null, 2)}\n`)
}
