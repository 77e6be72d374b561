import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createTestContext } from '../../test/context.ts'
import { createTestDirectory } from '../../../testing/directory.ts'
import { configAt, originOf } from './origin.ts'

describe('the origin of a directory', () => {
  test.each([
    ['https://directory.example', 'https://directory.example'],
    [' HTTPS://Directory.Example/ ', 'https://directory.example'],
    ['directory.example', 'https://directory.example'],
    ['directory.example:8443/settings#code=x', 'https://directory.example:8443'],
    ['localhost:5000', 'http://localhost:5000'],
    ['127.0.0.1:5000/api/v1', 'http://127.0.0.1:5000'],
    ['http://[::1]:5000', 'http://[::1]:5000'],
    ['http://koko.localhost', 'http://koko.localhost'],
    ['https://localhost:5000', 'https://localhost:5000'],
  ])('%j is %s', (typed, origin) => {
    expect(originOf(typed)).toEqual({ origin })
  })

  test.each([
    ['', 'must be an address'],
    ['   ', 'must be an address'],
    ['https://', 'must be an address'],
    ['not an address', 'must be an address'],
    ['http://directory.example', 'unencrypted'],
    ['http://127.0.0.1.directory.example', 'unencrypted'],
    ['http://localhost.directory.example', 'unencrypted'],
    ['ftp://directory.example', 'must begin with https://'],
    ['file:///etc/passwd', 'must begin with https://'],
    ['https://name:word@directory.example', 'user name'],
  ])('%j is refused: it %s', (typed, problem) => {
    expect(originOf(typed)).toEqual({ problem: expect.stringContaining(problem) as unknown })
  })

  test('is the same origin when it is given again, and plain http only on this machine', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.webUrl({ validSchemes: ['http', 'https', 'ftp'] }), fc.string(), fc.domain()),
        (typed) => {
          const parsed = originOf(typed)
          if ('problem' in parsed) return
          expect(originOf(parsed.origin)).toEqual(parsed)
          expect(parsed.origin).toMatch(/^https:|^http:\/\/(127\.[\d.]+|\[::1\]|([^/]*\.)?localhost)(:\d+)?$/)
        },
      ),
    )
  })
})

test('emulators on another machine are refused', async () => {
  const directory = await createTestDirectory({ isEmulated: true })
  directory.intercept = async (_, answer) =>
    new Response((await (await answer()).text()).replaceAll('"127.0.0.1"', '"emulators.example"'))
  const context = await createTestContext({ directory })
  await expect(configAt(context, directory.origin)).rejects.toThrow('unencrypted')
})

test('a directory elsewhere that names emulators, which would be on this machine, is refused', async () => {
  const directory = await createTestDirectory()
  const address = { host: '127.0.0.1', port: 5001 }
  const emulators = { auth: address, firestore: address, functions: address }
  directory.intercept = async (_, answer) =>
    Response.json({ ...((await (await answer()).json()) as object), emulators })
  const context = await createTestContext({ directory })
  await expect(configAt(context, directory.origin)).rejects.toThrow('not on this machine')
})
