import type { Session, Snapshot } from './session.ts'

/** Between reads while a change is under way. */
const urgentMs = 3_000
/** Between reads otherwise: a read is about 5 kB with its headers, so an idle page stays below 0.3 kB a second. */
const idleMs = 20_000
/** Coming into view and getting the focus are one occasion. */
const sameOccasionMs = 1_000

export interface Watch {
  /** Reads now. Resolves when the read has ended, even if it failed. */
  readNow: () => Promise<void>
  /** Plans the next read again, after `isUrgent` may have changed. */
  plan: () => void
  stop: () => void
}

/**
 * Reads what is stored while the page is visible: when it comes into view, gets the focus, or goes online or offline, every
 * few seconds while something is urgent, and slowly otherwise. After failures it slows down.
 */
export function watch(
  session: Session,
  {
    isUrgent,
    onSnapshot,
    onFailure,
  }: { isUrgent: () => boolean; onSnapshot: (snapshot: Snapshot) => void; onFailure: (error: unknown) => void },
): Watch {
  let latest = 0
  let failures = 0
  let isReading = false
  let endedAtMs = -Infinity
  let timer: number | undefined
  let isStopped = false

  async function readNow(): Promise<void> {
    window.clearTimeout(timer)
    // The answer to an older read must not replace a newer one.
    const mine = ++latest
    const isCurrent = () => !isStopped && mine === latest
    isReading = true
    await session.read().then(
      (snapshot) => {
        if (!isCurrent()) return
        failures = 0
        onSnapshot(snapshot)
      },
      (error: unknown) => {
        if (!isCurrent()) return
        failures += 1
        onFailure(error)
      },
    )
    if (!isCurrent()) return
    isReading = false
    endedAtMs = performance.now()
    plan()
  }

  function plan(): void {
    if (isReading || isStopped) return
    window.clearTimeout(timer)
    const waitMs = failures > 0 ? Math.min(idleMs, urgentMs * 2 ** (failures - 1)) : isUrgent() ? urgentMs : idleMs
    timer = window.setTimeout(() => {
      if (!document.hidden) void readNow()
    }, waitMs)
  }

  function look(): void {
    const isFresh = failures === 0 && performance.now() - endedAtMs < sameOccasionMs
    if (!document.hidden && !isReading && !isFresh) void readNow()
  }

  /** Only a request shows whether there is a connection. */
  function lookAgain(): void {
    if (!document.hidden) void readNow()
  }

  document.addEventListener('visibilitychange', look)
  window.addEventListener('focus', look)
  window.addEventListener('online', lookAgain)
  window.addEventListener('offline', lookAgain)
  void readNow()
  return {
    readNow,
    plan,
    stop() {
      isStopped = true
      window.clearTimeout(timer)
      document.removeEventListener('visibilitychange', look)
      window.removeEventListener('focus', look)
      window.removeEventListener('online', lookAgain)
      window.removeEventListener('offline', lookAgain)
    },
  }
}
