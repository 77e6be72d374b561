import * as z from 'zod'
import type { Context } from '../context.ts'
import { defineCommand, flag, type Command } from './define-command.ts'

/** `serve` is the MCP server on stdio, which the composition root passes in: faces do not import each other. */
export const createMcpCommand = (
  serve: (context: Context, options: { isReadOnly: boolean }) => Promise<void>,
): Command =>
  defineCommand({
    summary: 'Let an assistant use koko, over the Model Context Protocol (MCP) on stdio',
    examples: ['mcp', 'mcp --read-only'],
    notes:
      'Your assistant starts this command itself. Add it to the configuration of the assistant, such as\n  {"mcpServers": {"koko": {"command": "koko", "args": ["mcp"]}}}\nkoko then reads and writes JSON-RPC on standard input and output.',
    options: z.strictObject({ readOnly: flag('Offer only the tools that change nothing and use no budget') }),
    async run(context, { readOnly }) {
      context.ask?.say(
        'Your assistant starts `koko mcp` itself. `koko mcp --help` shows how to set that up. Press Ctrl-C to stop.',
      )
      await serve(context, { isReadOnly: readOnly })
    },
    // The standard output is the client's.
    show: () => '',
  })
