import { stripVTControlCharacters, styleText } from 'node:util'

/** How text looks in a terminal; unchanged where colours are off. */
export type Style = Record<'bold' | 'dim' | 'good' | 'bad' | 'warn', (text: string) => string> & {
  /** Columns of the terminal, or 80. */
  width: number
}

/** Colours for a terminal without `NO_COLOR` (https://no-color.org). */
export function styleOf(
  stream: { isTTY?: boolean; columns?: number },
  env: Readonly<Record<string, string | undefined>>,
): Style {
  const isPlain = stream.isTTY !== true || (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb'
  const paint = (format: Parameters<typeof styleText>[0]) => (text: string) =>
    isPlain ? text : styleText(format, text, { validateStream: false })
  return {
    bold: paint('bold'),
    dim: paint('dim'),
    good: paint('green'),
    bad: paint('red'),
    warn: paint('yellow'),
    // A terminal that does not know its size says 0.
    width: stream.columns === undefined || stream.columns === 0 ? 80 : stream.columns,
  }
}

/** Foreign text on one line, without control characters. */
export function plain(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
}

/** Lines of two columns, the first as wide as its widest. */
export function columns(rows: readonly (readonly [string, string])[], indent = '  '): string {
  const width = Math.max(0, ...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `${indent}${left.padEnd(width)}  ${right}`.trimEnd()).join('\n')
}

/** Items in a sentence, such as `WhatsApp and Slack`. */
export function formatList(items: readonly string[], by: 'and' | 'or' = 'and'): string {
  return new Intl.ListFormat('en', { type: by === 'and' ? 'conjunction' : 'disjunction' }).format(items)
}

export function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}

/** The latest moment of a `Date` (ECMA-262, section 21.4.1.1); a directory can send a later one. */
export const lastMs = 8_640_000_000_000_000

/** A moment such as `2026-11-21T09:00:00.000Z`. */
export function isoTime(ms: number): string {
  return new Date(Math.min(ms, lastMs)).toISOString()
}

/** A value as JSON that shows control and invisible characters as escapes. */
export function jsonText(value: unknown): string {
  const escape = (text: string) =>
    text.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return JSON.stringify(value, null, 2).replace(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escape)
}
