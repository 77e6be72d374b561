import { goneWithinMs } from '@koko/contract'
import type { RefObject } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { changeFailure, type LastStage } from './failure.ts'
import type { Session } from './session.ts'
import { strings } from './strings.ts'

const words = strings.unregister

interface UnregisterProps {
  session: Session
  /** True while it is under way. */
  isUnregistering: RefObject<boolean>
  endsWith: (error: unknown) => boolean
  onGone: (stage: LastStage) => void
}

export function Unregister({ session, isUnregistering, endsWith, onGone }: UnregisterProps) {
  const [typed, setTyped] = useState('')
  const [failure, setFailure] = useState('')
  const [isWorking, setIsWorking] = useState(false)
  const input = useRef<HTMLInputElement>(null)

  async function unregister() {
    if (isUnregistering.current) return
    setFailure('')
    if (typed.trim().toLowerCase() !== words.word) {
      setFailure(words.mistyped)
      input.current?.focus()
      return
    }
    isUnregistering.current = true
    setIsWorking(true)
    try {
      await session.call('unregisterAgent', {})
      const outOfAnswersAtMs = session.nowMs() + goneWithinMs
      onGone({ name: 'gone', checked: await session.check(), outOfAnswersAtMs })
    } catch (error) {
      isUnregistering.current = false
      if (endsWith(error)) return
      setFailure(changeFailure(error))
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
            ref={input}
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
          {failure !== '' && failure}
        </p>
      </form>
    </section>
  )
}
