import * as z from 'zod'
import { defineCommand } from './define-command.ts'
import type { Style } from '../output.ts'
import type { Context } from '../context.ts'
import { diagnose, type Check } from '../operations/diagnose.ts'

const Options = z.strictObject({})

export interface Diagnosis {
  ok: boolean
  checks: Check[]
}

export const command = defineCommand({ options: Options, run: doctor, show, isBad: ({ ok }) => !ok })

/** What is wrong, and the command that mends it. */
export async function doctor(context: Context): Promise<Diagnosis> {
  const checks = await diagnose(context, process.versions.node)
  return { ok: checks.every(({ ok }) => ok), checks }
}

function show({ checks }: Diagnosis, style: Style): string {
  const width = Math.max(...checks.map(({ name }) => name.length))
  const lines = checks.flatMap((check) => {
    const name = check.name.padEnd(width)
    if (check.ok) return [`${style.good('✓')} ${name}  ${style.dim(check.detail)}`]
    return [`${style.bad('✗')} ${name}  ${check.problem}`, `  ${' '.repeat(width)}  → ${style.bold(check.mend)}`]
  })
  const wrong = checks.filter(({ ok }) => !ok).length
  const sum = wrong === 0 ? 'All is well.' : wrong === 1 ? 'One thing is wrong.' : `${wrong} things are wrong.`
  return [...lines, '', sum].join('\n')
}
