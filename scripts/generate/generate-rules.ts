import * as z from 'zod'
import { StoredChannels } from '../../contract/src/channels.ts'
import { Badge, listings, Presence, Unlink, Unlinks } from '../../contract/src/listing.ts'
import { rooms } from '../../contract/src/rooms/rooms.ts'
import { pascalCase } from './generate-openapi.ts'

type JsonSchema = z.core.JSONSchema.BaseSchema

/** A longer condition of the generated file is broken over several lines. */
const maxColumns = 100

/**
 * `firestore.rules`, derived from the contract.
 *
 * Each object of a document becomes one function that accepts exactly that shape: no other keys, and each field of its
 * type. A missing field is an error, which refuses. The functions check bounds and patterns; the rules only prevent reads
 * of fields that the contract does not name.
 */
export function firestoreRules(): string {
  const rows = Object.keys(rooms).map((room) => ({ room, shape: `${pascalCase(room)}Listing` }))
  const shapes = documentShapes()
  const unlisted = rows.find(({ shape }) => shapes[shape] === undefined)
  if (unlisted) throw new Error(`The contract's Listing has no variant for the room ${unlisted.room}`)
  return `rules_version = '2';

// Generated from contract/src by \`npm run generate\`; changes made here are lost.
service cloud.firestore {
  match /databases/{database}/documents {
    // An agent reads its own three documents, each by get. Nothing else is allowed: no list, no write, no other path.
    // "resource == null" keeps a listener alive while its document does not exist.
    match /agents/{agentId} {
      ${allowGet('isBadge(agentId, resource.data)')}
    }
${rows
  .map(
    ({ room, shape }) => `
    match /mcpDirectory/${room}/agents/{agentId} {
      ${allowGet(`is${shape}(agentId, resource.data)`)}
    }
`,
  )
  .join('')}
    match /unlinks/{agentId} {
      ${allowGet('isUnlinks(resource.data)')}
    }

    // Only a custom token carries the claims below. A sign-in of another kind, linked to the account, would not.
    function isOwner(agentId) {
      let token = request.auth.token;
      return request.auth.uid == agentId
        && token.firebase.sign_in_provider == 'custom'
        && isInTime(token)
        && isCurrent(token, /databases/$(database)/documents/accounts/$(agentId));
    }

    // A settings session ends at its untilMs, whether or not its token was refreshed.
    function isInTime(token) {
      return token.get('settings', false) == false
        || (token.untilMs is int && request.time.toMillis() < token.untilMs);
    }

    // A rotated secret ends the sessions of every earlier generation. Without an account nothing is left to protect.
    function isCurrent(token, account) {
      return !exists(account) || get(account).data.generation == token.get('generation', 0);
    }
${Object.entries(shapes).map(shapeFunction).join('')}  }
}
`
}

function allowGet(isExactly: string): string {
  return `allow get: if isOwner(agentId) && (resource == null || ${isExactly});`
}

/** Every object that a readable document holds, by the name of its function. An object that is not listed here is refused. */
function documentShapes(): Record<string, JsonSchema> {
  const named = z.registry<{ id: string }>()
  named.add(Badge, { id: 'Badge' })
  for (const listing of listings) named.add(listing, { id: `${pascalCase(listing.shape.category.value)}Listing` })
  named.add(StoredChannels, { id: 'Channels' })
  for (const [name, { profile }] of Object.entries(rooms)) named.add(profile, { id: `${pascalCase(name)}Profile` })
  named.add(Presence, { id: 'Presence' })
  named.add(Unlinks, { id: 'Unlinks' })
  named.add(Unlink, { id: 'Unlink' })
  return z.toJSONSchema(named).schemas
}

function shapeFunction([name, schema]: [string, JsonSchema]): string {
  const { type, properties = {}, required = [], additionalProperties } = schema
  if (type !== 'object' || additionalProperties !== false) throw new Error(`${name} is no strict object`)
  const conditions = Object.entries(properties).map(([field, type]) => {
    if (field === 'agentId') return 'data.agentId == agentId'
    const condition = hasType(`data.${field}`, type)
    return required.includes(field) ? condition : `(!('${field}' in data) || ${condition})`
  })
  return `
    function is${name}(${'agentId' in properties ? 'agentId, data' : 'data'}) {
      return ${[hasOnly('data.keys()', Object.keys(properties)), ...conditions].join('\n        && ')};
    }
`
}

/** The condition that `value` has the schema's type, as far as rules can express it. */
function hasType(value: string, schema: z.core.JSONSchema._JSONSchema): string {
  if (typeof schema === 'boolean') throw new Error(`${value} has no type`)
  if (schema.$ref !== undefined) return `is${schema.$ref}(${value})`
  if (schema.const !== undefined) return `${value} == ${literal(schema.const)}`
  if (schema.enum !== undefined) return `${value} in [${schema.enum.map(literal).join(', ')}]`
  if (schema.anyOf !== undefined) {
    return `(${schema.anyOf.map((alternative) => hasType(value, alternative)).join(' || ')})`
  }
  if (schema.type === 'string') return `${value} is string`
  if (schema.type === 'integer') return `${value} is int`
  if (schema.type === 'null') return `${value} == null`
  if (schema.type === 'array') return isListOf(value, schema.items)
  throw new Error(`Rules cannot check ${value}: ${JSON.stringify(schema)}`)
}

/** Rules have no loop: a list is checked only where its items are of an enum. */
function isListOf(value: string, items: JsonSchema['items']): string {
  if (typeof items !== 'object' || Array.isArray(items) || items.enum === undefined) {
    throw new Error(`Rules can check a list of an enum only, and ${value} is not one`)
  }
  return hasOnly(value, items.enum)
}

function hasOnly(list: string, values: readonly unknown[]): string {
  const oneLine = `${list}.hasOnly([${values.map(literal).join(', ')}])`
  if (oneLine.length <= maxColumns) return oneLine
  return `${list}.hasOnly([\n${values.map((value) => `          ${literal(value)}`).join(',\n')}\n        ])`
}

function literal(value: unknown): string {
  if (typeof value !== 'string' || !/^[\w ]+$/.test(value)) throw new Error(`No literal for ${JSON.stringify(value)}`)
  return `'${value}'`
}
