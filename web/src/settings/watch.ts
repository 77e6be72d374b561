import type { Session, Snapshot } from './session.ts'

const intervalMs = 3_000

/** Reads what is stored every few seconds while the page is visible, and when it becomes visible or online again. */
export function watch(session: Session, onSnapshot: (snapshot: Snapshot) => void, onFailure: (error: unknown) => void) {
  let latest = 0
  let timer: number | undefined
  let isStopped = false

  /** Resolves when the read has ended, even if it failed. */
  async function readNow(): Promise<void> {
    window.clearTimeout(timer)
    // The answer to an older read must not replace a newer one.
    const mine = ++latest
    const isCurrent = () => !isStopped && mine === latest
    await session.read().then(
      (snapshot) => isCurrent() && onSnapshot(snapshot),
      (error: unknown) => isCurrent() && onFailure(error),
    )
    if (isCurrent()) timer = window.setTimeout(readIfVisible, intervalMs)
  }

  function readIfVisible(): void {
    if (!document.hidden) void readNow()
  }

  document.addEventListener('visibilitychange', readIfVisible)
  window.addEventListener('online', readIfVisible)
  void readNow()
  return {
    readNow,
    stop() {
      isStopped = true
      window.clearTimeout(timer)
      document.removeEventListener('visibilitychange', readIfVisible)
      window.removeEventListener('online', readIfVisible)
    },
  }
}
