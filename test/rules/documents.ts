import type { RoomName } from '../../contract/src/rooms/rooms.ts'

/** What the table of readable documents says of one field: values that it may hold, and whether it may hold another. */
export interface Leaf {
  /** Its type, in words. */
  readonly type: string
  readonly examples: readonly [unknown, ...unknown[]]
  readonly accepts: (value: unknown) => boolean
  readonly optional?: boolean
}
/** A map that holds exactly these fields. */
export interface Group {
  readonly fields: Readonly<Record<string, Leaf | Group>>
  readonly optional?: boolean
}
export interface Row {
  readonly path: (agentId: string) => string
  readonly group: Group
}

/** Stands in a document for the id of the agent that it belongs to. */
export const ownId = Symbol('ownId')

const text = (example: string): Leaf => ({
  type: 'string',
  examples: [example],
  accepts: (value) => typeof value === 'string',
})
const whole = (example: number): Leaf => ({
  type: 'integer',
  examples: [example],
  accepts: (value) => Number.isInteger(value),
})
const own: Leaf = { type: 'string', examples: [ownId], accepts: (value) => value === ownId }
const oneOf = (...values: [string, ...string[]]): Leaf => ({
  type: values.join(' | '),
  examples: values,
  accepts: (value) => typeof value === 'string' && values.includes(value),
})
const someOf = (...values: [string, ...string[]]): Leaf => ({
  type: `list of ${values.join(' | ')}`,
  examples: [values, [], ...values.map((value) => [value])],
  accepts: (value) => Array.isArray(value) && value.every((item: unknown) => values.some((known) => known === item)),
})
const orNull = ({ type, examples, accepts }: Leaf): Leaf => ({
  type: `${type} | null`,
  examples: [...examples, null],
  accepts: (value) => value === null || accepts(value),
})
const maybe = <Node extends Leaf | Group>(node: Node): Node => ({ ...node, optional: true })

const day = 1_800_000_000_000
const unlink: Group = maybe({ fields: { unlinkedAtMs: whole(day), goneAtMs: orNull(whole(day + 60_000)) } })

const profiles: Record<RoomName, Group> = {
  dating: {
    fields: {
      gender: oneOf('woman', 'man', 'nonbinary', 'other'),
      seeking: someOf('woman', 'man', 'nonbinary', 'other'),
      age: whole(34),
      ageMin: whole(28),
      ageMax: whole(45),
      area: text('gcpv'),
      maxDistanceKm: orNull(whole(50)),
      intent: oneOf('long_term', 'short_term', 'friendship', 'casual', 'open'),
    },
  },
}

const listing = (room: RoomName): Row => ({
  path: (agentId) => `mcpDirectory/${room}/agents/${agentId}`,
  group: {
    fields: {
      agentId: own,
      category: oneOf(room),
      channels: {
        fields: {
          whatsapp: maybe(text('+12025550123')),
          telegram: maybe(text('fictional_person')),
          discord: maybe(text('80351110224678912')),
          slack: maybe(text('U012AB3CD')),
        },
      },
      profile: profiles[room],
      presence: { fields: { registeredAtMs: whole(day), publishedAtMs: whole(day), lastSeenAtMs: whole(day) } },
    },
  },
})

/** The documents that their owner may read: written down from the specification, not derived from the code. */
export const rows = {
  badge: {
    path: (agentId) => `agents/${agentId}`,
    group: { fields: { agentId: own, category: oneOf('dating'), registeredAtMs: whole(day) } },
  },
  'dating listing': listing('dating'),
  unlinks: {
    path: (agentId) => `unlinks/${agentId}`,
    group: { fields: { whatsapp: unlink, telegram: unlink, discord: unlink, slack: unlink } },
  },
} satisfies Record<string, Row> & Record<`${RoomName} listing`, Row>

export type Fields = Record<string, unknown>

/** Each field of the row and its type, as a line. */
export function outlineOf({ fields }: Group, at = ''): string[] {
  return Object.entries(fields).flatMap(([field, node]) => {
    const place = `${at}${field}${node.optional ? '?' : ''}`
    return 'fields' in node ? outlineOf(node, `${place}.`) : [`${place}: ${node.type}`]
  })
}

export function exactDocument({ fields }: Group): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([field, node]) => [field, 'fields' in node ? exactDocument(node) : node.examples[0]]),
  )
}

/** Values that are tried in every field. What each means there, the field's `accepts` says. */
const probes: readonly unknown[] = [
  'extra',
  7,
  7.5,
  true,
  null,
  [],
  ['extra'],
  [{ extra: 'extra' }],
  {},
  { extra: 'extra' },
  new Date(day),
  Buffer.from('extra'),
]

export interface Variant {
  readonly name: string
  readonly document: Fields
  readonly isExact: boolean
}

/** The exact document changed in one place: each field missing or of another value, and one more field in each map. */
export function variantsOf(group: Group): Variant[] {
  const exact = exactDocument(group)
  return [
    { name: 'has extra among its keys', document: { ...exact, extra: 'extra' }, isExact: false },
    ...Object.entries(group.fields).flatMap(([field, node]) => {
      const rest = Object.fromEntries(Object.entries(exact).filter(([other]) => other !== field))
      const put = (value: unknown, isExact: boolean) => ({
        name: `holds ${JSON.stringify(value)} as ${field}`,
        document: { ...exact, [field]: value },
        isExact,
      })
      const missing = { name: `lacks ${field}`, document: rest, isExact: node.optional === true }
      if (!('fields' in node)) {
        return [
          missing,
          ...node.examples.map((value) => put(value, true)),
          ...probes.map((value) => put(value, node.accepts(value))),
        ]
      }
      const inside = variantsOf(node).map(({ name, document, isExact }) => ({
        ...put(document, isExact),
        name: `${name} in ${field}`,
      }))
      const isMap = (value: unknown) => JSON.stringify(value) === '{}'
      return [missing, ...probes.filter((value) => !isMap(value)).map((value) => put(value, false)), ...inside]
    }),
  ]
}

export function keysOf<const Table extends object>(table: Table): (keyof Table & string)[] {
  return Object.keys(table).filter((key): key is keyof Table & string => key in table)
}
