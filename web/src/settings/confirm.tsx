import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'

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

/** A modal question. While its answer is being carried out it stays, and a second click does nothing. */
export function Confirm(props: ConfirmProps) {
  const { heading, confirm, working, cancel, isDanger, onConfirm, onFailure, onClose, children } = props
  const dialog = useRef<HTMLDialogElement>(null)
  const [isWorking, setIsWorking] = useState(false)
  const [failure, setFailure] = useState<string | null>(null)
  const id = useId()

  useEffect(() => {
    const opener = document.activeElement
    dialog.current?.showModal()
    return () => {
      if (opener instanceof HTMLElement) opener.focus()
    }
  }, [])

  async function carryOut() {
    if (isWorking) return
    setIsWorking(true)
    setFailure(null)
    try {
      await onConfirm()
      onClose()
    } catch (error) {
      setFailure(onFailure(error))
      setIsWorking(false)
    }
  }

  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault()
        if (!isWorking) onClose()
      }}
    >
      <h2 id={id}>{heading}</h2>
      {children}
      <div role="alert">{failure !== null && <p class="error">{failure}</p>}</div>
      <div class="row">
        <button
          class={isDanger ? 'button danger primary' : 'button primary'}
          type="button"
          aria-disabled={isWorking}
          onClick={() => void carryOut()}
        >
          {isWorking ? working : confirm}
        </button>
        <button class="button" type="button" aria-disabled={isWorking} onClick={() => !isWorking && onClose()}>
          {cancel}
        </button>
      </div>
    </dialog>
  )
}
