import * as z from 'zod'
import type { Emulator } from './emulator.ts'

interface Expression {
  readonly sourcePosition: { readonly currentOffset: number; readonly endOffset: number }
  readonly values?: readonly { readonly value: Readonly<Record<string, unknown>> }[] | undefined
  readonly children?: readonly Expression[] | undefined
}
const Expression: z.ZodType<Expression> = z.object({
  sourcePosition: z.object({ currentOffset: z.int(), endOffset: z.int() }),
  values: z.array(z.object({ value: z.record(z.string(), z.unknown()) })).optional(),
  get children() {
    return z.array(Expression).optional()
  },
})
const Report = z.object({
  rules: z.object({ files: z.tuple([z.object({ content: z.string() })]) }),
  report: z.array(Expression),
})

export interface Coverage {
  readonly text: string
  /** What it was seen to be: `true`, `false`, `error`, or the kind of its value. Nothing where it was passed over. */
  readonly seen: ReadonlySet<string>
}

/** What each expression of the loaded rules was seen to be since they were loaded. */
export async function coverageOf({ origin, projectId }: Emulator): Promise<Coverage[]> {
  const answer = await fetch(`${origin}/emulator/v1/projects/${projectId}:ruleCoverage`)
  const { rules, report } = Report.parse(await answer.json())
  const [{ content }] = rules.files
  const found = new Map<string, { text: string; seen: Set<string> }>()
  const visit = ({ sourcePosition, values = [], children = [] }: Expression) => {
    const { currentOffset: from, endOffset: last } = sourcePosition
    const place = `${from}-${last}`
    const entry = found.get(place) ?? { text: content.slice(from, last + 1), seen: new Set() }
    found.set(place, entry)
    for (const { value } of values) kindsOf(value).forEach((kind) => entry.seen.add(kind))
    children.forEach(visit)
  }
  report.forEach(visit)
  return [...found.values()]
}

function kindsOf(value: Readonly<Record<string, unknown>>): string[] {
  if (!('undefined' in value)) return 'boolValue' in value ? [String(value.boolValue)] : Object.keys(value)
  return JSON.stringify(value.undefined) === '{}' ? [] : ['error']
}
