import { describe, expect, test } from '@jest/globals'
import { DirectoryError } from '@koko/contract'
import { parseBody, parseCallableBody } from './body.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)

function refusal(parse: () => unknown): string {
  try {
    parse()
  } catch (error) {
    if (!(error instanceof DirectoryError) || error.code !== 'invalid-argument') throw error
    expect(error.details).toEqual([{ path: '', message: expect.any(String) }])
    return error.message
  }
  throw new Error('this was not refused')
}

describe('a body', () => {
  test('may have 64,000 bytes and no more', () => {
    const longest = JSON.stringify('x'.repeat(63_998))
    expect(parseBody(bytesOf(longest))).toHaveLength(63_998)
    expect(refusal(() => parseBody(bytesOf(` ${longest}`)))).toContain('64000')
    const inBytes = JSON.stringify('é'.repeat(32_000))
    expect(inBytes.length).toBeLessThan(64_000)
    expect(refusal(() => parseBody(bytesOf(inBytes)))).toContain('64000')
  })

  test.each([
    ['nothing', []],
    ['no JSON', [...bytesOf('{"a":+12025550100}')]],
    ['a lone continuation byte', [0x22, 0x80, 0x22]],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]],
    ['a surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a truncated character', [0x22, 0xe2, 0x82]],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
  ])('of %s is refused, and not quoted', (_, bytes) => {
    const message = refusal(() => parseBody(Uint8Array.from(bytes)))
    expect(message).toContain('JSON in UTF-8')
    expect(message).not.toContain('1202')
  })

  test('may be nested twelve deep and no deeper', () => {
    const nested = (depth: number) => bytesOf(`${'['.repeat(depth)}${']'.repeat(depth)}`)
    expect(() => parseBody(nested(13))).not.toThrow()
    expect(refusal(() => parseBody(nested(14)))).toContain('deep')
    expect(refusal(() => parseBody(nested(31_000)))).toContain('deep')
  })

  test.each(['__proto__', '@type', '\\u005f_proto__', '\\u0040type'])('may not have the key %s at any depth', (key) => {
    for (const text of [`{"${key}":1}`, `{"a":{"${key}":{}}}`, `[0,[{"b":[{"${key}":null}]}]]`]) {
      expect(refusal(() => parseBody(bytesOf(text)))).toContain('__proto__')
    }
    expect(parseBody(bytesOf(`{"a":"${key}"}`))).toHaveProperty('a')
  })

  test('gives nothing a prototype of the sender’s', () => {
    const body = parseBody(bytesOf('{"constructor":{"prototype":{"polluted":1}}}'))
    expect(Object.getPrototypeOf(body)).toBe(Object.prototype)
    expect({}).not.toHaveProperty('polluted')
  })
})

describe('the body of a callable', () => {
  test('is data and nothing else', () => {
    expect(parseCallableBody(bytesOf('{"data":{"a":1}}'))).toEqual({ a: 1 })
    expect(parseCallableBody(bytesOf('{"data":null}'))).toBeNull()
    const others = ['{}', '[]', 'null', '1', '"data"', '{"data":{},"a":1}', '{"Data":{}}', '[{"data":{}}]']
    for (const text of others) expect(refusal(() => parseCallableBody(bytesOf(text)))).toContain('"data"')
  })

  test('that names data twice is the last of them', () => {
    expect(parseCallableBody(bytesOf('{"data":{"a":1},"data":{"b":2}}'))).toEqual({ b: 2 })
  })
})
