import type * as z from 'zod'
import type { Endpoint } from './api.ts'
import { invalidArgument, parse } from './errors.ts'
import { keysOf } from './keys-of.ts'

/**
 * The meaning of a method and a URL. Path parameters are not decoded: no identifier of ours needs an escape. `query` is
 * the text after the `?`.
 */
export type Route<Name extends string> =
  | { kind: 'endpoint'; name: Name; params: Record<string, string>; query: string | undefined }
  | { kind: 'wrong method'; allow: string[] }
  | { kind: 'unknown path' }

/** Finds the endpoint for a method and a URL such as `/api/v1/rooms/dating/agents:discover`. HEAD counts as GET. */
export function createRouter<Name extends string>(
  endpoints: Readonly<Record<Name, Pick<Endpoint, 'method' | 'path'>>>,
): (method: string, url: string) => Route<Name> {
  const patterns = keysOf(endpoints).map((name) => {
    const { method, path } = endpoints[name]
    const pattern = path
      .split(/(\{\w+\})/)
      .map((part) =>
        part.startsWith('{') ? `(?<${part.slice(1, -1)}>[^/:]+)` : part.replace(/[.*+?^$()|[\]\\]/g, '\\$&'),
      )
      .join('')
    return { name, method, pattern: new RegExp(`^${pattern}$`) }
  })
  return (method, url) => {
    const [path = '', ...rest] = url.split('?')
    const matches = patterns.flatMap(({ pattern, ...endpoint }) => {
      const groups = pattern.exec(path)
      return groups === null ? [] : [{ ...endpoint, groups: groups.groups ?? {} }]
    })
    if (matches.length === 0) return { kind: 'unknown path' }
    const match = matches.find((each) => each.method === (method === 'HEAD' ? 'GET' : method))
    if (match === undefined) return { kind: 'wrong method', allow: matches.map((each) => each.method) }
    const { name, groups } = match
    return { kind: 'endpoint', name, params: groups, query: rest.length === 0 ? undefined : rest.join('?') }
  }
}

/** The parameters of the URL, each given once. No error repeats their values: the URL can be in a log already. */
export function parseQuery(schema: z.ZodObject | undefined, text: string | undefined): unknown {
  if (schema === undefined) {
    if (text === undefined) return undefined
    throw invalidArgument([{ path: '', message: 'takes no parameters in the URL' }])
  }
  const given = [...new URLSearchParams(text)]
  if (new Set(given.map(([name]) => name)).size < given.length) {
    throw invalidArgument([{ path: '', message: 'must have each URL parameter at most once' }])
  }
  return parse(schema, Object.fromEntries(given))
}
