import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, test } from '@jest/globals'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { readFileSync } from 'node:fs'
import * as z from 'zod'
import openapi from '../../contract/generated/openapi.json' with { type: 'json' }
import { callables, endpoints, type Endpoint } from '../../contract/src/api.ts'
import { Channel } from '../../contract/src/channels.ts'
import { RoomName } from '../../contract/src/rooms/rooms.ts'
import { invalidFixtures, validFixtures } from '../../fixtures/read.ts'
import { generated } from '../generate.ts'

const root = new URL('../../', import.meta.url)

const Operation = z.looseObject({
  operationId: z.string(),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  requestBody: z
    .object({ content: z.object({ 'application/json': z.object({ schema: z.record(z.string(), z.unknown()) }) }) })
    .optional(),
  responses: z.record(z.string(), z.looseObject({ headers: z.record(z.string(), z.unknown()).optional() })),
})
const PathItem = z.strictObject({
  servers: z.array(z.looseObject({ url: z.string() })).optional(),
  get: Operation.optional(),
  post: Operation.optional(),
})
const Document = z.looseObject({
  paths: z.record(z.string(), PathItem),
  components: z.looseObject({ schemas: z.record(z.string(), z.record(z.string(), z.unknown())) }),
})

const document = Document.parse(openapi)
const operations = Object.values(document.paths).flatMap(({ get, post }) =>
  [get, post].filter((operation) => operation !== undefined),
)

function operationOf(name: string): z.infer<typeof Operation> {
  const found = operations.find(({ operationId }) => operationId === name)
  if (found === undefined) throw new Error(`There is no operation ${name}.`)
  return found
}

/** Says whether a value is what the request body of an operation takes, by its JSON Schema alone. */
function checkOfBody(name: string): (body: unknown) => boolean {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, validateFormats: false })
  ajv.addVocabulary(['components'])
  const schema = operationOf(name).requestBody?.content['application/json'].schema
  const validate = ajv.compile({ components: document.components, ...schema })
  return (body) => validate(body)
}

test('the description is valid OpenAPI 3.1, and every reference leads somewhere', async () => {
  const validator = new Validator()
  const copy = structuredClone(openapi)
  expect(await validator.validate(copy)).toEqual({ valid: true })
  expect(validator.version).toBe('3.1')
  const references = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)
  const missing = [...references].filter(
    ([, kind = '', name = '']) =>
      !Object.hasOwn(z.record(z.string(), z.unknown()).parse(document.components[kind]), name),
  )
  expect(missing).toEqual([])
})

test('it lists each endpoint and each callable, once', () => {
  expect(operations.map(({ operationId }) => operationId).sort()).toEqual(
    [...Object.keys(endpoints), ...Object.keys(callables)].sort(),
  )
  for (const { method, path } of Object.values(endpoints)) {
    expect(Object.keys(document.paths[path] ?? {})).toEqual([method.toLowerCase()])
  }
  for (const name of Object.keys(callables)) {
    expect(document.paths[`/${name}`]?.servers?.[0]?.url).toBe('https://{region}-{projectId}.cloudfunctions.net')
  }
})

test('it asks for a token exactly where a caller needs one', () => {
  for (const [name, { caller }] of Object.entries({ ...endpoints, ...callables })) {
    expect([name, operationOf(name).security]).toEqual([name, caller === 'anyone' ? [] : [{ idToken: [] }]])
  }
})

test('it names the statuses that an endpoint answers with', () => {
  const statuses = (name: string) => Object.keys(operationOf(name).responses)
  expect(statuses('config')).toEqual(['200', '400', '500', '503'])
  for (const name of ['discover', 'batchGet']) {
    expect(statuses(name)).toEqual(['200', '400', '401', '403', '404', '409', '413', '429', '500', '503'])
    expect(operationOf(name).responses['429']?.headers).toHaveProperty('Retry-After')
  }
  for (const name of Object.keys(endpoints))
    for (const response of Object.values(operationOf(name).responses))
      expect(response.headers).toHaveProperty('Cache-Control')
  expect(statuses('heartbeat')).toEqual(['200', '400', '401', '403', '409', '500', '503'])
  expect(statuses('redeemSettingsLink')).toContain('404')
  expect(statuses('health')).toEqual(['200', '400', '429', '500', '503'])
  const limited = ['publishProfile', 'exportAgent', 'createSettingsLink', 'signInAgent', 'createRegistrationChallenge']
  for (const name of limited) expect([name, statuses(name)]).toEqual([name, expect.arrayContaining(['429'])])
})

test('it has a body for each endpoint that takes an input, and for no other', () => {
  for (const [name, { input }] of Object.entries<Endpoint>(endpoints)) {
    expect([name, operationOf(name).requestBody !== undefined]).toEqual([name, input !== undefined])
  }
})

test('no keyword of it tells how a lenient parse goes on', () => {
  const consents = JSON.stringify(operationOf('registerAgent').requestBody)
  expect(consents).not.toContain('"default"')
  expect(consents.match(/"const":true/g)).toHaveLength(3)
  expect(JSON.stringify(document)).not.toContain(String(Number.MAX_SAFE_INTEGER))
})

describe('by JSON Schema alone, what is valid passes and what is invalid does not', () => {
  /** What JSON Schema cannot say; the server says it. */
  const unsaid = new Set([
    'must be a possible number: an assigned country code and a length that occurs there',
    'must be at most 18446744073709551615',
    'must not be below ageMin',
    'is allowed only with near',
  ])

  function expectToSort(folder: string, check: (input: unknown) => boolean): void {
    expect(validFixtures(folder).filter(({ input }) => !check(input))).toEqual([])
    const accepted = invalidFixtures(folder).filter(({ input }) => check(input))
    expect(accepted.filter(({ message }) => !unsaid.has(message ?? ''))).toEqual([])
  }

  function checkOfFile(name: string): (input: unknown) => boolean {
    const text = readFileSync(new URL(`contract/generated/${name}`, root), 'utf8')
    const validate = new Ajv2020().compile(z.record(z.string(), z.unknown()).parse(JSON.parse(text)))
    return (input) => validate(input)
  }

  test.each([
    ['publish', 'publishProfile'],
    ['register', 'registerAgent'],
  ])('%s, as the body of a callable', (folder, name) => {
    const check = checkOfBody(name)
    expectToSort(folder, (input) => check({ data: input }))
  })

  test.each([
    ['discover', 'discover'],
    ['batch-get', 'batchGet'],
  ])('%s, as the body of an endpoint', (folder, name) => {
    expectToSort(folder, checkOfBody(name))
  })

  test.each(Channel.options)('%s handles', (channel) => {
    const check = checkOfFile('channels.schema.json')
    expectToSort(`channels/${channel}`, (input) => check({ [channel]: input }))
  })

  test.each(RoomName.options)('%s profiles', (room) => {
    expectToSort(`profile/${room}`, checkOfFile(`profile.${room}.schema.json`))
  })
})

test.each(Object.keys(generated).filter((path) => /^(contract|docs)\//.test(path)))(
  '%s is what the contract says: else run npm run generate',
  (path) => {
    expect(readFileSync(new URL(path, root), 'utf8')).toBe(generated[path]?.())
  },
)
