import type { RefObject } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { Button } from './button.tsx'
import { changeFailure } from './failure.ts'
import type { Page } from './page.ts'
import { strings } from './strings.ts'

const words = strings.unregister

interface UnregisterProps {
  page: Page
  /** Whether it is under way, and whether it ever was: then the agent's absence is its success. */
  unregistering: RefObject<{ isUnderWay: boolean; wasAsked: boolean }>
  onDone: () => void
}

export function Unregister({ page, unregistering, onDone }: UnregisterProps) {
  const [typed, setTyped] = useState('')
  const [failure, setFailure] = useState('')
  const [isWorking, setIsWorking] = useState(false)
  const input = useRef<HTMLInputElement>(null)

  async function unregister() {
    const state = unregistering.current
    if (state.isUnderWay) return
    setFailure('')
    if (typed.trim().toLowerCase() !== words.word) {
      setFailure(words.mistyped)
      input.current?.focus()
      return
    }
    Object.assign(state, { isUnderWay: true, wasAsked: true })
    setIsWorking(true)
    const stopWaiting = page.awaitOutcome()
    try {
      await page.session.call('unregisterAgent', {})
      onDone()
    } catch (error) {
      state.isUnderWay = false
      if (page.endsWith(error)) return
      setFailure(changeFailure(error))
      setIsWorking(false)
      void page.readNow()
    } finally {
      stopWaiting()
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
          <Button submits isWorking={isWorking} working={words.working}>
            {words.confirm}
          </Button>
        </div>
        <p id="confirmation-failure" class="error" role="alert">
          {failure !== '' && failure}
        </p>
      </form>
    </section>
  )
}
