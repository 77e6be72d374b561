import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'

/** The second half of a double click must not answer a question that nobody has read. */
const armedAfterMs = 400

interface ConfirmProps {
  heading: string
  confirm: string
  working: string
  cancel: string
  isDanger: boolean
  /** Resolves when it is done; the dialog then closes. */
  onConfirm: () => Promise<void>
  /** What to say of a failure; null where the page says it itself. */
  onFailure: (error: unknown) => string | null
  onClose: () => void
  children: ComponentChildren
}

/**
 * A modal question. It opens on the answer that changes nothing, so that a key held down answers it harmlessly; while its
 * answer is being carried out it stays, and more clicks do nothing.
 */
export function Confirm(props: ConfirmProps) {
  const { heading, confirm, working, cancel, isDanger, onConfirm, onFailure, onClose, children } = props
  const dialog = useRef<HTMLDialogElement>(null)
  const keep = useRef<HTMLButtonElement>(null)
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
    keep.current?.focus()
    const timer = setTimeout(() => setIsArmed(true), armedAfterMs)
    return () => {
      clearTimeout(timer)
      hasLeft.current = true
      // What is behind an open dialog takes no focus.
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

  /** A browser may close a dialog on a second Esc without asking. It tells so late, when the next may be open already. */
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
        {isWorking && working}
      </p>
      <div class="row">
        <button
          class={isDanger ? 'button danger primary' : 'button primary'}
          type="button"
          aria-disabled={isWorking || !isArmed}
          onClick={() => void carryOut()}
        >
          {isWorking ? working : confirm}
        </button>
        <button ref={keep} class="button" type="button" aria-disabled={isWorking} onClick={close}>
          {cancel}
        </button>
      </div>
    </dialog>
  )
}
