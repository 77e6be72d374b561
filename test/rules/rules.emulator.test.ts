import { initializeTestEnvironment } from '@firebase/rules-unit-testing'
import type { RulesTestEnvironment } from '@firebase/rules-unit-testing'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { Badge, listings, Unlinks } from '../../contract/src/listing.ts'
import { cases } from './cases.ts'
import { coverageOf } from './coverage.ts'
import type { Coverage } from './coverage.ts'
import { outlineOf, rows } from './documents.ts'
import { brokenCases, emulatorOf, plant } from './emulator.ts'

const emulator = emulatorOf(`demo-rules-${process.pid}`)
/** A few hundred cases, on a machine that runs other suites beside this one. */
const timeoutMs = 60_000

let environment: RulesTestEnvironment

beforeAll(async () => {
  const rules = await readFile(new URL('../../firestore.rules', import.meta.url), 'utf8')
  environment = await initializeTestEnvironment({ projectId: emulator.projectId, firestore: { rules } })
  await plant(emulator)
}, timeoutMs)

afterAll(() => environment.cleanup())

test.each([
  { name: 'badge', schema: Badge, row: rows.badge },
  ...listings.map((schema) => ({
    name: `${schema.shape.category.value} listing`,
    schema,
    row: rows[`${schema.shape.category.value} listing`],
  })),
  { name: 'unlinks', schema: Unlinks, row: rows.unlinks },
])('expects the $name to be as the contract says', ({ schema, row }) => {
  expect(contractOutline(z.toJSONSchema(schema)).toSorted()).toEqual(outlineOf(row.group).toSorted())
})

test.each([...Map.groupBy(cases, ({ subject }) => subject)])(
  'lets owners get what they may from %s, and refuses everything else',
  async (_, casesOfSubject) => {
    const broken = await brokenCases(emulator, casesOfSubject)
    expect(broken.map(({ name, allowed }) => `${name}: ${allowed ? 'refused' : 'allowed'}`)).toEqual([])
  },
  timeoutMs,
)

// Follows the cases above: the emulator counts since the rules were loaded.
test(
  'saw each condition of the rules both hold and fail',
  async () => {
    const isCondition = ({ seen }: Coverage) => [...seen].every((kind) => ['true', 'false', 'error'].includes(kind))
    const conditions = (await coverageOf(emulator)).filter(isCondition)
    expect(conditions.length).toBeGreaterThan(80)
    const oneSided = conditions.filter(({ seen }) => !(seen.has('true') && seen.has('false')))
    expect(oneSided).toEqual([])
  },
  timeoutMs,
)

function contractOutline({ properties = {}, required = [] }: z.core.JSONSchema.JSONSchema, at = ''): string[] {
  return Object.entries(properties).flatMap(([field, schema]) => {
    const place = `${at}${field}${required.includes(field) ? '' : '?'}`
    return typeof schema === 'object' && schema.type === 'object'
      ? contractOutline(schema, `${place}.`)
      : [`${place}: ${typeOf(schema)}`]
  })
}

function typeOf(schema: z.core.JSONSchema.BaseSchema['items']): string {
  if (typeof schema !== 'object' || Array.isArray(schema)) throw new Error('a field without a type')
  const { type, const: only, enum: values, anyOf, items } = schema
  if (only !== undefined) return String(only)
  if (values) return values.join(' | ')
  if (anyOf) return anyOf.map(typeOf).join(' | ')
  return type === 'array' ? `list of ${typeOf(items)}` : String(type)
}
