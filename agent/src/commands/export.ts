import * as z from 'zod'
import { defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { openDirectory } from '../directory.ts'

const Options = z.strictObject({})

export const command = defineCommand({
  options: Options,
  run: exportAgent,
  show: (value) => JSON.stringify(value, null, 2),
})

/** Everything that the directory holds of the agent, as it is stored. */
export async function exportAgent(context: Context) {
  const { client } = await openDirectory(context)
  return client.call('exportAgent', {})
}
