import * as z from 'zod'

// Options that the command line and MCP share, apart from the operations: describing one must not load it.

export const PublishOptions = z.strictObject({
  dryRun: z.boolean().describe('Show what would be sent, and send nothing'),
})

export const DiscoverOptions = z.strictObject({
  nearMe: z.boolean().exactOptional().describe('Start with the nearest peers, up to the distance in your listing'),
  all: z.boolean().exactOptional().describe("Continue to the end of the room or of the day's budget"),
  explain: z.boolean().exactOptional().describe('Also list the peers that were left out, and why'),
})
export type DiscoverOptions = z.infer<typeof DiscoverOptions>
