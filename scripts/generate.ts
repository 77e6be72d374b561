import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { Channels } from '../contract/src/channels.ts'
import { rooms } from '../contract/src/rooms/rooms.ts'
import { citiesModule } from './generate/generate-cities.ts'
import { coastModule } from './generate/generate-coast.ts'
import { jsonSchema, openapi } from './generate/generate-openapi.ts'
import { reference } from './generate/generate-reference.ts'
import { firestoreRules } from './generate/generate-rules.ts'

/** Every generated file, by its path from the repository's root. */
export const generated: Readonly<Record<string, () => string>> = {
  'agent/src/matching/cities.ts': citiesModule,
  'firestore.rules': firestoreRules,
  'web/src/settings/coast.ts': coastModule,
  'contract/generated/openapi.json': () => formatJson(openapi()),
  'contract/generated/channels.schema.json': () => formatJson(jsonSchema('Channels', Channels)),
  ...Object.fromEntries(
    Object.entries(rooms).map(([name, { title, profile }]) => [
      `contract/generated/profile.${name}.schema.json`,
      () => formatJson(jsonSchema(`${title} profile`, profile)),
    ]),
  ),
  'docs/reference.md': reference,
}

function formatJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

/** Regenerates the files under `root`, or with `check` only compares them. Returns the paths of those that differed. */
export async function generate(root: URL, check: boolean): Promise<string[]> {
  const drifted: string[] = []
  for (const [path, text] of Object.entries(generated)) {
    const file = new URL(path, root)
    const wanted = text()
    const found = existsSync(file) ? await readFile(file, 'utf8') : undefined
    if (found === wanted) continue
    drifted.push(path)
    if (check) continue
    await mkdir(new URL('.', file), { recursive: true })
    await writeFile(file, wanted)
  }
  return drifted
}

if (import.meta.main) {
  const check = process.argv.includes('--check')
  for (const path of await generate(new URL('../', import.meta.url), check)) {
    console.log(check ? `${path} differs from the contract: run npm run generate` : `wrote ${path}`)
    if (check) process.exitCode = 1
  }
}
