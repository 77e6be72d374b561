import * as z from 'zod'
import { defineCommand } from './define-command.ts'

export const command = defineCommand({
  summary: 'Find what is wrong, and show the command that fixes it',
  examples: ['doctor'],
  options: z.strictObject({}),
  async run(context) {
    const { diagnose } = await import('../operations/diagnose.ts')
    const checks = await diagnose(context, process.versions.node)
    return { ok: checks.every(({ ok }) => ok), checks }
  },
  show({ checks }, style) {
    const width = Math.max(...checks.map(({ name }) => name.length))
    const lines = checks.flatMap((check) => {
      const name = check.name.padEnd(width)
      if (check.ok) return [`${style.good('✓')} ${name}  ${style.dim(check.detail)}`]
      return [`${style.bad('✗')} ${name}  ${check.problem}`, `  ${' '.repeat(width)}  → ${style.bold(check.fix)}`]
    })
    const wrong = checks.filter(({ ok }) => !ok).length
    const sum = wrong === 0 ? 'Everything is fine.' : wrong === 1 ? 'One thing is wrong.' : `${wrong} things are wrong.`
    return [...lines, '', sum].join('\n')
  },
  isBad: ({ ok }) => !ok,
})
