import { expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { dayMs, minuteMs, secondMs } from '@koko/contract'
import { takeDownHandle } from '../functions/src/directory/takedown.ts'
import { paths } from '../functions/src/documents.ts'
import { republishDiscovery } from '../functions/src/discovery/republish.ts'
import { sampleChannels as channels, sampleProfile as profile } from '../testing/samples.ts'
import { call, createWorld, register } from '../testing/world.ts'

const text = readFileSync(new URL('../SECURITY.md', import.meta.url), 'utf8')

test.each(Object.entries(paths))('SECURITY.md names where %s is stored', (_, path) => {
  const collection = (typeof path === 'string' ? path : path('dating', 'x')).split('/')[0] ?? ''
  expect(collection).not.toBe('')
  expect(text).toContain(`\`${collection}/`)
})

/** The times in a document, by dotted path, the names of channels left out. */
function timesOf(value: unknown, path: readonly string[] = []): { field: string; ms: number }[] {
  if (value instanceof Date) return [{ field: path.join('.'), ms: value.getTime() }]
  if (typeof value === 'number') return (path.at(-1) ?? '').endsWith('Ms') ? [{ field: path.join('.'), ms: value }] : []
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return []
  return Object.entries(value).flatMap(([key, each]) =>
    timesOf(each, Array.isArray(value) || key in channels ? path : [...path, key]),
  )
}

test('SECURITY.md says how exact every stored time is', async () => {
  const rows = [...text.matchAll(/^\| [^|]+ \| ([^|]+) \| (a UTC day|a minute|a millisecond)[^|]* \|$/gm)].map(
    ([, fields = '', precision = '']) => ({
      fields: [...fields.matchAll(/`([^`]+)`/g)].map(([, field]) => field),
      precisionMs: { 'a UTC day': dayMs, 'a minute': minuteMs }[precision] ?? 1,
    }),
  )
  const world = createWorld(Date.UTC(2026, 10, 21, 12, 34, 56, 789))
  const look = () => {
    for (const [path, document] of world.store.all()) {
      const [collection = ''] = path.split('/')
      for (const { field, ms } of timesOf(document)) {
        // A badge and a listing have a field of the same name.
        const named = [`${collection}.${field}`, field, field.split('.').at(-1)]
        const row = rows.find(({ fields }) => named.some((name) => fields.includes(name)))
        expect([path, field, row !== undefined]).toEqual([path, field, true])
        expect([path, field, ms % (row?.precisionMs ?? 1)]).toEqual([path, field, 0])
      }
    }
  }
  const ada = await register(world)
  const bea = await register(world)
  for (const step of [
    () => call(world, 'publishProfile', ada.claims, { channels, profile }),
    () => call(world, 'publishProfile', bea.claims, { channels: { telegram: 'bea_example' }, profile }),
    () => republishDiscovery(world.ports, world.clock.now),
    () => call(world, 'unlinkChannel', ada.claims, { channel: 'telegram' }),
    () => call(world, 'createSettingsLink', ada.claims),
    () => call(world, 'rotateSecret', ada.claims),
    () => republishDiscovery(world.ports, world.clock.now),
    () => takeDownHandle(world.ports, { channel: 'telegram', handle: 'bea_example' }, world.clock.now()),
    () => call(world, 'unregisterAgent', bea.claims),
  ]) {
    await step()
    look()
    world.clock.advance(7 * secondMs)
  }

  // Every time that a stored document can have is in the table, and no other.
  const schemas = ['../functions/src/documents.ts', '../contract/src/listing.ts'].map((path) =>
    readFileSync(new URL(path, import.meta.url), 'utf8'),
  )
  const declared = schemas
    .flatMap((source) => [...source.matchAll(/(\w+): (?:Milliseconds|z\.date\(\))/g)])
    .map(([, name]) => name)
  const listed = rows.flatMap(({ fields }) => fields).map((field) => field?.split('.').at(-1))
  expect([...new Set(listed)].sort()).toEqual([...new Set(declared)].sort())
})
