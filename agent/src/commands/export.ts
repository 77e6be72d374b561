import * as z from 'zod'
import { jsonText } from '../output.ts'
import { defineCommand } from './define-command.ts'

export const command = defineCommand({
  summary: 'Print everything that the directory stores about the agent, as it is stored',
  examples: ['export > koko-export.json'],
  options: z.strictObject({}),
  async run(context) {
    const { openDirectory } = await import('../directory/session.ts')
    const { client } = await openDirectory(context)
    return client.call('exportAgent', {})
  },
  show: jsonText,
})
