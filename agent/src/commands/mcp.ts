import { StdioServerTransport } from '@modelcontextprotocol/server/stdio'
import * as z from 'zod'
import { defineCommand } from './define-command.ts'
import { serveMcp } from '../mcp/server.ts'

export const command = defineCommand({
  options: z.strictObject({}),
  async run(context) {
    context.ask?.say(
      'This is for an assistant: it starts `koko mcp` itself, and speaks with it here. docs/mcp.md tells how. Ctrl-C ends it.',
    )
    await serveMcp(context, new StdioServerTransport())
  },
  // The standard output is the client's.
  show: () => '',
})
