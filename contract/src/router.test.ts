import { describe, expect, test } from '@jest/globals'
import * as z from 'zod'
import { createRouter, parseQuery } from './router.ts'

const route = createRouter({
  list: { method: 'GET', path: '/api/v1/agents' },
  put: { method: 'PUT', path: '/api/v1/agents/{name}' },
  remove: { method: 'DELETE', path: '/api/v1/agents/{name}' },
  pause: { method: 'POST', path: '/api/v1/agents/{name}/runs/{run}:pause' },
  keys: { method: 'GET', path: '/.well-known/jwks.json' },
})

describe('the router', () => {
  test('finds an endpoint by method and path, with the path parameters as they were sent', () => {
    expect(route('PUT', '/api/v1/agents/ada')).toEqual({
      kind: 'endpoint',
      name: 'put',
      params: { name: 'ada' },
      query: undefined,
    })
    expect(route('POST', '/api/v1/agents/ada/runs/7:pause')).toMatchObject({
      name: 'pause',
      params: { name: 'ada', run: '7' },
    })
    expect(route('GET', '/.well-known/jwks.json')).toMatchObject({ name: 'keys' })
  })

  test('treats HEAD as GET', () => {
    expect(route('HEAD', '/api/v1/agents')).toMatchObject({ name: 'list' })
  })

  test('gives the text after the question mark: undefined without a question mark, else perhaps empty', () => {
    expect(route('GET', '/api/v1/agents?limit=5&next=a?b')).toMatchObject({ query: 'limit=5&next=a?b' })
    expect(route('GET', '/api/v1/agents?')).toMatchObject({ query: '' })
  })

  test('names the methods of a path if the method is another', () => {
    expect(route('POST', '/api/v1/agents/ada')).toEqual({ kind: 'wrong method', allow: ['PUT', 'DELETE'] })
  })

  test.each([
    '/',
    '/api/v1/agents/',
    '/api/v1/agents/ada/runs',
    '/api/v1/agents/ada/runs/7:stop',
    '/api/v1/agents/a:b',
    '/api/v1/agents/a/b',
    '/xwell-known/jwks.json',
    '/.well-known/jwksxjson',
  ])('finds nothing at %s', (path) => {
    expect(route('PUT', path)).toEqual({ kind: 'unknown path' })
  })
})

describe('the parameters of a URL', () => {
  const Limit = z.strictObject({ limit: z.coerce.number().int(), next: z.string().optional() })

  test('are parsed by the schema of the endpoint', () => {
    expect(parseQuery(Limit, 'limit=5&next=a%20b')).toEqual({ limit: 5, next: 'a b' })
    expect(parseQuery(undefined, undefined)).toBeUndefined()
  })

  test.each([
    [undefined, '', 'takes no parameters in the URL'],
    [undefined, 'number=%2B12025550100', 'takes no parameters in the URL'],
    [Limit, 'limit=5&limit=6', 'must have each URL parameter at most once'],
    [Limit, 'limit=5&number=%2B12025550100', 'takes only the keys limit, next'],
  ])('are refused without a word of what was sent', (schema, text, message) => {
    expect(() => parseQuery(schema, text)).toThrow(`The input ${message}.`)
  })
})
