import * as z from 'zod'
import { defineCommand } from './define-command.ts'
import type { Context } from '../context.ts'
import { openDirectory } from '../directory/session.ts'
import { jsonText } from '../output.ts'

const Options = z.strictObject({})

export const command = defineCommand({
  options: Options,
  run: exportAgent,
  show: jsonText,
})

/** Everything that the directory holds of the agent, as it is stored. */
export async function exportAgent(context: Context) {
  const { client } = await openDirectory(context)
  return client.call('exportAgent', {})
}
