import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { citiesModule } from './generate/generate-cities.ts'
import { coastModule } from './generate/generate-coast.ts'
import { contractFiles } from './generate/generate-contract.ts'
import { firestoreRules } from './generate/generate-rules.ts'

/** Every generated file, by its path from the repository's root. */
const generated: Readonly<Record<string, () => string>> = {
  'agent/src/matching/cities.ts': citiesModule,
  'firestore.rules': firestoreRules,
  'web/src/settings/coast.ts': coastModule,
  ...contractFiles,
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
    console.log(check ? `${path} is not what the contract says; run npm run generate` : `wrote ${path}`)
    if (check) process.exitCode = 1
  }
}
