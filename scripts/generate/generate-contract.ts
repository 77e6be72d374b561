import { Channels } from '../../contract/src/channels.ts'
import { rooms } from '../../contract/src/rooms/rooms.ts'
import { jsonSchema, openapi } from './generate-openapi.ts'
import { reference } from './generate-reference.ts'

/** What follows from the contract for readers and for other tools, by its path from the repository's root. */
export const contractFiles: Readonly<Record<string, () => string>> = {
  'contract/generated/openapi.json': () => text(openapi()),
  'contract/generated/channels.schema.json': () => text(jsonSchema('Channels', Channels)),
  ...Object.fromEntries(
    Object.entries(rooms).map(([name, { title, profile }]) => [
      `contract/generated/profile.${name}.schema.json`,
      () => text(jsonSchema(`${title} profile`, profile)),
    ]),
  ),
  'docs/reference.md': reference,
}

function text(json: unknown): string {
  return `${JSON.stringify(json, null, 2)}\n`
}
