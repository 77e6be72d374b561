import { useEffect, useState } from 'preact/hooks'
import type { Session } from './session.ts'
import { strings } from './strings.ts'

/** Changes come in bursts; the bytes are read again when one has settled. */
const settleMs = 700

const words = strings.bytes

/** Everything that `exportAgent` returns, read again whenever what is `known` changes. */
export function ExactBytes({ session, known }: { session: Session; known: string }) {
  const [text, setText] = useState<string | null>(null)
  const [hasFailed, setHasFailed] = useState(false)
  const [attempt, setAttempt] = useState(0)
  const [copied, setCopied] = useState('')

  useEffect(() => {
    const current = { is: true }
    const timer = setTimeout(() => {
      session.call('exportAgent', {}).then(
        (exported) => {
          if (!current.is) return
          setText(JSON.stringify(exported, null, 2))
          setHasFailed(false)
        },
        () => {
          if (current.is) setHasFailed(true)
        },
      )
    }, settleMs)
    return () => {
      current.is = false
      clearTimeout(timer)
    }
  }, [session, known, attempt])

  async function copy(json: string) {
    setCopied('')
    await navigator.clipboard.writeText(json).then(
      () => setCopied(words.copied),
      () => setCopied(words.copyFailed),
    )
  }

  function download(json: string) {
    const url = URL.createObjectURL(new Blob([json], { type: 'application/json' }))
    const link = document.createElement('a')
    link.href = url
    link.download = `koko-${session.agentId}.json`
    link.click()
    URL.revokeObjectURL(url)
  }

  return (
    <section aria-labelledby="bytes">
      <h2 id="bytes">{words.heading}</h2>
      <p>{words.intro}</p>
      <p>{words.not}</p>
      <div role="alert">{hasFailed && <p class="banner bad">{words.failed}</p>}</div>
      {hasFailed && (
        <button class="button" type="button" onClick={() => setAttempt((count) => count + 1)}>
          {words.again}
        </button>
      )}
      {text === null ? (
        !hasFailed && <p role="status">{words.loading}</p>
      ) : (
        <>
          <pre class="bytes" tabIndex={0} role="region" aria-labelledby="bytes">
            {text}
          </pre>
          <div class="row">
            <button class="button" type="button" onClick={() => void copy(text)}>
              {words.copy}
            </button>
            <button class="button" type="button" onClick={() => download(text)}>
              {words.download}
            </button>
            <span role="status">{copied}</span>
          </div>
        </>
      )}
    </section>
  )
}
