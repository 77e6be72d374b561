import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { strings } from './strings.ts'

/** The second half of a double click must not answer the question that the first half opened. */
const armedAfterMs = 400

interface ConfirmProps {
  heading: string
  words: { confirm: string; working: string }
  isDanger: boolean
  /** Resolves when it is done; the dialog then closes. */
  onConfirm: () => Promise<void>
  /** The text for a failure; null if the page shows it elsewhere. */
  onFailure: (error: unknown) => string | null
  onClose: () => void
  children: ComponentChildren
}

/**
 * A modal question. It opens with the focus on Cancel, so that a key held down changes nothing. It stays open while the
 * change is being made, and ignores more clicks.
 */
export function Confirm({ heading, words, isDanger, onConfirm, onFailure, onClose, children }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const cancel = useRef<HTMLButtonElement>(null)
  const isBusy = useRef(false)
  const hasLeft = useRef(false)
  const [isArmed, setIsArmed] = useState(false)
  const [isWorking, setIsWorking] = useState(false)
  const [failure, setFailure] = useState<string | null>(null)
  const id = useId()

  useLayoutEffect(() => {
    const opener = document.activeElement
    const element = dialog.current
    element?.showModal()
    cancel.current?.focus()
    const timer = setTimeout(() => setIsArmed(true), armedAfterMs)
    return () => {
      clearTimeout(timer)
      hasLeft.current = true
      // Elements behind an open dialog cannot take the focus.
      element?.close()
      if (opener instanceof HTMLElement) opener.focus()
    }
  }, [])

  async function carryOut() {
    if (isBusy.current || !isArmed) return
    isBusy.current = true
    setIsWorking(true)
    setFailure(null)
    try {
      await onConfirm()
      onClose()
    } catch (error) {
      setFailure(onFailure(error))
      setIsWorking(false)
    } finally {
      isBusy.current = false
    }
  }

  function close() {
    if (!isBusy.current) onClose()
  }

  /** A second Esc may close a dialog without a cancel event. The close event comes late, when another may be open. */
  function closed() {
    if (hasLeft.current) return
    if (isBusy.current) dialog.current?.showModal()
    else onClose()
  }

  return (
    <dialog
      ref={dialog}
      aria-labelledby={`${id}-heading`}
      aria-describedby={`${id}-body`}
      onCancel={(event) => {
        event.preventDefault()
        close()
      }}
      onClose={closed}
    >
      <h2 id={`${id}-heading`}>{heading}</h2>
      <div id={`${id}-body`}>{children}</div>
      <div role="alert">{failure !== null && <p class="error">{failure}</p>}</div>
      <p class="unseen" role="status">
        {isWorking && words.working}
      </p>
      <div class="row">
        <button
          class={isDanger ? 'button danger primary' : 'button primary'}
          type="button"
          aria-disabled={isWorking || !isArmed}
          onClick={() => void carryOut()}
        >
          {isWorking ? words.working : words.confirm}
        </button>
        <button ref={cancel} class="button" type="button" aria-disabled={isWorking} onClick={close}>
          {strings.dialogs.cancel}
        </button>
      </div>
    </dialog>
  )
}
