import type { ComponentChildren } from 'preact'

interface ButtonProps {
  /** The main action of its place. */
  primary?: boolean
  /** For what shows something to peers. What stops sharing is not dangerous. */
  exposes?: boolean
  submits?: boolean
  isWorking?: boolean
  /** False while a click must do nothing yet. */
  isArmed?: boolean
  /** The text while it works, which is announced. */
  working?: string
  onClick?: () => void
  children: ComponentChildren
}

/** A button that shows that its action is under way. It stays focusable then, and further clicks do nothing. */
export function Button(props: ButtonProps) {
  const { primary, exposes, submits, isWorking = false, isArmed = true, working = '', onClick, children } = props
  const isInert = isWorking || !isArmed
  return (
    <>
      <button
        class={['button', primary && 'primary', exposes && 'exposes'].filter(Boolean).join(' ')}
        type={submits ? 'submit' : 'button'}
        aria-disabled={isInert}
        aria-busy={isWorking}
        onClick={() => !isInert && onClick?.()}
      >
        {isWorking ? working : children}
      </button>
      {working !== '' && (
        <span class="unseen" role="status">
          {isWorking && working}
        </span>
      )}
    </>
  )
}
