import type { ComponentChildren } from 'preact'
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Button } from './button.tsx'
import type { Page } from './page.ts'

/** The second half of a double click must not answer the question that the first half opened. */
const armedAfterMs = 400

interface ConfirmProps {
  heading: ComponentChildren
  words: { confirm: string; working: string; cancel: string }
  page: Page
  /** The answer shows something to peers. */
  exposes?: boolean
  /** What is known to be stored is what the answer asks for. */
  isSettled: boolean
  /** Resolves when it is done; the dialog then closes. */
  onConfirm: () => Promise<void>
  /** The text for a failure; null if the page shows it elsewhere. */
  onFailure: (error: unknown) => string | null
  /** What a failure left undone, shown with it. */
  failureDetail?: ComponentChildren
  onClose: (isDone: boolean) => void
  children: ComponentChildren
}

/**
 * A modal question. It opens with the focus on Cancel, so that a key held down changes nothing. It stays open while the
 * change is being made, and ignores more clicks. When the answer is lost, a later read can show that the change was made:
 * the dialog then closes.
 */
export function Confirm(props: ConfirmProps) {
  const {
    heading,
    words,
    page,
    exposes = false,
    isSettled,
    onConfirm,
    onFailure,
    failureDetail,
    onClose,
    children,
  } = props
  const dialog = useRef<HTMLDialogElement>(null)
  const cancel = useRef<HTMLButtonElement>(null)
  const alert = useRef<HTMLDivElement>(null)
  const isBusy = useRef(false)
  const hasLeft = useRef(false)
  const [isArmed, setIsArmed] = useState(false)
  const [isWorking, setIsWorking] = useState(false)
  const [failure, setFailure] = useState<string | null>(null)
  /** When the change was last sent; null before that. */
  const [sentAtMs, setSentAtMs] = useState<number | null>(null)
  const id = useId()

  useLayoutEffect(() => {
    const opener = document.activeElement
    const element = dialog.current
    element?.showModal()
    // The question comes into view, not the buttons below it.
    cancel.current?.focus({ preventScroll: true })
    element?.scrollTo(0, 0)
    const timer = setTimeout(() => setIsArmed(true), armedAfterMs)
    return () => {
      clearTimeout(timer)
      hasLeft.current = true
      // Elements behind an open dialog cannot take the focus.
      element?.close()
      if (opener instanceof HTMLElement) opener.focus()
    }
  }, [])

  useEffect(() => (sentAtMs === null ? undefined : page.awaitOutcome()), [sentAtMs === null])

  const isShownByRead = isSettled && sentAtMs !== null && page.readAtMs !== null && page.readAtMs >= sentAtMs
  useEffect(() => {
    if (isShownByRead) leave(true)
  }, [isShownByRead])

  useEffect(() => {
    if (failure !== null) alert.current?.scrollIntoView({ block: 'nearest' })
  }, [failure])

  function leave(isDone: boolean) {
    if (hasLeft.current) return
    hasLeft.current = true
    onClose(isDone)
  }

  async function carryOut() {
    if (isBusy.current || !isArmed) return
    isBusy.current = true
    setIsWorking(true)
    setFailure(null)
    setSentAtMs(page.session.nowMs())
    try {
      await onConfirm()
      leave(true)
    } catch (error) {
      if (hasLeft.current) return
      setFailure(onFailure(error))
      setIsWorking(false)
      void page.readNow()
    } finally {
      isBusy.current = false
    }
  }

  function close() {
    if (!isBusy.current) leave(false)
  }

  /** A second Esc may close a dialog without a cancel event. The close event comes late, when another may be open. */
  function closed() {
    if (hasLeft.current) return
    if (isBusy.current) dialog.current?.showModal()
    else leave(false)
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
      <div role="alert" ref={alert}>
        {failure !== null && (
          <>
            {failureDetail}
            <p class="error">{failure}</p>
          </>
        )}
      </div>
      <div class="row">
        <Button
          primary
          exposes={exposes}
          isWorking={isWorking}
          isArmed={isArmed}
          working={words.working}
          onClick={() => void carryOut()}
        >
          {words.confirm}
        </Button>
        <button ref={cancel} class="button" type="button" aria-disabled={isWorking} onClick={close}>
          {words.cancel}
        </button>
      </div>
    </dialog>
  )
}
