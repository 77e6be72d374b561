/** The rules with one thing changed, and what was changed, in words. */
export interface Mutant {
  readonly name: string
  readonly rules: string
  /** The text that was changed, and what it became. */
  readonly clause: string
  readonly replacement: string
  /** Which way the change can only work: more is allowed, or less; undefined where it may be both. */
  readonly effect: Effect
}
type Effect = 'more' | 'less' | undefined

interface Change {
  readonly from: number
  readonly to: number
  readonly replacement: string
  readonly effect?: Effect
}

/**
 * Every way to break one clause of the rules: each operand of `&&` and `||` left out, each comparison turned, each
 * known key or value forgotten, each `allow` widened or dropped, each path made a wildcard.
 */
export function mutantsOf(rules: string): Mutant[] {
  const code = rules.replace(/\/\/.*/g, (comment) => ' '.repeat(comment.length))
  const changes: Change[] = [
    ...matches(code, /\b(?:if|return) ([^;]+);/dg).flatMap(({ from, to }) => conditionChanges(code, from, to)),
    ...matches(code, /(\[[^\]]*\])/dg).flatMap(({ from, to }) => listChanges(code, from, to)),
    ...matches(code, /, (false|0)\)/dg).map(({ from, to, text }) => ({
      from,
      to,
      replacement: text === '0' ? '1' : 'true',
    })),
    ...matches(code, /allow (get): if/dg).flatMap(({ from, to }) =>
      ['list', 'create', 'update', 'delete'].map((verb) => ({ from, to, effect: 'more', replacement: `get, ${verb}` })),
    ),
    ...matches(code, /allow get(: if [^;]+);/dg).flatMap(({ from, to }) => [
      { from, to, effect: 'less', replacement: ': if false' },
      { from, to, effect: 'more', replacement: '' },
    ]),
    ...matches(code, /match (\/(?!databases)\S+) \{/dg).flatMap(({ from, to, text }) => pathChanges(text, from, to)),
  ]
  return changes.map(({ from, to, replacement, effect }) => {
    const clause = code.slice(from, to)
    const line = code.slice(0, from).split('\n').length
    return {
      name: `line ${line}: ${shown(clause)} becomes ${shown(replacement) || 'nothing'}`,
      rules: code.slice(0, from) + replacement + code.slice(to),
      clause,
      replacement,
      effect,
    }
  })
}

function shown(text: string): string {
  return text.replace(/\s+/g, ' ')
}

function matches(code: string, pattern: RegExp) {
  return [...code.matchAll(pattern)].flatMap(({ 1: text, indices }) => {
    const [from, to] = indices?.[1] ?? []
    return text === undefined || from === undefined || to === undefined ? [] : [{ text, from, to }]
  })
}

function conditionChanges(code: string, start: number, end: number): Change[] {
  const text = code.slice(start, end)
  const from = start + text.length - text.trimStart().length
  const to = start + text.trimEnd().length
  for (const [operator, neutral, effect] of [
    ['||', 'false', 'less'],
    ['&&', 'true', 'more'],
  ] as const) {
    const operands = split(code, from, to, operator)
    if (operands.length > 1) {
      return operands.flatMap((operand) => [
        { ...operand, effect, replacement: ` ${neutral} ` },
        ...conditionChanges(code, operand.from, operand.to),
      ])
    }
  }
  const condition = code.slice(from, to)
  if (condition.startsWith('(')) return conditionChanges(code, from + 1, to - 1)
  const turned = [
    condition.replace(/^!/, ''),
    condition.replace(' == ', ' != '),
    condition.replace(' < ', ' >= '),
    condition.replace(' is int', ' is number'),
    condition.replace(' is string', ' is bytes'),
  ]
  return turned.filter((other) => other !== condition).map((replacement) => ({ from, to, replacement }))
}

/** The operands of an operator, outside brackets. */
function split(code: string, from: number, to: number, operator: string) {
  const operands = []
  let depth = 0
  let start = from
  for (let at = from; at < to; at++) {
    const character = code.charAt(at)
    if ('(['.includes(character)) depth++
    if (')]'.includes(character)) depth--
    if (depth === 0 && code.startsWith(operator, at)) {
      operands.push({ from: start, to: at })
      start = at + operator.length
    }
  }
  return [...operands, { from: start, to }]
}

function listChanges(code: string, from: number, to: number): Change[] {
  const items = code.slice(from + 1, to - 1).split(',')
  return items.map((_, dropped) => ({
    from,
    to,
    effect: 'less',
    replacement: `[${items.toSpliced(dropped, 1).join()}]`,
  }))
}

function pathChanges(path: string, from: number, to: number): Change[] {
  const segments = path.split('/').slice(1)
  const widened = segments.flatMap((segment, index) =>
    segment.startsWith('{') ? [] : [`/${segments.with(index, '{any}').join('/')}`],
  )
  return [...widened, `${path}/{below=**}`].map((replacement) => ({ from, to, effect: 'more', replacement }))
}
