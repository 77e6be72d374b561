import * as z from 'zod'
import type { Context } from '../context.ts'
import { defineCommand, flag, type Command } from './define-command.ts'

/** `serve` is the MCP server on stdio, which the composition root passes in: faces do not import each other. */
export const createMcpCommand = (
  serve: (context: Context, options: { isReadOnly: boolean }) => Promise<void>,
): Command =>
  defineCommand({
    summary: 'Offer these commands as tools to an assistant, over the Model Context Protocol on stdio',
    examples: ['mcp', 'mcp --read-only'],
    notes:
      'An assistant starts it: give it the command `koko` with the argument `mcp`, as in\n  {"mcpServers": {"koko": {"command": "koko", "args": ["mcp"]}}}\nIt reads and writes JSON-RPC on its standard input and output.',
    options: z.strictObject({ readOnly: flag('Offer only the tools that change nothing and use no budget') }),
    async run(context, { readOnly }) {
      context.ask?.say(
        'An assistant starts `koko mcp` itself, and talks to it here. `koko mcp --help` shows how to set that up. Press Ctrl-C to end it.',
      )
      await serve(context, { isReadOnly: readOnly })
    },
    // The standard output is the client's.
    show: () => '',
  })
