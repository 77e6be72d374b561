import { expect, it } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../stack/addresses.ts'
import { resolveLocked } from './cut-lock.ts'
import type { Lock } from './cut-lock.ts'

// npm leaves out of the lock what its registry does not carry, and npm ci then refuses the lock everywhere. Take a version
// of which the registry carries every platform, rather than write an entry by hand, which would have no integrity.
it('locks the native packages of every platform, so that npm ci takes the lock', async () => {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lock
  const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => resolveLocked(lock, path, name) === undefined),
  )
  expect(missing).toEqual([])
})

it('has the integrity of every package, so that npm ci takes no other bytes', async () => {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lock
  const installed = Object.entries(lock.packages).filter(
    ([path, { link }]) => path.includes('node_modules/') && link !== true,
  )
  expect(installed.length).toBeGreaterThan(1_000)
  const unsure = installed.filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ''))
  expect(unsure.map(([path]) => path)).toEqual([])
})

it('names no registry in the lock', async () => {
  expect(await readFile(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved": "http/)
})
