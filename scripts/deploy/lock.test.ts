import { expect, it } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../stack/addresses.ts'
import { resolveLocked } from './cut-lock.ts'
import type { Lock } from './cut-lock.ts'

// npm leaves out of the lock what its registry does not carry, and npm ci then refuses the lock everywhere. What it left
// out is written in by hand: version, os and cpu, from the names in `optionalDependencies`.
it('locks the native packages of every platform, so that npm ci takes the lock', async () => {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lock
  const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => resolveLocked(lock, path, name) === undefined),
  )
  expect(missing).toEqual([])
})

it('names no registry in the lock', async () => {
  expect(await readFile(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved": "http/)
})
