import { useState } from 'preact/hooks'
import type { Stage } from './app.tsx'
import { inWords, isOver } from './failure.ts'
import type { Session } from './session.ts'
import { strings } from './strings.ts'

/** The directory's second promise, in milliseconds. */
const goneWithinMs = 10_000

const words = strings.unregister

export function Unregister({ session, onStage }: { session: Session; onStage: (stage: Stage) => void }) {
  const [typed, setTyped] = useState('')
  const [failure, setFailure] = useState('')
  const [isWorking, setIsWorking] = useState(false)

  async function unregister() {
    if (isWorking) return
    setFailure('')
    if (typed.trim().toLowerCase() !== words.word) {
      setFailure(words.mistyped)
      return
    }
    setIsWorking(true)
    try {
      await session.call('unregisterAgent', {})
      const outOfAnswersAtMs = Date.now() + goneWithinMs
      const left = await session.readAgain()
      await session.end()
      onStage({ name: 'gone', left, outOfAnswersAtMs })
    } catch (error) {
      if (isOver(error)) {
        await session.end()
        onStage({ name: 'over', why: 'ended' })
        return
      }
      setFailure(inWords(error))
      setIsWorking(false)
    }
  }

  return (
    <section aria-labelledby="unregister">
      <h2 id="unregister">{words.heading}</h2>
      <p>{words.body}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void unregister()
        }}
      >
        <label for="confirmation">{words.label}</label>
        <div class="row">
          <input
            id="confirmation"
            type="text"
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            value={typed}
            aria-invalid={failure === words.mistyped}
            aria-describedby="confirmation-failure"
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
          <button class="button danger" type="submit" aria-disabled={isWorking}>
            {isWorking ? words.working : words.confirm}
          </button>
        </div>
        <p id="confirmation-failure" class="error" role="alert">
          {failure}
        </p>
      </form>
    </section>
  )
}
