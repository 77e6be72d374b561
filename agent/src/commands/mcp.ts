import * as z from 'zod'
import type { Context } from '../context.ts'
import { defineCommand, type Command } from './define-command.ts'

/** `serve` is the MCP server on stdio, which the composition root passes in: faces do not import each other. */
export const createMcpCommand = (serve: (context: Context) => Promise<void>): Command =>
  defineCommand({
    summary: 'Offer these commands as tools to an assistant, over the Model Context Protocol on stdio',
    examples: ['mcp'],
    options: z.strictObject({}),
    async run(context) {
      context.ask?.say(
        'An assistant starts `koko mcp` itself, and speaks with it here: see docs/mcp.md. Press Ctrl-C to end it.',
      )
      await serve(context)
    },
    // The standard output is the client's.
    show: () => '',
  })
