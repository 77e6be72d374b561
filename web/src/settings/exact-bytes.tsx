import { useMemo, useState } from 'preact/hooks'
import { Button } from './button.tsx'
import type { Page } from './page.ts'
import type { Snapshot } from './session.ts'
import { fill, strings } from './strings.ts'
import { moment, utcMoment } from './times.ts'

const words = strings.bytes
type Kind = keyof typeof words.kinds

const kindOfPath: [RegExp, Kind][] = [
  [/^agents\/[^/]+$/, 'badge'],
  [/^mcpDirectory\/[^/]+\/agents\/[^/]+$/, 'listing'],
  [/^discovery\/[^/]+\/shards\/[^/]+#/, 'entry'],
  [/^unlinks\/[^/]+$/, 'unlinks'],
  [/^accounts\/[^/]+$/, 'account'],
  [/^changes\/[^/]+$/, 'change'],
  [/^removals\/[^/]+$/, 'removal'],
  [/^settingsLinks\/[^/]+$/, 'settingsLink'],
]

const jsonOf = (value: unknown) => JSON.stringify(value, null, 2)

/** Everything that `exportAgent` returns: document by document, with who can read it. */
export function ExactBytes({ page, snapshot }: { page: Page; snapshot: Snapshot }) {
  const { exported, readAtMs } = snapshot
  const [isReading, setIsReading] = useState(false)
  const [said, setSaid] = useState('')
  const json = useMemo(() => jsonOf(exported), [exported])

  async function readAgain() {
    setIsReading(true)
    await page.readNow()
    setIsReading(false)
  }

  async function copy() {
    setSaid('')
    await navigator.clipboard.writeText(json).then(
      () => setSaid(words.copied),
      () => setSaid(words.copyFailed),
    )
  }

  function download() {
    const url = URL.createObjectURL(new Blob([json], { type: 'application/json' }))
    const link = document.createElement('a')
    link.href = url
    link.download = `koko-${page.session.agentId}.json`
    link.click()
    URL.revokeObjectURL(url)
    setSaid(words.downloaded)
  }

  return (
    <section aria-labelledby="bytes">
      <h2 id="bytes">{words.heading}</h2>
      <p>{words.intro}</p>
      <p>{words.not}</p>
      <p class="note">{words.dates}</p>
      <div class="bytes" tabIndex={0} role="region" aria-label={words.label}>
        {Object.entries(exported.documents).map(([path, fields]) => (
          <Document
            key={path}
            kind={kindOfPath.find(([pattern]) => pattern.test(path))?.[1] ?? 'other'}
            path={path}
            fields={fields}
          />
        ))}
        <Document kind="signIn" fields={exported.signIn} />
      </div>
      <p class="note">{fill(words.readAt, { time: moment(readAtMs) })}</p>
      <div class="row">
        <Button onClick={() => void copy()}>{words.copy}</Button>
        <Button onClick={download}>{words.download}</Button>
        <Button isWorking={isReading} working={words.reading} onClick={() => void readAgain()}>
          {words.again}
        </Button>
        <span role="status">{said !== '' && said}</span>
      </div>
    </section>
  )
}

function Document({ kind, path, fields }: { kind: Kind; path?: string; fields: unknown }) {
  const { title, readers } = words.kinds[kind]
  return (
    <div class="document">
      <h3>{title}</h3>
      <p class={`readers ${readers}`}>{words.readers[readers]}</p>
      {path !== undefined && (
        <p class="path">
          <code>{path}</code>
        </p>
      )}
      <pre>{datedLines(jsonOf(fields))}</pre>
    </div>
  )
}

/** The lines of a document. A time also gets its date, which the style shows beside it and which is no part of the text. */
function datedLines(json: string) {
  return json.split('\n').map((line, index) => {
    const ms = Number(/^\s*"\w+Ms": (\d+),?$/.exec(line)?.[1])
    const text = index === 0 ? line : `\n${line}`
    return ms > 0 ? (
      <span key={index} data-date={utcMoment(ms)}>
        {text}
      </span>
    ) : (
      text
    )
  })
}
