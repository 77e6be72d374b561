import type { Session, Snapshot } from './session.ts'

/** How long until the page looks again at what is stored. */
const lookEveryMs = 3_000

export interface Watch {
  /** Looks at once; resolves when that look has ended, whichever way. */
  lookNow: () => Promise<void>
  stop: () => void
}

/** Looks at what is stored every few seconds while the page is seen, and as soon as it is seen or connected again. */
export function watch(
  session: Session,
  onSnapshot: (snapshot: Snapshot) => void,
  onFailure: (error: unknown) => void,
): Watch {
  let latest = 0
  let timer: number | undefined
  let isStopped = false

  async function lookNow(): Promise<void> {
    window.clearTimeout(timer)
    // An answer to an older look must not hide what a newer one has found.
    const mine = ++latest
    const isCurrent = () => !isStopped && mine === latest
    await session.look().then(
      (snapshot) => isCurrent() && onSnapshot(snapshot),
      (error: unknown) => isCurrent() && onFailure(error),
    )
    if (isCurrent()) timer = window.setTimeout(lookIfSeen, lookEveryMs)
  }

  function lookIfSeen(): void {
    if (!document.hidden) void lookNow()
  }

  document.addEventListener('visibilitychange', lookIfSeen)
  window.addEventListener('online', lookIfSeen)
  void lookNow()
  return {
    lookNow,
    stop() {
      isStopped = true
      window.clearTimeout(timer)
      document.removeEventListener('visibilitychange', lookIfSeen)
      window.removeEventListener('online', lookIfSeen)
    },
  }
}
