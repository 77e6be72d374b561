import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  inputRequired,
  type InputRequiredResult,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server'
import { randomUUID } from 'node:crypto'
import * as z from 'zod'

/** What only the operator may decide; the client shows it with `yes` and `no`. */
export interface Question {
  /** Everything that is decided: an answer counts only for exactly these words. */
  message: string
  label: string
}

/** The operator's answer; `unasked` if the client cannot ask; or the question for the client. */
export type Confirmation = 'yes' | 'no' | 'unasked' | InputRequiredResult

/** The oldest open question beyond these is dropped. */
const maxOpen = 16

/**
 * Asks a human by elicitation (https://modelcontextprotocol.io/specification/2026-07-28). The answer comes from the client,
 * beside the arguments, which are all that the model writes. It counts once, and only for a question that this process
 * asked in the same words.
 */
export function createConfirmations() {
  const open = new Map<string, string>()

  return (server: McpServer, context: ServerContext, { message, label }: Question): Confirmation => {
    const id: unknown = context.mcpReq.requestState()
    if (typeof id === 'string') {
      const asked = open.get(id)
      open.delete(id)
      if (asked === message) {
        return acceptedContent(context.mcpReq.inputResponses, 'confirmation', Answer)?.answer ?? 'no'
      }
    }
    if (!canAsk(server, context)) return 'unasked'
    const next = randomUUID()
    open.set(next, message)
    for (const oldest of [...open.keys()].slice(0, -maxOpen)) open.delete(oldest)
    const properties = { answer: { type: 'string' as const, title: label, enum: ['no', 'yes'] } }
    const requestedSchema = { type: 'object' as const, properties, required: ['answer'] }
    const confirmation = inputRequired.elicit({ message, requestedSchema })
    return inputRequired({ inputRequests: { confirmation }, requestState: next })
  }
}

const Answer = z.strictObject({ answer: z.enum(['yes', 'no']) })

/** Whether the client shows forms, as one does that declares elicitation without a mode. */
function canAsk(server: McpServer, { mcpReq }: ServerContext): boolean {
  const envelope: Readonly<Record<string, unknown>> = { ...mcpReq.envelope }
  // A client of the 2025 protocol declares its capabilities only once, at its start.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const declared = envelope[CLIENT_CAPABILITIES_META_KEY] ?? server.server.getClientCapabilities()
  const elicitation = Capabilities.safeParse(declared).data?.elicitation
  return elicitation !== undefined && (elicitation.form !== undefined || elicitation.url === undefined)
}

const Capabilities = z.object({
  elicitation: z.object({ form: z.unknown().optional(), url: z.unknown().optional() }).optional(),
})
