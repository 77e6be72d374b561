import * as z from 'zod'

// Options that the command line and MCP share, apart from the operations: describing one must not load it.

export const PublishOptions = z.strictObject({
  dryRun: z.boolean().describe('Show what would change, and send nothing'),
})

export const DiscoverOptions = z.strictObject({
  nearMe: z.boolean().exactOptional().describe('Begin with the nearest cells, as far as the profile allows'),
  all: z.boolean().exactOptional().describe("Continue until the room or the day's budget is used up"),
  explain: z.boolean().exactOptional().describe('Also list who was left out, and the rule that decided it'),
})
export type DiscoverOptions = z.infer<typeof DiscoverOptions>
