import { useEffect, useState } from 'preact/hooks'
import { retryHint } from './failure.ts'
import type { Session } from './session.ts'
import { fill, strings } from './strings.ts'
import { clockTime } from './times.ts'

/** Changes come in bursts; the bytes are read once after each burst. */
const settleMs = 300

const words = strings.bytes

interface ExactBytesProps {
  session: Session
  /** The bytes are read again when this changes. */
  version: string
  endsWith: (error: unknown) => boolean
}

/** Everything that `exportAgent` returns. */
export function ExactBytes({ session, version, endsWith }: ExactBytesProps) {
  const [bytes, setBytes] = useState<{ text: string; readAtMs: number } | null>(null)
  const [isReading, setIsReading] = useState(true)
  const [failure, setFailure] = useState('')
  const [attempt, setAttempt] = useState(0)
  const [said, setSaid] = useState('')

  useEffect(() => {
    let isCurrent = true
    setIsReading(true)
    const timer = setTimeout(() => {
      session.call('exportAgent', {}).then(
        (exported) => {
          if (!isCurrent) return
          setBytes({ text: JSON.stringify(exported, null, 2), readAtMs: session.nowMs() })
          setFailure('')
          setIsReading(false)
        },
        (error: unknown) => {
          if (!isCurrent) return
          setIsReading(false)
          if (!endsWith(error)) setFailure(`${words.failed} ${retryHint(error)}`)
        },
      )
    }, settleMs)
    return () => {
      isCurrent = false
      clearTimeout(timer)
    }
  }, [session, version, attempt])

  async function copy(json: string) {
    setSaid('')
    await navigator.clipboard.writeText(json).then(
      () => setSaid(words.copied),
      () => setSaid(words.copyFailed),
    )
  }

  function download(json: string) {
    const url = URL.createObjectURL(new Blob([json], { type: 'application/json' }))
    const link = document.createElement('a')
    link.href = url
    link.download = `koko-${session.agentId}.json`
    link.click()
    URL.revokeObjectURL(url)
    setSaid(words.downloaded)
  }

  return (
    <section aria-labelledby="bytes">
      <h2 id="bytes">{words.heading}</h2>
      <p>{words.intro}</p>
      <p>{words.not}</p>
      <div role="alert">{failure !== '' && <p class="banner bad">{failure}</p>}</div>
      {bytes === null ? (
        isReading && <p role="status">{words.loading}</p>
      ) : (
        <>
          <pre class="bytes" tabIndex={0} role="region" aria-label={words.label}>
            {bytes.text}
          </pre>
          <p class="note">{fill(words.readAt, { time: clockTime(bytes.readAtMs) })}</p>
        </>
      )}
      <div class="row">
        {bytes !== null && (
          <>
            <button class="button" type="button" onClick={() => void copy(bytes.text)}>
              {words.copy}
            </button>
            <button class="button" type="button" onClick={() => download(bytes.text)}>
              {words.download}
            </button>
          </>
        )}
        {(bytes !== null || failure !== '') && (
          <button
            class="button"
            type="button"
            aria-disabled={isReading}
            onClick={() => !isReading && setAttempt((count) => count + 1)}
          >
            {isReading ? words.reading : words.again}
          </button>
        )}
        <span role="status">{said !== '' && said}</span>
      </div>
    </section>
  )
}
