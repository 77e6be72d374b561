import * as z from 'zod'

/** What went wrong, and what to do next, as `--json`, MCP and the home's files hold it. */
export const Problem = z.strictObject({ message: z.string(), next: z.string() })
export type Problem = z.infer<typeof Problem>
