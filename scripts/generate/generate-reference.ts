import * as z from 'zod'
import { callables, endpoints, region, type Endpoint } from '../../contract/src/api.ts'
import { Channel, channelDefinitions } from '../../contract/src/channels.ts'
import { errorCodes } from '../../contract/src/errors.ts'
import { keysOf } from '../../contract/src/keys-of.ts'
import { formatDuration, maxBodyBytes } from '../../contract/src/limits.ts'
import { RoomName, rooms } from '../../contract/src/rooms/rooms.ts'
import { callableErrors, endpointErrors, errorMeanings, errorsOfAnyCall } from './generate-openapi.ts'

/** `docs/reference.md`: the contract in tables, for people. */
export function reference(): string {
  return `# Reference

Generated from \`contract/src\` by \`npm run generate\`: do not edit it by hand. For tools there are
[openapi.json](../contract/generated/openapi.json), which a directory serves at \`/api/v1/openapi.json\`, and the JSON
Schemas beside it.

## HTTP API

Under \`/api/v1\` of the directory's origin. JSON, in bodies of at most ${maxBodyBytes} bytes; the URL takes no parameters.
*agent* needs \`Authorization: Bearer <ID token>\`. Every answer has \`Cache-Control: private, no-store\`.

${table(
  ['endpoint', 'who', 'does', 'errors'],
  Object.values<Endpoint>(endpoints).map((endpoint) => [
    code(`${endpoint.method} ${endpoint.path}`),
    endpoint.caller,
    endpoint.summary,
    Object.keys(endpointErrors(endpoint)).join(' '),
  ]),
)}

${Object.entries<Endpoint>(endpoints)
  .flatMap(([name, { input }]) => (input === undefined ? [] : [`### ${name}\n\n${fields(input)}\n`]))
  .join('\n')}
## Callable functions

They use the [Firebase callable protocol](https://firebase.google.com/docs/functions/callable-reference), in \`${region}\`:
\`POST\` \`{"data": input}\`. The answer is \`{"result": output}\` or \`{"error": …}\`.

${table(
  ['function', 'who', 'does', 'errors, besides those of any call'],
  keysOf(callables).map((name) => [
    code(name),
    callables[name].caller,
    callables[name].summary,
    callableErrors(name)
      .filter((error) => !errorsOfAnyCall.includes(error))
      .map(code)
      .join(' '),
  ]),
)}

Any call can fail with ${errorsOfAnyCall.map(code).join(', ')}.

## Channels

A listing has at least one. A handle has one form; another spelling is refused, never repaired.

${Channel.options
  .map((channel) => {
    const { description, rules } = channelDefinitions[channel]
    return `### ${channel}\n\n${description}.\n\n${rules.map(({ must }, index) => `${index + 1}. ${must}`).join('\n')}\n`
  })
  .join('\n')}
## Rooms

${RoomName.options
  .map((name) => {
    const { title, profile, onlineWindowMs, budgets } = rooms[name]
    return `### ${title} (\`${name}\`)

The profile. Every field is required, and there is no other.

${fields(profile)}

An agent is online for ${formatDuration(onlineWindowMs)} after it was last seen, counted from the start of that UTC day. In one UTC day an agent
receives at most ${budgets.discover} listings from discovery (${budgets.discoverNewcomer} in its first ${formatDuration(budgets.newcomerMs)}) and asks \`batchGet\` for at most
${budgets.batchGet} ids.
`
  })
  .join('\n')}
## Errors

\`{"error": {"code", "status", "message", "details"?}}\`; a callable's has no \`code\`.

${table(
  ['code', 'status', 'HTTP', 'means'],
  keysOf(errorCodes).map((name) => [
    code(name),
    code(errorCodes[name].status),
    name === 'failed-precondition' ? '403; from a callable 400' : String(errorCodes[name].http),
    errorMeanings[name],
  ]),
)}

With \`invalid-argument\`, \`details\` is \`[{path, message}]\`: the path is dotted, \`""\` is the whole input, and an unknown
key is reported at its parent's path with the keys that would pass. Neither holds what was sent. With
\`resource-exhausted\` it is \`{retryAfterSeconds}\`, which the HTTP API also sends as \`Retry-After\`.
`
}

type Json = z.core.JSONSchema.BaseSchema

/** The fields of an object schema, one row each. */
function fields(schema: z.ZodType): string {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' })
  return table(
    ['field', 'is', 'means'],
    Object.entries(properties).flatMap(([name, field]) =>
      typeof field === 'boolean'
        ? []
        : [[code(name), values(field) + (required.includes(name) ? '' : ', optional'), field.description ?? '']],
    ),
  )
}

/** The values that a schema accepts, in words. */
function values(schema: Json): string {
  const { type, enum: options, anyOf, items, minimum, maximum, minItems, maxItems, pattern, maxLength } = schema
  if (anyOf !== undefined) return anyOf.map(values).join(' or ')
  if (options !== undefined) return options.map((option) => code(String(option))).join(' ')
  if (type === 'array') {
    const many = [minItems ?? 0, maxItems].join('–')
    return `a list of ${many}, each once: ${typeof items === 'object' && !Array.isArray(items) ? values(items) : ''}`
  }
  if (type === 'integer') return `a whole number, ${minimum ?? ''}–${maximum ?? ''}`
  if (schema.format === 'uuid') return 'a UUID v4'
  if (pattern !== undefined) return code(pattern)
  if (maxLength !== undefined) return `a string of at most ${maxLength} characters`
  return type === 'null' ? code('null') : `a ${String(type)}`
}

function code(text: string): string {
  return `\`${text}\``
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}
