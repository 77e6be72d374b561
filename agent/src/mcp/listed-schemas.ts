import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server'
import * as z from 'zod'
import { readableName } from './readable-times.ts'

// Every conversation of a model begins with the list of tools, so it holds what a model needs to call them, and no more.

type Node = z.core.JSONSchema.BaseSchema
type Property = z.core.JSONSchema._JSONSchema

/** Arguments as they are checked, and as they are listed: every field, without what no caller needs to be told. */
export function listedInput(schema: z.ZodObject): StandardSchemaWithJSON<unknown, unknown> {
  return listed(shortSchema(schema, 'input'), (value) => schema['~standard'].validate(value))
}

/**
 * A result as it is listed: the fields that it can have, and not what is inside them, which a model sees in the result.
 * The server has checked it against the whole schema before, and has added readable times.
 */
export function listedOutput(schema: z.ZodObject): StandardSchemaWithJSON<unknown, unknown> {
  const { properties = {}, required: _, ...rest } = shortSchema(schema, 'output')
  const fields = Object.entries(properties).flatMap(([name, node]): [string, Node][] => {
    const readable = readableName(name)
    const field: [string, Node] = [name, outlineOf(node)]
    return readable === undefined ? [field] : [field, [readable, { type: 'string' }]]
  })
  return listed({ ...rest, properties: Object.fromEntries(fields) }, (value) => ({ value }))
}

function listed(
  json: Node,
  validate: StandardSchemaWithJSON<unknown, unknown>['~standard']['validate'],
): StandardSchemaWithJSON<unknown, unknown> {
  const jsonSchema = { input: () => ({ ...json }), output: () => ({ ...json }) }
  return { '~standard': { version: 1, vendor: 'koko', validate, jsonSchema } }
}

/** Without the dialect, which is the protocol's default, and without what says the same twice. */
function shortSchema(schema: z.ZodObject, io: 'input' | 'output'): Node {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io,
    override({ jsonSchema }) {
      if (jsonSchema.format !== undefined) delete jsonSchema.pattern
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    },
  })
  return json
}

function outlineOf(node: Property): Node {
  if (typeof node === 'boolean') return {}
  const { type, description, enum: values, items, anyOf } = node
  return {
    ...(type === undefined ? {} : { type }),
    ...(values === undefined ? {} : { enum: values }),
    ...(anyOf === undefined ? {} : { anyOf: anyOf.map(typeOf) }),
    // Some clients refuse a list that does not say of what.
    ...(type === 'array' ? { items: typeOf(items) } : {}),
    ...(description === undefined ? {} : { description }),
  }
}

function typeOf(node: Property | Property[] | undefined): Node {
  return typeof node !== 'object' || Array.isArray(node) || node.type === undefined ? {} : { type: node.type }
}
