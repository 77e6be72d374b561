import { stripVTControlCharacters, styleText } from 'node:util'

/** How text looks in a terminal; unchanged where colours are off. */
export interface Style {
  bold: (text: string) => string
  dim: (text: string) => string
  good: (text: string) => string
  bad: (text: string) => string
  warn: (text: string) => string
  /** Columns of the terminal, or 80. */
  width: number
}

type Format = Parameters<typeof styleText>[0]

/** Colours for a terminal, as https://no-color.org asks: none where `NO_COLOR` is set or nobody looks. */
export function styleOf(
  stream: { isTTY?: boolean; columns?: number },
  env: Readonly<Record<string, string | undefined>>,
): Style {
  const isPlain = stream.isTTY !== true || (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb'
  const paint = (format: Format) => (text: string) =>
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

/** A text from elsewhere on one line, without anything that a terminal would act on. */
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

/** The last moment that a date can be (ECMA-262, section 21.4.1.1); a directory can tell a later one. */
export const lastMs = 8_640_000_000_000_000

/** A moment such as `2026-11-21T09:00:00.000Z`. */
export function isoTime(ms: number): string {
  return new Date(Math.min(ms, lastMs)).toISOString()
}

/** A value as JSON, with escapes for what a terminal would act on or leave unseen. */
export function jsonText(value: unknown): string {
  const escape = (text: string) =>
    text.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return JSON.stringify(value, null, 2).replace(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escape)
}
