import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readHostingConfig } from '../hosting-config.ts'
import { authOrigin, firestoreOrigin, root } from './addresses.ts'

/**
 * Beside firebase.json, because firebase-tools uses a configuration's folder as the project's; git ignores it. Each run has
 * its own file, so that a run that stops does not delete the file of the next.
 */
const path = join(root, `firebase.emulators.${process.pid}.json`)

/** Writes the configuration of Hosting, changed so that the pages may also reach the emulators. Returns its path. */
export async function writeEmulatorConfig(): Promise<string> {
  const firebase = await readHostingConfig()
  const headers = firebase.hosting.headers.map(({ source, headers }) => ({
    source,
    headers: headers.map(({ key, value }) => ({ key, value: key === policy ? withEmulators(value) : value })),
  }))
  const config = { ...firebase, hosting: { ...firebase.hosting, headers } }
  await writeFile(path, `${JSON.stringify(config, null, 2)}\n`)
  return path
}

const policy = 'Content-Security-Policy'

function withEmulators(value: string): string {
  return value.replace("connect-src 'self'", `connect-src 'self' ${authOrigin} ${firestoreOrigin}`)
}
