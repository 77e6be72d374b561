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

/** What only the operator may decide. The client shows it to the operator. */
export interface Question {
  /** Exactly what is decided, whole: an answer counts for these very words. */
  message: string
  /** The label beside `yes` and `no`. */
  label: string
}

/** What the operator said; `unasked` where the client cannot ask; or the question, for the client to ask it. */
export type Confirmation = 'yes' | 'no' | 'unasked' | InputRequiredResult

export type Confirmations = ReturnType<typeof createConfirmations>

/** The oldest open question beyond these is dropped. */
const maxOpen = 16

/**
 * Confirmations that a human gives, by elicitation (https://modelcontextprotocol.io/specification/2026-07-28). An answer
 * is the client's word: it comes beside the arguments, which are all that the model writes, counts once, and counts only
 * for a question that this process asked in the same words.
 */
export function createConfirmations() {
  const open = new Map<string, string>()

  return {
    ask(server: McpServer, context: ServerContext, question: Question): Confirmation {
      const id: unknown = context.mcpReq.requestState()
      if (typeof id === 'string') {
        const asked = open.get(id)
        open.delete(id)
        if (asked === question.message) {
          return acceptedContent(context.mcpReq.inputResponses, 'confirmation', Answer)?.answer ?? 'no'
        }
      }
      if (!canAsk(server, context)) return 'unasked'
      const next = randomUUID()
      open.set(next, question.message)
      for (const oldest of [...open.keys()].slice(0, -maxOpen)) open.delete(oldest)
      return inputRequired({
        inputRequests: {
          confirmation: inputRequired.elicit({
            message: question.message,
            requestedSchema: {
              type: 'object',
              properties: { answer: { type: 'string', title: question.label, enum: ['no', 'yes'] } },
              required: ['answer'],
            },
          }),
        },
        requestState: next,
      })
    },
  }
}

const Answer = z.strictObject({ answer: z.enum(['yes', 'no']) })

/** True where the client shows forms. One that declares elicitation and no mode shows forms. */
function canAsk(server: McpServer, { mcpReq }: ServerContext): boolean {
  const envelope: Readonly<Record<string, unknown>> = { ...mcpReq.envelope }
  // A client of 2025 declares its capabilities once, and there is no other way to them.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const declared = envelope[CLIENT_CAPABILITIES_META_KEY] ?? server.server.getClientCapabilities()
  const elicitation = Capabilities.safeParse(declared).data?.elicitation
  return elicitation !== undefined && (elicitation.form !== undefined || elicitation.url === undefined)
}

const Capabilities = z.object({
  elicitation: z.object({ form: z.unknown().optional(), url: z.unknown().optional() }).optional(),
})
