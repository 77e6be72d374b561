import * as z from 'zod'
import type { Context } from '../context.ts'
import { defineCommand, type Command } from './define-command.ts'

/** `serve` is the MCP server on stdio, which the composition root passes in: faces do not import each other. */
export const createMcpCommand = (serve: (context: Context) => Promise<void>): Command =>
  defineCommand({
    summary: 'Offer these commands as tools to an assistant, over the Model Context Protocol on stdio',
    examples: ['mcp'],
    notes:
      'An assistant starts it: give it the command `koko` with the argument `mcp`, as in\n  {"mcpServers": {"koko": {"command": "koko", "args": ["mcp"]}}}\nIt reads and writes JSON-RPC on its standard input and output.',
    options: z.strictObject({}),
    async run(context) {
      context.ask?.say(
        'An assistant starts `koko mcp` itself, and speaks with it here. `koko mcp --help` shows how to set that up. Press Ctrl-C to end it.',
      )
      await serve(context)
    },
    // The standard output is the client's.
    show: () => '',
  })
